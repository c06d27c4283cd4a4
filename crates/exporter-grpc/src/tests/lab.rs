//! An exporter of its own for one test.
