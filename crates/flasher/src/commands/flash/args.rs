//! What `flash` and `plan` take.

pub(crate) mod source;
pub(crate) mod way;

use std::path::PathBuf;

use clap::Args as ClapArgs;
use flasher_core::flash::PartitionImage;

use crate::args::job::{JobArgs, VerifyChoice};
use crate::args::node::{BoardsArgs, SeveralArgs};
use source::SourceArgs;
use way::WayArgs;

/// What `flash` and `plan` take. No `Debug`: `headers` are secrets.
#[derive(ClapArgs)]
pub(crate) struct FlashArgs {
    /// Image: a file, an http(s):// or s3:// URL, oci://REGISTRY/REPOSITORY:TAG#TITLE, or `-` for standard input; its
    /// format is recognised by its content, never by its name
    #[arg(required_unless_present = "partitions")]
    pub(crate) image: Option<String>,
    /// Image for the partition of the target that has this label, in place of one for the whole device; may be given
    /// several times: the images are written one after the other, without a power cycle between
    #[arg(short = 't', long = "partition", value_name = "LABEL:IMAGE", value_parser = partition, conflicts_with = "image")]
    pub(crate) partitions: Vec<PartitionImage>,
    /// Target of the manifest; its default when not given
    #[arg(long, value_name = "NAME")]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) boards: BoardsArgs,
    #[command(flatten)]
    pub(crate) several: SeveralArgs,
    /// Device-tree variant of the bundle
    #[arg(long, value_name = "NAME")]
    pub(crate) variant: Option<String>,
    /// Command to run on the board before its target is looked at; may be given several times; must succeed; no secrets
    #[arg(long, value_name = "CMD")]
    pub(crate) preflash: Vec<String>,

    /// Remove the copy of an older partition table (GPT) that an image shorter than the medium leaves at its end
    #[arg(long, conflicts_with = "partitions")]
    pub(crate) wipe_old_table: bool,
    /// Leave the partition with this label as it is; the image must have it at the same place; may be given several times
    #[arg(long, value_name = "LABEL", conflicts_with_all = ["partitions", "direct"])]
    pub(crate) keep: Vec<String>,

    /// SHA-256 that the source or the decoded image must have
    #[arg(long, value_name = "HEX", value_parser = sha256, help_heading = "Proof")]
    pub(crate) sha256: Option<String>,
    /// How much of the medium is read back; only all of it ends proven
    #[arg(long, value_enum, value_name = "HOW", default_value = "full", help_heading = "Proof")]
    pub(crate) verify: VerifyChoice,
    /// Decode the whole image before power on
    #[arg(long, help_heading = "Proof")]
    pub(crate) check_first: bool,
    /// Boot the new system and wait for this text (a regular expression) on the console
    #[arg(long, value_name = "RE", help_heading = "Proof")]
    pub(crate) expect_boot: Option<String>,
    #[command(flatten)]
    pub(crate) job: JobArgs,
    /// Keep what the job sees of the board, for `flasher replay`; those of failures are kept anyway
    #[arg(long, value_name = "FILE", help_heading = "Proof")]
    pub(crate) record: Option<PathBuf>,
    /// Run on without this terminal, also when it is closed; prints the job's ID for `attach` and `cancel`
    #[arg(long, help_heading = "Persistence")]
    pub(crate) detach: bool,
    /// The folder of the job that this process runs without a terminal
    #[arg(long, value_name = "FOLDER", hide = true, conflicts_with = "detach")]
    pub(crate) in_job: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) way: WayArgs,

    /// Extra request header for an http(s) image; may be given several times; never printed
    #[arg(long = "header", value_name = "K: V", help_heading = "Image from the network")]
    pub(crate) headers: Vec<String>,
    /// File with the bearer token for an http(s) image; never printed
    #[arg(long, value_name = "FILE", help_heading = "Image from the network")]
    pub(crate) bearer_file: Option<PathBuf>,
    /// PEM file with the CA of the image's server
    #[arg(long, value_name = "FILE", help_heading = "Image from the network")]
    pub(crate) cacert: Option<PathBuf>,
    /// Accept any certificate of the image's server
    #[arg(short = 'k', long, help_heading = "Image from the network")]
    pub(crate) insecure: bool,
}

/// `LABEL:IMAGE`; the image may have colons of its own.
fn partition(text: &str) -> Result<PartitionImage, String> {
    match text.split_once(':') {
        Some((label, image)) if !label.is_empty() && !image.is_empty() => {
            Ok(PartitionImage { label: label.to_owned(), image: image.to_owned() })
        }
        _ => Err("expected `LABEL:IMAGE`, for example `root:root.img.xz`".to_owned()),
    }
}

fn sha256(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    let is_digest = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest
        .then(|| digits.to_lowercase())
        .ok_or_else(|| "expected 64 hex digits, as `sha256sum` prints them".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Args;

    #[test]
    fn a_partition_is_named_before_its_image() {
        let of = |label: &str, image: &str| Ok(PartitionImage { label: label.into(), image: image.into() });
        assert_eq!(partition("root:a.img.xz"), of("root", "a.img.xz"));
        assert_eq!(partition("my data:https://h:1/x?a:b"), of("my data", "https://h:1/x?a:b"));
        for wrong in ["root", ":a.img", "root:", ""] {
            assert!(partition(wrong).is_err(), "{wrong}");
        }
        let parse = |text: &str| Args::try_parse_from(text.split(' ')).is_ok();
        assert!(parse("flasher flash -t boot:a -t root:b") && parse("flasher flash a"));
        assert!(!parse("flasher flash a -t root:b") && !parse("flasher flash"));
    }

    #[test]
    fn a_digest_is_64_hex_digits() {
        let digest = "A".repeat(64);
        assert_eq!(sha256(&digest), Ok("a".repeat(64)));
        assert_eq!(sha256(&format!("sha256:{digest}")), Ok("a".repeat(64)));
        for wrong in ["", "abc", &"g".repeat(64), &"a".repeat(65)] {
            assert!(sha256(wrong).is_err(), "{wrong}");
        }
    }
}
