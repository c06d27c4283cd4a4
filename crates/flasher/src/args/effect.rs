//! Which option has an effect in which job. One without any is refused: the user who gave it expects something of it.

use flasher_core::{Error, Result};

use super::given::GivenOption;
use super::{Args, Command};
use crate::commands::flash::args::FlashArgs;

#[cfg(test)]
mod tests;

/// When an option has an effect in a job on this machine.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    /// An image comes over http(s).
    Http,
    /// The image, its block map or its checksums come over http(s) or out of a bucket.
    Fetched,
    /// The same, or the image comes out of a registry.
    Trusted,
    /// Decoded images are kept.
    Cached,
}

/// Whether an option goes along to an exporter with `--remote`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Remote {
    Goes,
    /// It cannot, and why.
    Stays(&'static str),
}

const OUTLIVES: Remote = Remote::Stays("a flash on an exporter goes on by itself when its client ends");
const NOT_KEPT: Remote = Remote::Stays("an exporter keeps no decoded images of its clients");

const STAYS_THERE: Remote = Remote::Stays(
    "an exporter keeps the recordings of failures itself, as `record_failures` of its flasher says",
);

/// An option by its name in clap, when it has an effect, and whether it goes along.
type Row = (&'static str, When, Remote);

/// Options of `flash` and `plan`.
const FLASH: &[Row] = &[
    ("image", When::Always, Remote::Goes),
    ("jobs", When::Always, Remote::Goes),
    ("keep_going", When::Always, Remote::Goes),
    ("fail_fast", When::Always, Remote::Goes),
    ("partitions", When::Always, Remote::Goes),
    ("target", When::Always, Remote::Goes),
    ("variant", When::Always, Remote::Goes),
    ("preflash", When::Always, Remote::Goes),
    ("wipe_old_table", When::Always, Remote::Goes),
    ("keep", When::Always, Remote::Goes),
    ("format", When::Always, Remote::Goes),
    ("sha256", When::Always, Remote::Goes),
    ("verify", When::Always, Remote::Goes),
    ("check_first", When::Always, Remote::Goes),
    ("expect_boot", When::Always, Remote::Goes),
    ("receipt", When::Always, Remote::Goes),
    ("no_ledger", When::Always, Remote::Goes),
    ("transcript", When::Always, Remote::Goes),
    ("record", When::Always, STAYS_THERE),
    ("retries", When::Always, Remote::Goes),
    ("deadline", When::Always, Remote::Goes),
    ("detach", When::Always, OUTLIVES),
    ("in_job", When::Always, OUTLIVES),
    ("power_off", When::Always, Remote::Goes),
    ("no_power_off", When::Always, Remote::Goes),
    ("bmap", When::Always, Remote::Goes),
    ("no_bmap", When::Always, Remote::Goes),
    // Without a block map in use the image is refused when it is opened.
    ("bmap_keyring", When::Always, Remote::Goes),
    ("checksum_url", When::Always, Remote::Goes),
    ("no_checksum", When::Always, Remote::Goes),
    ("length", When::Always, Remote::Goes),
    ("cache_dir", When::Cached, NOT_KEPT),
    ("cache_size", When::Cached, NOT_KEPT),
    ("no_cache", When::Always, NOT_KEPT),
    ("via", When::Always, Remote::Goes),
    ("compare", When::Always, Remote::Goes),
    ("wire", When::Always, Remote::Goes),
    ("direct", When::Always, Remote::Goes),
    ("headers", When::Http, Remote::Goes),
    ("bearer_file", When::Http, Remote::Goes),
    ("cacert", When::Trusted, Remote::Goes),
    ("insecure", When::Fetched, Remote::Goes),
];

/// Options of `dump`.
const DUMP: &[Row] = &[
    ("out", When::Always, Remote::Goes),
    ("jobs", When::Always, Remote::Goes),
    ("keep_going", When::Always, Remote::Goes),
    ("fail_fast", When::Always, Remote::Goes),
    ("via", When::Always, Remote::Goes),
    ("target", When::Always, Remote::Goes),
    ("partition", When::Always, Remote::Goes),
    ("variant", When::Always, Remote::Goes),
    ("preflash", When::Always, Remote::Goes),
    ("verify", When::Always, Remote::Goes),
    ("receipt", When::Always, Remote::Goes),
    ("no_ledger", When::Always, Remote::Goes),
    ("transcript", When::Always, Remote::Goes),
    ("retries", When::Always, Remote::Goes),
    ("deadline", When::Always, Remote::Goes),
    ("power_off", When::Always, Remote::Goes),
    ("no_power_off", When::Always, Remote::Goes),
];

/// Refuses options that were given and have no effect.
///
/// # Errors
/// The first of them, and why.
pub(crate) fn check(args: &Args) -> Result<()> {
    let remote = args.remote.option();
    match &args.command {
        // A plan is what `flash` with the same options would do.
        Command::Flash(flash) | Command::Plan(flash) => {
            args.given.iter().try_for_each(|given| one(given, FLASH, Some(flash), remote))
        }
        Command::Power { force: true, .. } => match remote {
            Some(way) => Err(Error::config(format!(
                "`--force` does not go through `{way}`: an exporter guards its boards itself"
            ))
            .help("leave it out, or run `flasher power` on the machine that has the board")),
            None => Ok(()),
        },
        Command::Serve(serve) => serve.check(),
        Command::Dump(_) => args.given.iter().try_for_each(|given| one(given, DUMP, None, remote)),
        _ => Ok(()),
    }
}

fn one(given: &GivenOption, table: &[Row], flash: Option<&FlashArgs>, way: Option<&str>) -> Result<()> {
    let option = &given.option;
    let Some((_, when, goes)) = table.iter().find(|(id, ..)| *id == given.id) else { return Ok(()) };
    if let (Some(way), Remote::Stays(why)) = (way, goes) {
        return Err(Error::config(format!("`{option}` does not go through `{way}`: {why}"))
            .help("leave it out, or run `flasher flash` on the machine that has the board"));
    }
    let why = flash.and_then(|flash| in_vain(*when, flash));
    why.map_or(Ok(()), |why| {
        Err(Error::config(format!("`{option}` has no effect: {why}")).help("leave it out"))
    })
}

/// Why such an option has no effect in this job.
fn in_vain(when: When, flash: &FlashArgs) -> Option<&'static str> {
    let also = flash.partitions.iter().map(|also| also.image.as_str());
    let images: Vec<&str> = flash.image.as_deref().into_iter().chain(also).collect();
    let companions = [&flash.source.bmap, &flash.source.checksum_url].into_iter().flatten();
    let any = |schemes: &[&str]| images.iter().any(|image| comes_by(image, schemes));
    let is_fetched = any(&["http", "https", "s3"])
        || companions.into_iter().any(|place| comes_by(place, &["http", "https", "s3"]));
    match when {
        When::Http if !any(&["http", "https"]) => Some("no image comes over http or https"),
        When::Fetched if !is_fetched => Some("nothing is fetched over https"),
        When::Trusted if !is_fetched && !any(&["oci"]) => Some("nothing is fetched over https"),
        When::Cached if flash.source.no_cache => Some("`--no-cache` keeps nothing"),
        _ => None,
    }
}

fn comes_by(place: &str, schemes: &[&str]) -> bool {
    place.split_once("://").is_some_and(|(own, _)| schemes.iter().any(|it| own.eq_ignore_ascii_case(it)))
}
