//! Power that only remembers what it was told.
