//! Step 1: the way to the medium is chosen; bundle, manifest, variant and target are looked up. No hardware yet.

use std::sync::Arc;

use bundle_store::{Bundle, Files, Interrupt, Login, Manifest, Spec};
use flasher_core::flash::ViaUsed;
use flasher_core::{Description, Error, FlasherBundle, Result, suggest};

use crate::access::uboot::BlockDevice;
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
        via => without_bundle(session, via).await,
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

async fn without_bundle(session: Session<'_>, via: ViaUsed) -> Result<Resolved> {
    let config = &session.flasher.config;
    let board = manifest(session, via).await?;
    session.run.record.board(|facts| facts.name.clone_from(&config.board));
    let (target, device) = target(config, board.as_ref(), via, session.job.target.as_deref())?;
    Ok(Resolved { boots: None, board, via, target, device })
}

/// What is known of the board: the manifest that this build has for it, or that of the bundle where only it can name the media.
async fn manifest(session: Session<'_>, via: ViaUsed) -> Result<Option<Manifest>> {
    let flasher = session.flasher;
    let board = flasher.config.board.as_deref().map(bundle::board).transpose()?;
    let names_media = board.as_ref().is_some_and(|board| !board.spec.uboot.is_empty());
    let has_bundle = flasher.source().0.flasher_bundle.is_some();
    let is_named = names_media || flasher.config.targets_of(via).next().is_some();
    if via != ViaUsed::Uboot || is_named || !has_bundle {
        return Ok(board);
    }
    Ok(Some(flasher.bundle().await?.manifest().clone()))
}

/// Name and device of the target that is wanted: out of the config, else out of what the board's manifest has for its boot loader.
fn target(
    config: &FlasherConfig,
    board: Option<&Manifest>,
    via: ViaUsed,
    wanted: Option<&str>,
) -> Result<(String, String)> {
    let of_config: Vec<(&str, &str)> = config.targets_of(via).collect();
    let of_manifest =
        board.filter(|_| of_config.is_empty() && via == ViaUsed::Uboot).map(|board| &board.spec);
    let (targets, whose) = match of_manifest {
        Some(spec) => (
            spec.uboot.iter().map(|(name, device)| (name.as_str(), device.as_str())).collect(),
            "the manifest's `uboot`",
        ),
        None => (of_config, "the flasher's config"),
    };
    let names = || targets.iter().map(|(name, _)| *name);
    if targets.is_empty() {
        return Err(no_targets(via));
    }
    let default = of_manifest.and_then(|spec| spec.default_target.as_deref());
    let default = default.filter(|default| names().any(|name| name == *default));
    let wanted = match wanted.or(config.default_target.as_deref()).or(default) {
        Some(wanted) => wanted,
        None if targets.len() == 1 => names().next().unwrap_or_default(),
        None => {
            return Err(Error::config(format!("{whose} has several `targets` and no `default_target`"))
                .with("targets", suggest::list(names()))
                .help("name one with `--target`, or set `default_target`"));
        }
    };
    let Some((_, device)) = targets.iter().find(|(name, _)| *name == wanted) else {
        let hint = suggest::nearest(wanted, names());
        let hint = hint.map(|nearest| format!("did you mean `{nearest}`? ")).unwrap_or_default();
        return Err(Error::config(format!("unknown target `{wanted}`"))
            .help(format!("{hint}{whose} has: {}", suggest::list(names()))));
    };
    if of_manifest.is_some() {
        device.parse::<BlockDevice>().map_err(|error| error.with("target", wanted.to_owned()))?;
    }
    Ok((wanted.to_owned(), (*device).to_owned()))
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
            let found = target(config, None, ViaUsed::Uboot, wanted).map_err(|error| error.cause());
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
        let here = target(&both, None, ViaUsed::Host, None).unwrap();
        assert_eq!(here, ("sd".to_owned(), "/dev/disk/by-path/usb-1".to_owned()));
        let error = target(&config(&two, None), None, ViaUsed::Host, None).unwrap_err();
        assert_eq!(error.cause(), "the flasher's config names no medium of this machine in `targets`");
        let none = "the flasher's config names no `targets`, so the boot loader has nothing to write";
        check(&config(&[], None), Some("emmc"), Err(none));
    }

    /// A manifest whose boot loader writes these media.
    fn manifest(uboot: &str, default: &str) -> Manifest {
        let text = format!(
            "metadata: {{ name: m }}\nspec:\n  manufacturer: M\n  bootcmd: booti\n  default_target: {default}\n  \
             targets: {{ emmc: /dev/mmcblk0, sd: /dev/mmcblk1 }}\n  uboot: {uboot}\n  \
             kernel: {{ file: k, address: \"0x1000\" }}\n"
        );
        Manifest::parse(&text, "manifest.yaml").unwrap().0
    }

    #[test]
    fn a_manifest_names_media_where_the_config_does_not() {
        let check = |config: &FlasherConfig, board: &Manifest, expected: Result<(&str, &str), &str>| {
            let found = target(config, Some(board), ViaUsed::Uboot, None).map_err(|error| error.cause());
            let expected = expected.map(|(name, device)| (name.to_owned(), device.to_owned()));
            assert_eq!(found, expected.map_err(str::to_owned));
        };
        let (none, one) = (config(&[], None), config(&[("emmc", "mmc 1")], None));
        let board = manifest("{ emmc: mmc 0, sd: mmc 1 }", "sd");
        check(&none, &board, Ok(("sd", "mmc 1")));
        check(&config(&[], Some("emmc")), &board, Ok(("emmc", "mmc 0")));
        check(&one, &board, Ok(("emmc", "mmc 1")));
        let odd = manifest("{ card: mmc 1, disk: /dev/sda }", "emmc");
        let several = "the manifest's `uboot` has several `targets` and no `default_target`";
        check(&none, &odd, Err(several));
        let error = target(&none, Some(&odd), ViaUsed::Uboot, Some("disk")).unwrap_err().cause();
        assert!(error.contains("`/dev/sda` is no block device of U-Boot"), "{error}");
        assert!(target(&none, Some(&board), ViaUsed::Host, None).is_err(), "they are none of this machine's");
    }
}
