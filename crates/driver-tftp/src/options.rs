//! Option negotiation: RFC 2347, 2348, 2349, 7440.

use std::fmt;

use crate::packet::{Code, FileRequest, Mode, Refusal, option_ack};

/// Smallest and largest block size of RFC 2348, bytes.
pub(crate) const BLKSIZES: std::ops::RangeInclusive<u16> = 8..=65464;
/// Block size without the option, bytes.
const PLAIN_BLKSIZE: u16 = 512;
/// Most bytes of one window, so that the memory of all transfers is bounded.
const WINDOW_BYTES: u64 = 256 * 1024;

/// The most the server agrees to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) blksize: u16,
    pub(crate) windowsize: u16,
}

/// What a transfer goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Agreed {
    pub(crate) blksize: u16,
    pub(crate) windowsize: u16,
    accepted: Vec<(String, String)>,
}

impl Agreed {
    /// Whether the client got the length of the file.
    pub(crate) fn tells_size(&self) -> bool {
        self.accepted.iter().any(|(name, _)| name == "tsize")
    }

    /// The OACK, when any option was accepted.
    pub(crate) fn option_ack(&self) -> Option<Vec<u8>> {
        let options = self.accepted.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        (!self.accepted.is_empty()).then(|| option_ack(options))
    }
}

/// For people: `blksize 1468, windowsize 16`.
impl fmt::Display for Agreed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blksize {}, windowsize {}", self.blksize, self.windowsize)
    }
}

/// Agrees on the options of `request` for a file of `length` bytes.
///
/// Options that are unknown, or whose value makes no sense, are left out of the OACK, as is `timeout`: see the crate's
/// documentation. A block size over the limit is answered with the limit.
///
/// # Errors
/// ERROR 8 when an option is given twice.
pub(crate) fn negotiate(request: &FileRequest, length: u64, limits: Limits) -> Result<Agreed, Refusal> {
    let mut agreed = Agreed { blksize: PLAIN_BLKSIZE, windowsize: 1, accepted: Vec::new() };
    let blksize = asked(request, "blksize")?.filter(|size| *size >= u64::from(*BLKSIZES.start()));
    if let Some(asked) = blksize {
        agreed.blksize = at_most(asked, limits.blksize);
    }
    let windowsize = asked(request, "windowsize")?.filter(|size| *size >= 1);
    if let Some(asked) = windowsize {
        let affordable = (WINDOW_BYTES / u64::from(agreed.blksize)).max(1);
        agreed.windowsize = at_most(asked.min(affordable), limits.windowsize);
    }
    // The length after netascii translation is not known without translating.
    let tsize = asked(request, "tsize")?.filter(|_| request.mode == Some(Mode::Octet));
    for (name, _) in &request.options {
        let value = match name.as_str() {
            "blksize" if blksize.is_some() => u64::from(agreed.blksize),
            "windowsize" if windowsize.is_some() => u64::from(agreed.windowsize),
            "tsize" if tsize.is_some() => length,
            _ => continue,
        };
        agreed.accepted.push((name.clone(), value.to_string()));
    }
    Ok(agreed)
}

/// The value of an option when it is there and a decimal number.
fn asked(request: &FileRequest, name: &str) -> Result<Option<u64>, Refusal> {
    let mut values = request.options.iter().filter(|(found, _)| found == name).map(|(_, value)| value);
    let value = values.next();
    if values.next().is_some() {
        return Err(Refusal::new(Code::OptionRefused, format!("option {name} given twice")));
    }
    Ok(value
        .filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|value| value.parse().ok()))
}

fn at_most(asked: u64, limit: u16) -> u16 {
    u16::try_from(asked).unwrap_or(u16::MAX).min(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Block size, window size and OACK; or the refusal's text.
    type Expected = Result<(u16, u16, &'static str), &'static str>;

    fn check(mode: Mode, limits: (u16, u16), options: &[(&str, &str)], expected: Expected) {
        let asked = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let request = FileRequest { file: b"f".to_vec(), mode: Some(mode), options: asked };
        let limits = Limits { blksize: limits.0, windowsize: limits.1 };
        let found = negotiate(&request, 1_000_000, limits).map(|agreed| {
            let ack =
                agreed.option_ack().map(|packet| String::from_utf8_lossy(&packet[2..]).replace('\0', " "));
            (agreed.blksize, agreed.windowsize, ack.unwrap_or_default())
        });
        let expected = expected.map(|(blksize, windowsize, ack)| (blksize, windowsize, ack.to_owned()));
        assert_eq!(found.map_err(|refusal| refusal.text), expected.map_err(str::to_owned), "{options:?}");
    }

    #[test]
    fn options_are_agreed_on_within_the_limits() {
        let cases: &[(&[(&str, &str)], Expected)] = &[
            (&[], Ok((512, 1, ""))),
            (&[("blksize", "1468")], Ok((1468, 1, "blksize 1468 "))),
            (&[("blksize", "512")], Ok((512, 1, "blksize 512 "))),
            (&[("blksize", "8")], Ok((8, 1, "blksize 8 "))),
            (&[("blksize", "7")], Ok((512, 1, ""))),
            (&[("blksize", "0")], Ok((512, 1, ""))),
            (&[("blksize", "1469")], Ok((1468, 1, "blksize 1468 "))),
            (&[("blksize", "65464")], Ok((1468, 1, "blksize 1468 "))),
            (&[("blksize", "9999999999")], Ok((1468, 1, "blksize 1468 "))),
            (&[("blksize", "99999999999999999999999")], Ok((512, 1, ""))),
            (&[("blksize", "-1")], Ok((512, 1, ""))),
            (&[("blksize", "+9")], Ok((512, 1, ""))),
            (&[("blksize", "")], Ok((512, 1, ""))),
            (&[("windowsize", "1")], Ok((512, 1, "windowsize 1 "))),
            (&[("windowsize", "64")], Ok((512, 64, "windowsize 64 "))),
            (&[("windowsize", "65535")], Ok((512, 64, "windowsize 64 "))),
            (&[("windowsize", "0")], Ok((512, 1, ""))),
            (&[("tsize", "0")], Ok((512, 1, "tsize 1000000 "))),
            (&[("timeout", "5")], Ok((512, 1, ""))),
            (&[("multicast", "")], Ok((512, 1, ""))),
            (
                &[("tsize", "0"), ("timeout", "1"), ("windowsize", "16"), ("blksize", "1024")],
                Ok((1024, 16, "tsize 1000000 windowsize 16 blksize 1024 ")),
            ),
            (&[("blksize", "512"), ("blksize", "1024")], Err("option blksize given twice")),
        ];
        for (options, expected) in cases {
            check(Mode::Octet, (1468, 64), options, *expected);
        }
    }

    #[test]
    fn the_size_of_a_text_is_not_promised() {
        check(
            Mode::Netascii,
            (1468, 64),
            &[("tsize", "0"), ("blksize", "100")],
            Ok((100, 1, "blksize 100 ")),
        );
    }

    #[test]
    fn a_window_of_huge_blocks_is_cut_to_a_quarter_of_a_mebibyte() {
        let options = [("blksize", "65464"), ("windowsize", "64")];
        check(Mode::Octet, (65464, 64), &options, Ok((65464, 4, "blksize 65464 windowsize 4 ")));
    }
}
