//! Errors of the libraries, turned into failures with a class: who is to blame, and whether a retry helps.

use board_console::Cause;
use flasher_core::{Class, Error};

/// A failure of the dialogue with the board.
pub(crate) fn console(error: &board_console::Error) -> Error {
    use board_console::Error as Console;
    let (class, help) = match error {
        Console::Io { .. } | Console::Closed { .. } => {
            (Class::Infrastructure, "the serial line went away: check the adapter and its cable")
        }
        Console::Transcript { .. } => (Class::Infrastructure, "choose another place with `--transcript`"),
        Console::Pattern { .. } | Console::Invalid { .. } | Console::LineTooLong { .. } => {
            (Class::Config, "mend the manifest or the options")
        }
        Console::Garbled { .. } => (
            Class::Infrastructure,
            "check baud rate, ground and cable; in the config of the flasher's `serial` child, `cps: 100` slows typing down",
        ),
        Console::Unreadable { .. } | Console::Altered { .. } => (
            Class::Infrastructure,
            "set the board's speed in the config of the flasher's `serial` child, `baudrate: 115200` is usual; then check ground and \
             cable",
        ),
        Console::OtherPrompt { .. } => (Class::Config, "set the prompt that the board shows"),
        Console::Timeout { tail, .. } if tail.0.is_empty() => {
            (Class::Board, "watch the board with `flasher console`; is its power really switched?")
        }
        Console::Timeout { .. } => {
            (Class::Board, "the last console lines show what the board did; watch it with `flasher console`")
        }
        Console::Command { cause: Some(Cause::NoEthernet), .. } => (
            Class::Board,
            "the boot loader finds no network interface: it needs a driver for the board's port, or a `usb start` in its `preboot`",
        ),
        Console::Command { cause: Some(Cause::LinkDown), .. } => {
            (Class::Infrastructure, "is the board's network cable in, and the other end switched on?")
        }
        Console::Command { cause: Some(Cause::UnknownCommand), .. } => {
            (Class::Board, "this boot loader was built without the command: it needs another one")
        }
        _ => (class_of(error.cause()), "the last console lines show what the board said"),
    };
    let retryable = !matches!(
        error,
        Console::AutobootNotInterruptible { .. }
            | Console::Login { .. }
            | Console::LineTooLong { .. }
            | Console::OtherPrompt { .. }
            | Console::Transcript { .. }
    );
    // Console lines travel in a field of their own.
    let error = Error::new(class, error.summary()).help(help);
    if retryable { error } else { error.retryable(false) }
}

/// Causes that lie on the exporter's or the network's side are not the board's fault.
fn class_of(cause: Option<Cause>) -> Class {
    match cause {
        Some(
            Cause::FileNotFound
            | Cause::TftpRefused
            | Cause::ArpSilent
            | Cause::ServerSilent
            | Cause::TransferStopped
            | Cause::DhcpSilent
            | Cause::LinkDown,
        ) => Class::Infrastructure,
        _ => Class::Board,
    }
}

/// A failure of the image.
pub(crate) fn image(error: disk_image::Error) -> Error {
    let told = Error::blamed(error.blame(), error.to_string());
    match next_step(&error) {
        Some(help) => told.help(help),
        None => told,
    }
}

