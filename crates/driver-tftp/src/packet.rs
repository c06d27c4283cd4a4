//! Packets as they are on the wire: RFC 1350 section 5, RFC 2347.

/// Bytes of opcode and block number before the payload of DATA.
pub(crate) const HEADER: usize = 4;

/// Error codes of RFC 1350 section 5 and RFC 2347.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    NotDefined = 0,
    NotFound = 1,
    AccessViolation = 2,
    DiskFull = 3,
    IllegalOperation = 4,
    UnknownTransfer = 5,
    OptionRefused = 8,
}

/// An ERROR to be sent: its code and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) text: String,
}

impl Refusal {
    pub(crate) fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// The ERROR packet.
    pub(crate) fn packet(&self) -> Vec<u8> {
        let mut packet = vec![0, 5, 0, self.code as u8];
        packet.extend(self.text.bytes().filter(|byte| *byte != 0));
        packet.push(0);
        packet
    }
}

/// How a file is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As it is.
    Octet,
    /// With the line ends of RFC 764: LF as CR LF, CR as CR NUL.
    Netascii,
}

/// A request to read or write a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileRequest {
    /// As it arrived; not necessarily UTF-8.
    pub(crate) file: Vec<u8>,
    /// None when it is neither octet nor netascii.
    pub(crate) mode: Option<Mode>,
    /// Names in lower case, values as they arrived.
    pub(crate) options: Vec<(String, String)>,
}

/// Any packet a server may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    Read(FileRequest),
    Write(FileRequest),
    Data,
    Ack(u16),
    Error { code: u16, text: String },
    OptionAck,
}

/// Reads one datagram.
///
/// # Errors
/// What to answer a malformed one with.
pub(crate) fn parse(datagram: &[u8]) -> Result<Packet, Refusal> {
    let malformed = |text: &str| Refusal::new(Code::IllegalOperation, text);
    let Some((opcode, body)) = datagram.split_first_chunk::<2>() else {
        return Err(malformed("packet too short"));
    };
    let number = || body.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
    match u16::from_be_bytes(*opcode) {
        1 => request(body).map(Packet::Read),
        2 => request(body).map(Packet::Write),
        3 => Ok(Packet::Data),
        4 => number().map(Packet::Ack).ok_or_else(|| malformed("acknowledgement without block number")),
        5 => Ok(Packet::Error { code: number().unwrap_or(0), text: error_text(body) }),
        6 => Ok(Packet::OptionAck),
        _ => Err(malformed("unknown opcode")),
    }
}

fn request(body: &[u8]) -> Result<FileRequest, Refusal> {
    let malformed = |text: &str| Refusal::new(Code::IllegalOperation, text);
    let body = body.strip_suffix(&[0]).ok_or_else(|| malformed("request without final zero"))?;
    let mut texts = body.split(|byte| *byte == 0);
    let (Some(file), Some(mode)) = (texts.next(), texts.next()) else {
        return Err(malformed("request without mode"));
    };
    let mut options = Vec::new();
    while let Some(name) = texts.next() {
        let value = texts.next().ok_or_else(|| malformed("option without value"))?;
        options.push((text(name).to_ascii_lowercase(), text(value)));
    }
    Ok(FileRequest { file: file.to_vec(), mode: mode_of(mode), options })
}

fn mode_of(mode: &[u8]) -> Option<Mode> {
    match mode.to_ascii_lowercase().as_slice() {
        b"octet" => Some(Mode::Octet),
        b"netascii" => Some(Mode::Netascii),
        _ => None,
    }
}

