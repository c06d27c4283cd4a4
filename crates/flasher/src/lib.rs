//! Flashes an operating-system image onto an embedded board, and proves it.