/// What to do about an image, where its error does not say so itself.
fn next_step(error: &disk_image::Error) -> Option<&'static str> {
    use disk_image::Error as Of;
    Some(match error {
        Of::Missing { .. } | Of::NotFound { .. } => {
            "check the name; a file is looked for on the machine that runs the flash"
        }
        Of::Untrusted { .. } => {
            "give the certificate of the authority that signed the server's with `--cacert` (one that may sign others cannot be the server's own), or accept any with `--insecure`"
        }
        Of::NoTls { .. } => "give the URL with `http://`, or the port that speaks https",
        Of::NotAllowed { .. } => {
            "the operator of the exporter decides what it fetches: `flasher serve` has `--fetch-from NETWORK`, `--fetch-https` and `--fetch-max SIZE`"
        }
        Of::Connect { .. } => "check the address, and whether this machine reaches it (`curl -I URL`)",
        Of::Cut { label, received: 0, .. } if label.starts_with("http://") => {
            "check the network to the image's server; one that speaks https only closes such a connection: give the URL with `https://` then"
        }
        Of::Cut { .. } | Of::Stalled { .. } | Of::Drips { .. } => {
            "check the network to the image's server; a copy on this machine needs none"
        }
        Of::Short { .. } | Of::Truncated { .. } | Of::Corrupt { .. } => {
            "fetch or build the image again, and compare its digest"
        }
        Of::Unsupported { help, .. } => help,
        Of::Tiny { .. } => "give the image itself; `--format raw` writes even this",
        Of::Unknown { .. } => {
            "give the image of the whole device, write it into a partition with `-t LABEL:IMAGE`, or say `--format raw` when it is right as it is"
        }
        Of::BeyondEnd { .. } => {
            "it was cut short, or is not for a whole device; fetch or build it again, or say `--format raw` when it is right as it is"
        }
        Of::Open { .. } | Of::Read { .. } => {
            "look at the file and its disk on the machine that runs the flash"
        }
        Of::Empty { .. } | Of::EmptyImage { .. } | Of::Garbage { .. } => {
            "fetch or build the image again, and compare its digest"
        }
        Of::NoData { .. } => "give the image with its data, or no block map (`--no-bmap`)",
        Of::DigestDiffers { .. } => {
            "fetch the image again, or take the digest from where the image is published; that of the file and that of what it unpacks to are both accepted"
        }
        Of::LengthDiffers { .. } => {
            "fetch the image again, or give the right `--length`; that of the file and that of what it unpacks to are both accepted"
        }
        Of::Changed { .. } => "wait until the image is written completely, then flash again",
        Of::Redirect { .. } | Of::Status { .. } => {
            "look at what the server answers (`curl -I URL`); a copy on this machine needs none"
        }
        _ => return None,
    })
}

/// A failure of the bundle.
pub(crate) fn bundle(error: &bundle_store::Error) -> Error {
    Error::config(error.to_string())
}

/// A failure between registry, cache and lock file.
pub(crate) fn registry(error: &bundle_store::OciError) -> Error {
    Error::blamed(error.blame(), error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lacks_an_image_is_told_what_to_do() {
        use disk_image::Error as Of;
        let label = || "os.img".to_owned();
        for (error, expected) in [
            (
                Of::Missing { label: label() },
                "check the name; a file is looked for on the machine that runs the flash",
            ),
            (
                Of::NotFound { label: label(), status: 404 },
                "check the name; a file is looked for on the machine that runs the flash",
            ),
            (
                Of::Connect { label: label(), reason: String::new() },
                "check the address, and whether this machine reaches it (`curl -I URL`)",
            ),
            (
                Of::Cut { label: label(), received: 1, expected: None, reason: String::new() },
                "check the network to the image's server; a copy on this machine needs none",
            ),
            (
                Of::Cut {
                    label: "http://h/os.img".to_owned(),
                    received: 0,
                    expected: None,
                    reason: String::new(),
                },
                "check the network to the image's server; one that speaks https only closes such a connection: give the URL with `https://` then",
            ),
            (Of::Empty { label: label() }, "fetch or build the image again, and compare its digest"),
            (
                Of::LengthDiffers { label: label(), expected: 1, source_length: 2, decoded_length: 2 },
                "fetch the image again, or give the right `--length`; that of the file and that of what it unpacks to are both accepted",
            ),
            (
                Of::Short { label: label(), offset: 1, expected: 2 },
                "fetch or build the image again, and compare its digest",
            ),
        ] {
            assert_eq!(image(error).next_step(), Some(expected));
        }
    }

    #[test]
    fn what_a_server_is_stays_so_when_it_is_asked_again() {
        use disk_image::Error as Of;
        let (label, reason) = (|| "os.img".to_owned(), String::new);
        for (error, is_retryable) in [
            (Of::Untrusted { label: label(), reason: reason() }, false),
            (Of::NoTls { label: label(), reason: reason() }, false),
            (Of::NotFound { label: label(), status: 404 }, false),
            (Of::Missing { label: label() }, false),
            (Of::Connect { label: label(), reason: reason() }, true),
            (Of::Cut { label: label(), received: 1, expected: None, reason: reason() }, true),
        ] {
            let told = image(error);
            assert_eq!(told.is_retryable(), is_retryable, "{told}");
        }
    }

    #[test]
    fn a_silent_server_is_not_the_boards_fault() {
        assert_eq!(class_of(Some(Cause::DhcpSilent)), Class::Infrastructure);
        assert_eq!(class_of(Some(Cause::KernelPanic)), Class::Board);
        assert_eq!(class_of(None), Class::Board);
    }
}
