//! Arguments to a flash job. Secrets are checked here and never printed, also when they are wrong.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flasher_core::flash::PartitionImage;
use flasher_core::{CancellationToken, Error, FlashJob, Result};

use crate::commands::flash::args::FlashArgs;

/// Longest bearer token, bytes.
const LONGEST_BEARER: usize = 4096;

/// The job that `args` ask for, stopped by `stop`.
///
/// # Errors
/// When a header or the bearer token is malformed.
pub(crate) fn flash_job(args: &FlashArgs, stop: CancellationToken) -> Result<FlashJob> {
    let headers = args.headers.iter().enumerate().map(|(index, text)| header(index + 1, text));
    let headers = headers.collect::<Result<Vec<_>>>()?;
    let bearer = args.bearer_file.as_deref().map(bearer).transpose()?;
    if bearer.is_some() && headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
        return Err(Error::config("`--bearer-file` and a header `Authorization` exclude each other")
            .help("give one of them"));
    }
    let (image, partition, also) = images(args);
    Ok(FlashJob {
        partition,
        also,
        preflash: args.preflash.clone(),
        target: args.target.clone(),
        headers,
        bearer,
        cacert: args.cacert.clone(),
        insecure: args.insecure,
        sha256: args.sha256.clone(),
        source: args.source.choices(),
        format: args.source.format.into(),
        wipe_old_table: args.wipe_old_table,
        keep: args.keep.clone(),
        retries: args.job.retries,
        deadline: args.job.deadline,
        power_off: !args.job.no_power_off,
        expect_boot: args.expect_boot.clone(),
        verify: args.verify.into(),
        check_first: args.check_first,
        compare: args.way.compare.map(Into::into),
        wire: args.way.wire.map(Into::into),
        via: args.way.via.map(Into::into),
        direct: args.way.direct,
        transcript: args.job.transcript.clone(),
        recording: args.record.clone(),
        stop,
        ..FlashJob::new(image)
    })
}

/// The first image, its partition, and the images for further partitions.
fn images(args: &FlashArgs) -> (String, Option<String>, Vec<PartitionImage>) {
    match (&args.image, args.partitions.split_first()) {
        (None, Some((first, also))) => (first.image.clone(), Some(first.label.clone()), also.to_vec()),
        (image, _) => (image.clone().unwrap_or_default(), None, Vec::new()),
    }
}

/// One `--header`, the `number`th. The message says nothing of its text: any part of it may be the secret.
fn header(number: usize, text: &str) -> Result<(String, String)> {
    let wrong = |what: &str| {
        Error::config(format!("header {number} {what} (not shown: it may be secret)"))
            .help("give it as `--header 'Name: value'`; the name is an RFC 7230 token, the value one line")
    };
    let (name, value) = text.split_once(':').ok_or_else(|| wrong("has no colon"))?;
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(wrong("has a name that is no token"));
    }
    let value = value.trim_matches([' ', '\t']);
    if value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
        return Err(wrong("has a control character in its value"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// `tchar` of RFC 7230, section 3.2.6.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn bearer(path: &Path) -> Result<String> {
    let unreadable = |error: std::io::Error| {
        Error::config(format!("cannot read the bearer file `{}`", path.display())).because(error)
    };
    let mut text = Vec::new();
    let bound = LONGEST_BEARER as u64 + 3; // a token, its line end, and one byte too many
    File::open(path).and_then(|file| file.take(bound).read_to_end(&mut text)).map_err(unreadable)?;
    let text = text.trim_ascii_end();
    let what = match text {
        [] => "is empty",
        _ if text.len() > LONGEST_BEARER => "is longer than 4096 bytes",
        _ if !text.iter().all(u8::is_ascii_graphic) => {
            "has something else than printable ASCII without spaces"
        }
        _ => return Ok(text.iter().map(|byte| char::from(*byte)).collect()),
    };
    Err(Error::config(format!("the token in `{}` {what}", path.display()))
        .help("the file holds the token alone, at most 4096 characters on one line, without `Bearer`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn headers_are_name_and_value() {
        let good = [
            ("Authorization: Basic eA==", ("Authorization", "Basic eA==")),
            ("X-Empty:", ("X-Empty", "")),
            ("a:\tb: c \t", ("a", "b: c")),
        ];
        for (text, (name, value)) in good {
            assert_eq!(header(1, text).unwrap(), (name.to_owned(), value.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_malformed_header_is_refused_and_not_shown() {
        let bad = [
            ("s3cret", "header 2 has no colon (not shown: it may be secret)"),
            (": s3cret", "header 2 has a name that is no token (not shown: it may be secret)"),
            ("s3cret x: y", "header 2 has a name that is no token (not shown: it may be secret)"),
            (
                "X: s3cret\r\nHost: evil",
                "header 2 has a control character in its value (not shown: it may be secret)",
            ),
        ];
        for (text, expected) in bad {
            let error = header(2, text).unwrap_err();
            assert_eq!(error.to_string(), expected);
            assert!(!format!("{error:?} {:?}", error.next_step()).contains("s3cret"), "{text}");
        }
    }

    #[test]
    fn a_bearer_file_holds_one_token() {
        let check = |content: &[u8]| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(content).unwrap();
            bearer(file.path())
                .map_err(|error| error.to_string().replace(&file.path().display().to_string(), "FILE"))
        };
        let longest = "x".repeat(LONGEST_BEARER);
        assert_eq!(check(b"abc.def\n"), Ok("abc.def".to_owned()));
        assert_eq!(check(format!("{longest}\r\n").as_bytes()), Ok(longest.clone()));
        let bad: [(&[u8], &str); 5] = [
            (b"", "the token in `FILE` is empty"),
            (b"\n", "the token in `FILE` is empty"),
            (format!("{longest}x").leak().as_bytes(), "the token in `FILE` is longer than 4096 bytes"),
            (b"abc\r\nX: y", "the token in `FILE` has something else than printable ASCII without spaces"),
            (
                "s\u{fc}\u{df}".as_bytes(),
                "the token in `FILE` has something else than printable ASCII without spaces",
            ),
        ];
        for (content, expected) in bad {
            assert_eq!(check(content).unwrap_err(), expected);
        }
    }
}
