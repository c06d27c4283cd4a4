//! The failure of a load. Who is at fault when nothing arrives shows when all views are put together; what the boot loader alone knows is
//! advised here.

use board_console::{Cause, Error as Console};
use flasher_core::Error;

use crate::trouble;

/// The failure of a transfer of `file`.
pub(crate) fn failed(file: &str, error: &Console) -> Error {
    let told = trouble::console(error).with("file", file);
    match error.cause() {
        Some(Cause::LoadAddressRefused | Cause::OutOfMemory) => told.help(
            "the file does not fit where it is loaded to: choose another `address` for it in the manifest; with `via: uboot`, set \
             `loadaddr` in the boot loader's environment to an address in free memory (`bdinfo` shows what there is)",
        ),
        _ => told,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_does_not_fit_is_advised() {
        for (cause, is_advised) in [
            (Cause::LoadAddressRefused, true),
            (Cause::OutOfMemory, true),
            (Cause::ServerSilent, false),
            (Cause::LinkDown, false),
        ] {
            let command = "tftpboot 0x82000000 job/kernel".to_owned();
            let error =
                Console::Command { command, status: Some(1), output: String::new(), cause: Some(cause) };
            let help = failed("job/kernel", &error).next_step().unwrap_or_default().to_owned();
            assert_eq!(help.starts_with("the file does not fit"), is_advised, "{cause:?}: {help}");
        }
    }
}
