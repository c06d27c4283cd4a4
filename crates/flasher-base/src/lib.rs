//! What every crate of the workspace may need, each thing once. Nothing here knows boards, drivers or files of ours.
//!
//! * [`blame`]: who is to blame for a failure, and whether a retry can help
//! * [`clock`]: times as records show them
//! * [`confine`]: paths of others that must not leave a folder
//! * [`digest`]: SHA-256 digests as values
//! * [`root_cause`]: what makes a step of a job fail
//! * [`safe`]: text of others on a terminal
//! * [`source_exchange`]: what is asked of the server of an image, and what it answers
//! * [`state_folder`]: the folder for what is remembered between runs
//! * [`suggest`]: "did you mean": the accepted word nearest to a misspelt one
//! * [`user_folder`]: the folder for sockets of one user

pub mod blame;
pub mod clock;
pub mod confine;
pub mod digest;
pub mod root_cause;
pub mod safe;
pub mod source_exchange;
pub mod state_folder;
pub mod suggest;
pub mod user_folder;
