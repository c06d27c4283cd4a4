//! Step 1: the way to the medium is chosen; bundle, manifest, variant and target are looked up. No hardware yet.

use std::sync::Arc;

use bundle_store::{Bundle, Files, Interrupt, Login, Manifest, Spec};
use flasher_core::flash::ViaUsed;
use flasher_core::{Description, Error, FlasherBundle, Result, suggest};

use crate::blocking::blocking;
use crate::bundle;
use crate::config::FlasherConfig;
use crate::job::Session;
use crate::trouble;

/// What is booted, if anything is, and what is written.
pub(crate) struct Resolved {
    /// What is booted where a small Linux is the way to the medium; the boot loader writes it by itself otherwise.
    pub(crate) boots: Option<Boots>,
    /// What this build knows of the board, where nothing is booted.
    board: Option<Manifest>,
    /// The way to the medium.
    via: ViaUsed,
    /// The target's name, in the manifest or the config.
    pub(crate) target: String,
    /// What it stands for: a device path or `/sys/class/block#ADDRESS` for Linux, `mmc 1` for the boot loader, a name that stays for this
    /// machine.
    pub(crate) device: String,
}

/// A small Linux out of a bundle.
pub(crate) struct Boots {
    pub(crate) bundle: Arc<Bundle>,
    pub(crate) files: Files,
    pub(crate) description: Description,
}

pub(crate) async fn run(session: Session<'_>) -> Result<Resolved> {
    match session.flasher.way(session.job.via) {
        ViaUsed::Linux => with_bundle(session).await,
        via => without_bundle(session, via),
    }
}

async fn with_bundle(session: Session<'_>) -> Result<Resolved> {
    let description = session.flasher.describe().await?;
    let bundle = Arc::new(session.flasher.bundle().await?);
    for warning in bundle.warnings() {
        session.run.warn(warning.to_string());
    }
    let (target, device) = session.flasher.target(&bundle, session.job.target.as_deref())?;
    let (variant, opened) = (session.flasher.variant(), Arc::clone(&bundle));
    let files =
        blocking(move || opened.files(variant.as_deref()).map_err(|error| trouble::bundle(&error))).await?;
    session.run.record.board(|board| {
        board.name = Some(description.board.clone());
        board.variant.clone_from(&description.variant);
        board.bundle_sha256 = Some(description.bundle_sha256.clone());
    });
    let boots = Some(Boots { bundle, files, description });
    Ok(Resolved { boots, board: None, via: ViaUsed::Linux, target, device })
}

fn without_bundle(session: Session<'_>, via: ViaUsed) -> Result<Resolved> {
    let config = &session.flasher.config;
    let board = config.board.as_deref().map(bundle::board).transpose()?;
    session.run.record.board(|facts| facts.name.clone_from(&config.board));
    let (target, device) = target(config, via, session.job.target.as_deref())?;
    Ok(Resolved { boots: None, board, via, target, device })
}

/// Name and device of the target that is wanted, out of the config.
fn target(config: &FlasherConfig, via: ViaUsed, wanted: Option<&str>) -> Result<(String, String)> {
    let names = || config.targets_of(via).map(|(name, _)| name);
    if names().next().is_none() {
        return Err(no_targets(via));
    }
    let wanted = match wanted.or(config.default_target.as_deref()) {
        Some(wanted) => wanted,
        None if names().count() == 1 => names().next().unwrap_or_default(),
        None => {
            return Err(Error::config("the flasher's config has several `targets` and no `default_target`")
                .with("targets", suggest::list(names()))
                .help("name one with `--target`, or set `default_target`"));
        }
    };
    match config.targets_of(via).find(|(name, _)| *name == wanted) {
        Some((name, device)) => Ok((name.to_owned(), device.to_owned())),
        None => {
            let hint = suggest::nearest(wanted, names());
            let hint = hint.map(|nearest| format!("did you mean `{nearest}`? ")).unwrap_or_default();
            Err(Error::config(format!("unknown target `{wanted}`"))
                .help(format!("{hint}the flasher's config has: {}", suggest::list(names()))))
        }
    }
}

