//! What a bundle is held to by where it came from, and what the board knows that its bundle does not say.

use std::collections::BTreeMap;

use super::Bundle;
use crate::{Digest, Error, Manifest, Warning, digest::EntryDigest, yaml};

impl Bundle {
    /// Holds the bundle to the digests its files had when they were pulled: [`Bundle::digest`] then compares them.
    #[must_use]
    pub fn expecting(self, files: BTreeMap<String, Digest>) -> Bundle {
        Bundle { expected: files, ..self }
    }

    /// Adds something the user should know to the warnings.
    pub fn note(&mut self, message: impl Into<String>) {
        self.warnings.push(Warning { path: String::new(), message: message.into() });
    }

    /// Completes a manifest by what only `board` says: that the medium holds the boot loader, what stops the boot
    /// loader's countdown, how its system announces that it has booted, its architecture, and which of the variants it is. What the manifest itself says stays.
    pub fn complete(&mut self, board: &Manifest) {
        let spec = &mut self.manifest.spec;
        let own = yaml::load(&self.text, "", 0).ok();
        let says = |key: &str| own.as_ref().and_then(|it| it.get("spec")?.get(key)).is_some();
        if !says("medium_holds_bootloader") {
            spec.medium_holds_bootloader |= board.spec.medium_holds_bootloader;
        }
        if spec.interrupt.is_none() {
            spec.interrupt.clone_from(&board.spec.interrupt);
        }
        if spec.expect_boot.is_none() {
            spec.expect_boot.clone_from(&board.spec.expect_boot);
        }
        if spec.architecture.is_none() {
            spec.architecture.clone_from(&board.spec.architecture);
        }
        if let (Some(dtb), Some(of_board)) = (&mut spec.dtb, &board.spec.dtb)
            && dtb.variants.contains_key(&of_board.default)
        {
            dtb.default.clone_from(&of_board.default);
        }
    }

    /// Refuses content that is not what was pulled.
    pub(super) fn refuse_changed(&self, name: &str, content: &EntryDigest) -> Result<(), Error> {
        match self.expected.get(name) {
            Some(expected) if *expected != content.digest() => Err(Error::Changed {
                path: self.dir.join(name),
                expected: *expected,
                found: content.digest(),
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const TEXT: &str = "metadata: { name: a }
spec:
  manufacturer: A
  bootcmd: bootm 0x1000
  targets: { emmc: /dev/mmcblk0 }
  kernel: { file: kernel, address: \"0x1000\" }
  dtb: { default: one, address: \"0x9000\", variants: { one: {}, two: {} } }
";

    fn bundle(text: &str) -> (tempfile::TempDir, Bundle) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("manifest.yaml"), text).unwrap();
        fs::write(dir.path().join("kernel"), "kernel").unwrap();
        let bundle = Bundle::open(dir.path(), "manifest.yaml").unwrap();
        (dir, bundle)
    }

    #[test]
    fn a_board_completes_what_its_bundle_does_not_say() {
        let board = TEXT.replace("default: one", "default: two")
            + "  medium_holds_bootloader: true\n  expect_boot: login\n  interrupt: space\n";
        let (board, _) = Manifest::parse(&board, "board").unwrap();
        let (_dir, mut silent) = bundle(TEXT);
        silent.complete(&board);
        let spec = &silent.manifest().spec;
        assert!(spec.medium_holds_bootloader && spec.expect_boot.as_deref() == Some("login"));
        assert_eq!(spec.interrupt.as_ref().map(crate::Interrupt::bytes), Some(vec![b' ']));
        assert_eq!(spec.dtb.as_ref().unwrap().default, "two");

        let (_dir, mut outspoken) = bundle(
            &(TEXT.replace("two: {}", "three: {}") + "  medium_holds_bootloader: false\n  expect_boot: up\n"),
        );
        outspoken.complete(&board);
        let spec = &outspoken.manifest().spec;
        assert!(!spec.medium_holds_bootloader && spec.expect_boot.as_deref() == Some("up"));
        assert_eq!(spec.dtb.as_ref().unwrap().default, "one", "a variant it does not have");
    }

    #[test]
    fn files_changed_after_the_pull_are_refused() {
        let (dir, bundle) = bundle(TEXT);
        let of = |text: &str| BTreeMap::from([("kernel".to_owned(), Digest::of(text))]);
        let bundle = bundle.expecting(of("kernel"));
        let digest = bundle.digest().unwrap();
        let bundle = bundle.expecting(of("another"));
        let error = bundle.digest().unwrap_err().to_string();
        let root = dir.path().canonicalize().unwrap();
        assert_eq!(
            error,
            format!(
                "`{0}` has the digest {1}, it had {2} when it was pulled: damaged on disk; remove `{0}`, it is fetched anew",
                root.join("kernel").display(),
                Digest::of("kernel").prefixed(),
                Digest::of("another").prefixed()
            )
        );
        let manifest = BTreeMap::from([("manifest.yaml".to_owned(), Digest::of("x"))]);
        assert!(matches!(bundle.expecting(manifest).digest(), Err(Error::Changed { .. })));
        assert_ne!(digest, Digest::of(""));
    }
}
