//! Where an image of a remote flash may come from.

use flasher_core::{Error, Result};

/// Whether the exporter fetches the image by itself.
pub(super) fn is_url(image: &str) -> bool {
    image.starts_with("http://") || image.starts_with("https://")
}

/// Refuses an image that is neither a URL the exporter fetches nor a file of this machine.
pub(super) fn refuse_other(image: &str) -> Result<()> {
    let what = match image.split_once("://") {
        Some(_) if is_url(image) => return Ok(()),
        Some((scheme, _)) => format!("images by `{scheme}://`"),
        None if image == "-" => "an image on standard input".to_owned(),
        None => return Ok(()),
    };
    Err(Error::config(format!("an exporter does not take {what}: `{}`", disk_image::redact(image))).help(
        "give a file of this machine, or a URL with http:// or https://; or flash on the exporter's machine",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_remote_images_are_refused() {
        let check = |image: &str| refuse_other(image).map_err(|error| error.to_string());
        assert_eq!((check("os.img"), check("a:b/os.img")), (Ok(()), Ok(())));
        let expected = "an exporter does not take images by `oci://`: `oci://***@host/os:1`";
        assert_eq!(check("oci://user:hunter2@host/os:1"), Err(expected.to_owned()));
        let expected = "an exporter does not take an image on standard input: `-`";
        assert_eq!(check("-"), Err(expected.to_owned()));
    }
}