/// The error of a config without a target of this way.
fn no_targets(via: ViaUsed) -> Error {
    match via {
        ViaUsed::Host => Error::config("the flasher's config names no medium of this machine in `targets`")
            .help("name it by a path that stays, for example `targets: {sd: /dev/disk/by-path/…}`"),
        _ => Error::config("the flasher's config names no `targets`, so the boot loader has nothing to write")
            .help("name them as U-Boot does, for example `targets: {emmc: mmc 1}`, or take `via: linux` with a bundle"),
    }
}

impl Resolved {
    /// Which way it is.
    pub(crate) fn via(&self) -> ViaUsed {
        self.via
    }

    /// The files that are loaded and booted.
    pub(crate) fn files(&self) -> Option<&Files> {
        self.boots.as_ref().map(|boots| &boots.files)
    }

    /// What is booted, as clients get it described.
    pub(crate) fn description(&self) -> Option<&Description> {
        self.boots.as_ref().map(|boots| &boots.description)
    }

    /// How to log in to the small Linux.
    pub(crate) fn login(&self) -> Login {
        self.spec().map(|spec| spec.login.clone()).unwrap_or_default()
    }

    /// What the small Linux prints to ask for a user name: a sign that the boot loader was missed.
    pub(crate) fn login_prompt(&self) -> Option<&str> {
        self.spec().map(|spec| spec.login.login_prompt.as_str())
    }

    /// What stops the boot loader's countdown.
    pub(crate) fn interrupt(&self) -> Option<&Interrupt> {
        self.spec()?.interrupt.as_ref()
    }

    /// The text that the new system shows once it has booted.
    pub(crate) fn expect_boot(&self) -> Option<&str> {
        self.spec()?.expect_boot.as_deref()
    }

    /// The shell commands that the small Linux runs before it writes.
    pub(crate) fn preflash(&self) -> &[String] {
        self.boots.as_ref().map_or(&[], |boots| &boots.bundle.manifest().spec.preflash_commands)
    }

    /// Whether the boot loader can lie in the first block of the medium.
    pub(crate) fn medium_holds_bootloader(&self, session: Session<'_>) -> bool {
        session.flasher.config.medium_holds_bootloader
            || self.spec().is_some_and(|spec| spec.medium_holds_bootloader)
    }

    fn spec(&self) -> Option<&Spec> {
        let booted = self.boots.as_ref().map(|boots| boots.bundle.manifest());
        booted.or(self.board.as_ref()).map(|manifest| &manifest.spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(targets: &[(&str, &str)], default: Option<&str>) -> FlasherConfig {
        let targets = targets.iter().map(|(name, device)| ((*name).to_owned(), (*device).to_owned()));
        FlasherConfig {
            targets: targets.collect(),
            default_target: default.map(str::to_owned),
            ..FlasherConfig::default()
        }
    }

    #[test]
    fn targets_of_the_boot_loader() {
        let check = |config: &FlasherConfig, wanted: Option<&str>, expected: Result<(&str, &str), &str>| {
            let found = target(config, ViaUsed::Uboot, wanted).map_err(|error| error.cause());
            let expected = expected.map(|(name, device)| (name.to_owned(), device.to_owned()));
            assert_eq!(found, expected.map_err(str::to_owned));
        };
        let one = config(&[("emmc", "mmc 1")], None);
        check(&one, None, Ok(("emmc", "mmc 1")));
        check(&one, Some("emc"), Err("unknown target `emc`"));
        let two = [("emmc", "mmc 1"), ("nvme", "nvme 0")];
        check(
            &config(&two, None),
            None,
            Err("the flasher's config has several `targets` and no `default_target`"),
        );
        check(&config(&two, Some("nvme")), None, Ok(("nvme", "nvme 0")));
        check(&config(&two, Some("nvme")), Some("emmc"), Ok(("emmc", "mmc 1")));
        let both = config(&[("emmc", "mmc 1"), ("sd", "/dev/disk/by-path/usb-1")], None);
        check(&both, None, Ok(("emmc", "mmc 1")));
        let here = target(&both, ViaUsed::Host, None).unwrap();
        assert_eq!(here, ("sd".to_owned(), "/dev/disk/by-path/usb-1".to_owned()));
        let error = target(&config(&two, None), ViaUsed::Host, None).unwrap_err();
        assert_eq!(error.cause(), "the flasher's config names no medium of this machine in `targets`");
        let none = "the flasher's config names no `targets`, so the boot loader has nothing to write";
        check(&config(&[], None), Some("emmc"), Err(none));
    }
}
