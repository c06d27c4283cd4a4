//! What every crate of the workspace may need, each thing once. Nothing here knows boards, drivers or files of ours.
//!
//! * [`confine`]: paths of others that must not leave a folder
//! * [`digest`]: SHA-256 digests as values
//! * [`suggest`]: "did you mean": the accepted word nearest to a misspelt one
//! * [`user_folder`]: the folder for sockets of one user

pub mod confine;
pub mod digest;
pub mod suggest;
pub mod user_folder;
