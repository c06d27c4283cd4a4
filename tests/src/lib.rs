//! Nothing to link: the stories are in `main.rs`.
