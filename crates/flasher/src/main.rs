//! The `flasher` binary: every driver and board of this repository, and the command line.

use flasher_bundles as _;

fn main() -> std::process::ExitCode {
    flasher::main()
}
