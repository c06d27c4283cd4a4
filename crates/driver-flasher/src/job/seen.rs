//! A medium as it was when it became a disk of this machine.

use std::collections::BTreeMap;

use flasher_core::{Class, Error, Result, RootCause};

/// What tells one medium from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeenMedium {
    /// Its device file, for messages.
    pub(crate) node: String,
    /// Bytes.
    pub(crate) size: u64,
    /// Model, serial number and the like, as far as the kernel knows them.
    pub(crate) facts: BTreeMap<String, String>,
}

impl SeenMedium {
    /// Fails unless this is the medium that was seen first.
    pub(super) fn must_be(&self, first: &Self) -> Result<()> {
        if (self.size, &self.facts) == (first.size, &first.facts) {
            return Ok(());
        }
        let shown = |seen: &Self| {
            let facts: Vec<String> = seen.facts.iter().map(|(key, value)| format!("{key} {value}")).collect();
            format!("{} bytes, {}", seen.size, facts.join(", "))
        };
        Err(Error::new(Class::Infrastructure, format!("`{}` is another medium than the one that was written before", self.node))
            .with("now", shown(self))
            .with("before", shown(first))
            .help("was a card swapped, or does the name in `targets` lead to another reader? the medium at hand was not touched")
            .caused_by(RootCause::OtherDisk)
            .retryable(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_medium_that_was_swapped() {
        let seen = |size, serial: &str| SeenMedium {
            node: "/dev/sdb".to_owned(),
            size,
            facts: [("serial".to_owned(), serial.to_owned())].into(),
        };
        let first = seen(100, "A");
        assert!(SeenMedium { node: "/dev/sdc".to_owned(), ..seen(100, "A") }.must_be(&first).is_ok());
        for other in [seen(100, "B"), seen(200, "A")] {
            let error = other.must_be(&first).unwrap_err();
            assert_eq!(
                error.to_string(),
                "`/dev/sdb` is another medium than the one that was written before"
            );
            assert!(!error.is_retryable());
        }
    }
}
