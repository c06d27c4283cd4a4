//! Who is to blame for what went wrong between a registry, the cache and a bundle, and what to do next.

use std::io;

use flasher_base::blame::{Blame, Blamed};

use super::error::OciError;

const LARGER: &str = "run `flasher bundle gc`, or set `cache_dir` (`--cache-dir`) to a larger disk";

impl Blamed for OciError {
    /// What is wrong with the reference or with what was pushed is of class config.
    fn blame(&self) -> Blame {
        match self {
            Self::Refused { lasting: true, .. } => Blame::CONFIG,
            Self::Refused { .. } | Self::Late { .. } | Self::Cut { .. } => Blame::PASSING,
            Self::Unreachable { .. } => {
                Blame::PASSING.advise("check its name, the network, and whether it speaks https")
            }
            Self::Unpinned { source, .. } => {
                source.blame().advise("to use the copy without its registry, name it by that digest or pin it with `flasher bundle lock`")
            }
            Self::Denied { .. } => Blame::LASTING
                .advise("check the credentials: OCI_USERNAME and OCI_PASSWORD, or `docker login`"),
            Self::Untrusted { .. } => Blame::LASTING.advise(
                "give the certificate of its authority as `cacert`, or list it in `insecure_registries` if it speaks http",
            ),
            Self::Setup { .. } => Blame::LASTING,
            Self::Storage { source, .. } => of_the_disk(source),
            Self::Space { .. } => Blame::LASTING.advise(LARGER),
            Self::Busy { .. } => Blame::LASTING.advise("is it stuck? end it, and try again"),
            Self::Credentials { .. } => {
                Blame::CONFIG.advise("mend the file, or set OCI_USERNAME and OCI_PASSWORD")
            }
            Self::NotFound { .. } => Blame::CONFIG.advise("check repository, tag and digest"),
            Self::Unsigned { .. } => Blame::CONFIG.advise("sign it, or take one that is signed"),
            Self::LockFile { .. } => Blame::CONFIG.advise("delete it and run `flasher bundle lock` again"),
            Self::Reference { .. }
            | Self::Manifest { .. }
            | Self::Layer { .. }
            | Self::NoPick { .. }
            | Self::Digest { .. }
            | Self::Length { .. }
            | Self::Unpack { .. }
            | Self::BadSignature { .. }
            | Self::Key { .. }
            | Self::Folder { .. } => Blame::CONFIG,
        }
    }
}

fn of_the_disk(source: &io::Error) -> Blame {
    match source.kind() {
        io::ErrorKind::StorageFull => Blame::LASTING.advise(LARGER),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Blame::LASTING.advise("set `cache_dir` (`--cache-dir`) to a folder of yours")
        }
        _ => Blame::LASTING,
    }
}

#[cfg(test)]
mod tests {
    use flasher_base::blame::Class;

    use super::*;
    use crate::Digest;

    #[test]
    fn what_to_do_next_is_no_part_of_the_message() {
        let reference = || "quay.io/acme/b:v1".to_owned();
        let unreachable = || OciError::Unreachable { registry: "quay.io".into(), reason: "refused".into() };
        let storage = |kind: io::ErrorKind| OciError::Storage {
            action: "write",
            path: "/cache/x".into(),
            source: kind.into(),
        };
        for (error, message, class, is_retryable, step) in [
            (
                unreachable(),
                "the registry `quay.io` cannot be reached: refused",
                Class::Infrastructure,
                true,
                "check its name",
            ),
            (
                OciError::Unpinned {
                    reference: reference(),
                    cached: Digest::of("x"),
                    source: Box::new(unreachable()),
                },
                "cannot be reached: refused; the cache has sha256:",
                Class::Infrastructure,
                true,
                "to use the copy without its registry",
            ),
            (
                OciError::Denied { reference: reference(), who: "u".into(), said: None },
                "the registry refuses `quay.io/acme/b:v1` to u",
                Class::Infrastructure,
                false,
                "check the credentials",
            ),
            (
                OciError::NotFound { reference: reference(), what: "manifest".into() },
                "the registry has no manifest of `quay.io/acme/b:v1`",
                Class::Config,
                false,
                "check repository",
            ),
            (
                storage(io::ErrorKind::StorageFull),
                "cannot write `/cache/x`: ",
                Class::Infrastructure,
                false,
                "run `flasher bundle gc`",
            ),
            (
                storage(io::ErrorKind::PermissionDenied),
                "cannot write `/cache/x`: ",
                Class::Infrastructure,
                false,
                "set `cache_dir`",
            ),
            (
                OciError::Busy { path: "/cache/lock".into(), seconds: 9 },
                "another process has held `/cache/lock` for 9 s",
                Class::Infrastructure,
                false,
                "is it stuck?",
            ),
        ] {
            let blame = error.blame();
            assert!(error.to_string().contains(message), "{error}");
            assert_eq!((blame.class, blame.is_retryable), (class, is_retryable), "{error}");
            let told = blame.next_step.unwrap_or_default();
            assert!(told.starts_with(step) && !error.to_string().contains(&*told), "{error}: {told}");
        }
    }
}
