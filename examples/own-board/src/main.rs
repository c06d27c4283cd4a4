//! `flasher` with every driver and board of the project, and our own.
use {flasher_bundles as _, own_board as _};
fn main() -> std::process::ExitCode {
    flasher::main()
}
