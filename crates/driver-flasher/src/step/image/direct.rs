//! What a board is allowed and able to fetch by itself (`--direct`).

use flasher_core::source::BlockMapChoice;
use flasher_core::{Error, FlashJob, Result};

/// A job whose image the board cannot fetch by itself is refused before power on. No secret goes to the board.
pub(super) fn check(job: &FlashJob) -> Result<()> {
    let refused = |text: &str| Err(Error::config(text).help("flash without `--direct`"));
    let Some((_, rest)) =
        job.image.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"))
    else {
        return refused("`--direct` takes an http(s) URL, which the board fetches itself");
    };
    let host = rest.split('/').next().unwrap_or_default();
    if host.contains('@') || job.image.contains(['?', '#']) || !job.headers.is_empty() || job.bearer.is_some()
    {
        return refused("`--direct` would show the board a password, a signed URL, a header or a token");
    }
    if !job.also.is_empty() || matches!(job.source.block_map, BlockMapChoice::At(_)) {
        return refused("`--direct` writes one image, all of it: no further partitions and no block map");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use flasher_core::Class;
    use flasher_core::flash::PartitionImage;

    use super::*;

    #[test]
    fn what_the_board_cannot_fetch_or_must_not_see_is_refused() {
        let good = || FlashJob::new("http://h/os.img.xz");
        let secrets = "`--direct` would show the board a password, a signed URL, a header or a token";
        let whole = "`--direct` writes one image, all of it: no further partitions and no block map";
        let url = "`--direct` takes an http(s) URL, which the board fetches itself";
        let mut mapped = good();
        mapped.source.block_map = BlockMapChoice::At("os.bmap".into());
        let also = vec![PartitionImage { label: "root".into(), image: "http://h/root".into() }];
        for (job, expected) in [
            (good(), None),
            (FlashJob::new("https://h:8443/a/os.img"), None),
            (FlashJob::new("os.img"), Some(url)),
            (FlashJob::new("-"), Some(url)),
            (FlashJob::new("s3://bucket/os.img"), Some(url)),
            (FlashJob::new("http://user:hunter2@h/os.img"), Some(secrets)),
            (FlashJob::new("http://h/os.img?X-Signature=hunter2"), Some(secrets)),
            (FlashJob { headers: vec![("X-Token".into(), "hunter2".into())], ..good() }, Some(secrets)),
            (FlashJob { bearer: Some("hunter2".into()), ..good() }, Some(secrets)),
            (FlashJob { also, ..good() }, Some(whole)),
            (mapped, Some(whole)),
        ] {
            let found = check(&job).err();
            assert_eq!(found.as_ref().map(|error| error.cause()).as_deref(), expected);
            assert!(found.is_none_or(|error| error.class() == Class::Config));
        }
    }
}