fn error_text(body: &[u8]) -> String {
    let bytes = body.get(2..).unwrap_or_default();
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    text(&bytes[..end])
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What DATA of block `number` begins with; the payload follows. Block numbers go from 65535 to 0.
pub(crate) fn data_header(number: u64) -> [u8; HEADER] {
    let [high, low] = (number as u16).to_be_bytes();
    [0, 3, high, low]
}

/// The block number and the payload of DATA; none when it is another packet.
pub(crate) fn data(datagram: &[u8]) -> Option<(u16, &[u8])> {
    match datagram {
        [0, 3, high, low, payload @ ..] => Some((u16::from_be_bytes([*high, *low]), payload)),
        _ => None,
    }
}

/// An ACK of the block `number`, which goes from 65535 to 0.
pub(crate) fn ack(number: u64) -> [u8; HEADER] {
    let [high, low] = (number as u16).to_be_bytes();
    [0, 4, high, low]
}

/// An OACK of these options.
pub(crate) fn option_ack<'a>(options: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let mut packet = vec![0, 6];
    for (name, value) in options {
        for text in [name, value] {
            packet.extend(text.as_bytes());
            packet.push(0);
        }
    }
    packet
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(file: &str, mode: Option<Mode>, options: &[(&str, &str)]) -> Result<Packet, String> {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Ok(Packet::Read(FileRequest { file: file.into(), mode, options }))
    }

    fn wrong(text: &str) -> Result<Packet, String> {
        Err(text.to_owned())
    }

    #[test]
    fn datagrams_are_read_as_the_rfcs_say() {
        let octet = Some(Mode::Octet);
        let cases: &[(&[u8], Result<Packet, String>)] = &[
            (b"\0\x01f\0octet\0", read("f", octet, &[])),
            (b"\0\x01f\0OcTeT\0", read("f", octet, &[])),
            (b"\0\x01a/b\0netascii\0", read("a/b", Some(Mode::Netascii), &[])),
            (b"\0\x01f\0mail\0", read("f", None, &[])),
            (
                b"\0\x01f\0octet\0BLKSIZE\x001468\0tsize\x000\0",
                read("f", octet, &[("blksize", "1468"), ("tsize", "0")]),
            ),
            (b"\0\x01\0octet\0", read("", octet, &[])),
            (b"\0\x04\xff\xff", Ok(Packet::Ack(65535))),
            (b"\0\x04\0\x01trailing", Ok(Packet::Ack(1))),
            (b"\0\x05\0\x02full\0junk", Ok(Packet::Error { code: 2, text: "full".into() })),
            (b"\0\x05\0\x02full", Ok(Packet::Error { code: 2, text: "full".into() })),
            (b"\0\x05", Ok(Packet::Error { code: 0, text: String::new() })),
            (b"\0\x06", Ok(Packet::OptionAck)),
            (b"\0\x03\0\x01data", Ok(Packet::Data)),
            (b"", wrong("packet too short")),
            (b"\0", wrong("packet too short")),
            (b"\0\x01", wrong("request without final zero")),
            (b"\0\x01f\0octet", wrong("request without final zero")),
            (b"\0\x01f\0", wrong("request without mode")),
            (b"\0\x01\0", wrong("request without mode")),
            (b"\0\x01f\0octet\0blksize\0", wrong("option without value")),
            (b"\0\x04\0", wrong("acknowledgement without block number")),
            (b"\0\x07", wrong("unknown opcode")),
            (b"GET / HTTP/1.1", wrong("unknown opcode")),
        ];
        for (datagram, expected) in cases {
            let found = parse(datagram).map_err(|refusal| refusal.text);
            assert_eq!(&found, expected, "{:?}", String::from_utf8_lossy(datagram));
        }
    }

    #[test]
    fn packets_are_written_as_the_rfcs_say() {
        assert_eq!(data_header(65_536 + 258), [0, 3, 1, 2]);
        assert_eq!(ack(65_536 + 258), [0, 4, 1, 2]);
        assert_eq!(data(b"\0\x03\x01\x02abc"), Some((258, &b"abc"[..])));
        for other in [&b"\0\x03\x01"[..], b"\0\x04\x01\x02", b""] {
            assert_eq!(data(other), None, "{other:?}");
        }
        assert_eq!(option_ack([("blksize", "1468"), ("tsize", "7")]), b"\0\x06blksize\x001468\0tsize\x007\0");
        assert_eq!(Refusal::new(Code::NotFound, "no\0pe").packet(), b"\0\x05\0\x01nope\0");
    }

    fn words() -> impl Strategy<Value = Vec<(String, String)>> {
        prop::collection::vec(("[a-z]{1,12}", "[ -~]{0,12}"), 0..6)
    }

    proptest! {
        #[test]
        fn a_request_comes_back_as_it_was_written(
            file in "[^\0]{0,80}",
            mode in prop::sample::select(vec!["octet", "netascii", "OCTET"]),
            options in words(),
            is_read in any::<bool>(),
        ) {
            let mut packet = vec![0, if is_read { 1 } else { 2 }];
            let texts = options.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
            for text in [file.as_str(), mode].into_iter().chain(texts) {
                packet.extend(text.bytes());
                packet.push(0);
            }
            let request = FileRequest { file: file.into_bytes(), mode: mode_of(mode.as_bytes()), options };
            let expected = if is_read { Packet::Read(request) } else { Packet::Write(request) };
            prop_assert_eq!(parse(&packet), Ok(expected));
        }

        #[test]
        fn an_option_acknowledgement_and_an_error_come_back(options in words(), text in "[^\0]{0,80}") {
            let packet = option_ack(options.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            prop_assert_eq!(parse(&packet), Ok(Packet::OptionAck));
            let mut found = packet[2..].split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
            for (name, value) in options {
                prop_assert_eq!((found.next(), found.next()), (Some(name), Some(value)));
            }
            let refusal = Refusal::new(Code::AccessViolation, text.clone());
            prop_assert_eq!(parse(&refusal.packet()), Ok(Packet::Error { code: 2, text }));
        }

        #[test]
        fn no_datagram_makes_the_parser_panic(datagram in prop::collection::vec(any::<u8>(), 0..700)) {
            let _ = parse(&datagram);
        }

        #[test]
        fn no_request_makes_the_parser_panic(opcode in 1u8..7, body in prop::collection::vec(prop::num::u8::ANY.prop_map(|byte| byte % 4), 0..64)) {
            let _ = parse(&[vec![0, opcode], body].concat());
        }
    }
}
