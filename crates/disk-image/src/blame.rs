//! Who can do something about an image that cannot be had, and what.

use flasher_base::blame::{Blame, Blamed};
use flasher_base::root_cause::RootCause;

use crate::Error;

const CHECK_THE_NAME: &str = "check the name; a file is looked for on the machine that runs the flash";
const FETCH_AGAIN: &str = "fetch or build the image again, and compare its digest";
const ASK_THE_SERVER: &str =
    "look at what the server answers (`curl -I URL`); a copy on this machine needs none";
const CHECK_THE_NETWORK: &str = "check the network to the image's server; a copy on this machine needs none";

impl Blamed for Error {
    /// An image that a server does not give to this user is an image that cannot be had.
    fn blame(&self) -> Blame {
        match root(self) {
            Some(root) => self.who().caused_by(root),
            None => self.who(),
        }
    }
}

/// What makes it fail, where the error shows that.
fn root(error: &Error) -> Option<RootCause> {
    Some(match error {
        Error::Missing { .. } | Error::NotFound { .. } => RootCause::ImageMissing,
        Error::Connect { .. } | Error::Cut { .. } | Error::Stalled { .. } | Error::Drips { .. } => {
            RootCause::ImageServerLost
        }
        Error::Status { .. }
        | Error::Redirect { .. }
        | Error::Unauthorized { .. }
        | Error::NoParts { .. } => RootCause::ImageServerRefuses,
        Error::Empty { .. }
        | Error::EmptyImage { .. }
        | Error::Short { .. }
        | Error::Truncated { .. }
        | Error::Corrupt { .. }
        | Error::Garbage { .. }
        | Error::BeyondEnd { .. }
        | Error::DigestDiffers { .. }
        | Error::LengthDiffers { .. }
        | Error::MapDiffers { .. }
        | Error::Misnamed { .. } => RootCause::ImageDamaged,
        Error::Untrusted { .. } | Error::NoTls { .. } => RootCause::ImageServerUntrusted,
        Error::Changed { .. } => RootCause::ImageChanged,
        _ => return None,
    })
}

impl Error {
    fn who(&self) -> Blame {
        match self {
            Self::External { blame, .. } => blame.clone(),
            Self::Connect { .. }
            | Self::Cut { .. }
            | Self::Stalled { .. }
            | Self::Drips { .. }
            | Self::Status { .. }
            | Self::Redirect { .. }
            | Self::NoParts { .. }
            | Self::Untrusted { .. }
            | Self::NoTls { .. } => of_a_server(self),
            Self::NotAllowed { .. } => Blame::CONFIG.advise(
                "the operator of the exporter decides what it fetches: `flasher serve` has `--fetch-from NETWORK`, `--fetch-https` and `--fetch-max SIZE`",
            ),
            Self::Unframed { .. }
            | Self::Unproven { .. }
            | Self::NotAFile { .. }
            | Self::Url { .. }
            | Self::Header { .. }
            | Self::Proxy { .. }
            | Self::Spool { .. }
            | Self::Certificates { .. } => Blame::CONFIG,
            Self::Copy { .. } => Blame::PASSING,
            _ => of_the_image(self),
        }
    }
}

/// Of a server that does not give the image, or the way to it.
fn of_a_server(error: &Error) -> Blame {
    match error {
        Error::Connect { .. } => {
            Blame::PASSING.advise("check the address, and whether this machine reaches it (`curl -I URL`)")
        }
        Error::Cut { label, received: 0, .. } if label.starts_with("http://") => Blame::PASSING.advise(
            "check the network to the image's server; one that speaks https only closes such a connection: give the URL with `https://` then",
        ),
        Error::Status { status: 408 | 425 | 429 | 500.., .. } => Blame::PASSING.advise(ASK_THE_SERVER),
        Error::Status { .. } | Error::Redirect { .. } | Error::NoParts { .. } => Blame::SOURCE.advise(ASK_THE_SERVER),
        // The same server gives the same certificate again.
        Error::Untrusted { .. } => Blame::LASTING.advise(
            "give the certificate of the authority that signed the server's with `--cacert` (one that may sign others cannot be the server's own), or accept any with `--insecure`",
        ),
        Error::NoTls { .. } => {
            Blame::LASTING.advise("give the URL with `http://`, or the port that speaks https")
        }
        _ => Blame::PASSING.advise(CHECK_THE_NETWORK),
    }
}

/// Of the image itself; nothing to advise where the error's text says what to do.
fn of_the_image(error: &Error) -> Blame {
    let next_step = match error {
        Error::Missing { .. } | Error::NotFound { .. } => CHECK_THE_NAME,
        Error::Short { .. }
        | Error::Truncated { .. }
        | Error::Corrupt { .. }
        | Error::Empty { .. }
        | Error::EmptyImage { .. }
        | Error::Garbage { .. } => FETCH_AGAIN,
        Error::Unsupported { help, .. } => help,
        Error::Tiny { .. } => "give the image itself; `--format raw` writes even this",
        Error::Unknown { .. } => {
            "give the image of the whole device, write it into a partition with `-t LABEL:IMAGE`, or say `--format raw` when it is right as it is"
        }
        Error::BeyondEnd { .. } => {
            "it was cut short, or is not for a whole device; fetch or build it again, or say `--format raw` when it is right as it is"
        }
        Error::Open { .. } | Error::Read { .. } => {
            "look at the file and its disk on the machine that runs the flash"
        }
        Error::NoData { .. } => "give the image with its data, or no block map (`--no-bmap`)",
        Error::DigestDiffers { .. } => {
            "fetch the image again, or take the digest from where the image is published; that of the file and that of what it unpacks to are both accepted"
        }
        Error::LengthDiffers { .. } => {
            "fetch the image again, or give the right `--length`; that of the file and that of what it unpacks to are both accepted"
        }
        Error::Changed { .. } => "wait until the image is written completely, then flash again",
        _ => return Blame::SOURCE,
    };
    Blame::SOURCE.advise(next_step)
}
