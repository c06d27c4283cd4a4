//! The one file in a zip archive (PKWARE APPNOTE 6.3.9), read from front to back, so that it can come over a network.

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::{shown, two_files};
use crate::Error;
use crate::input::Input;
use crate::layer::{Got, Layer, Named, Stored};

const LOCAL: [u8; 4] = *b"PK\x03\x04";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const END: [u8; 4] = *b"PK\x05\x06";
const END_64: [u8; 4] = *b"PK\x06\x06";
const LOCATOR_64: [u8; 4] = *b"PK\x06\x07";
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";

/// Flag: the sizes and the checksum follow the data.
const FOLLOWS: u16 = 8;
/// Extra field with the sizes that need more than 32 bits.
const ZIP64: u16 = 1;

/// The bytes of the one file.
pub(crate) struct Zip {
    named: Named,
    input: Input,
    file: Option<File>,
    /// Local headers seen, folders included.
    members: u64,
    state: State,
}

enum State {
    /// Between members.
    Header,
    /// Within the file.
    Stored,
    Deflated(Decompress),
    Ended,
}

/// What is told and found of the file. Sizes are bytes.
struct File {
    name: String,
    follows: bool,
    wide: bool,
    crc: u32,
    stored: u64,
    size: u64,
    found: Crc,
    taken: u64,
    given: u64,
}

/// Numbers of a header, the lowest byte first.
fn half(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]))
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from(word(bytes, at)) | u64::from(word(bytes, at + 4)) << 32
}

impl Zip {
    /// Reads `input`, which begins with a local header.
    pub(crate) fn new(named: Named, input: Input) -> Zip {
        Zip { named, input, file: None, members: 0, state: State::Header }
    }

    fn next_record(&mut self) -> Result<(), Error> {
        let begin = self.input.offset();
        let signature: [u8; 4] = self.input.array(&self.named)?;
        match signature {
            LOCAL => self.local(begin),
            CENTRAL | END | END_64 => self.directory(signature),
            _ => Err(self.named.corrupt(begin, "a record begins with no known signature")),
        }
    }

    fn local(&mut self, begin: u64) -> Result<(), Error> {
        let head: [u8; 26] = self.input.array(&self.named)?;
        let (name, extra) = (self.bytes(half(&head, 22))?, self.bytes(half(&head, 24))?);
        self.members += 1;
        let (flags, method) = (half(&head, 2), half(&head, 4));
        let (stored, size, wide) = sizes(&head, &extra);
        if name.ends_with(b"/") && size == 0 {
            return self.input.skip(stored, &self.named);
        }
        if let Some(first) = &self.file {
            return Err(self.named.unusable(two_files(&first.name, &name)));
        }
        let follows = flags & FOLLOWS != 0;
        let (name, crc, found) = (shown(&name), word(&head, 10), Crc::new());
        if flags & 1 != 0 {
            return Err(self.named.unusable(format!("`{name}` in it is encrypted")));
        }
        self.state = match method {
            0 if follows => {
                return Err(self.named.unusable(format!("`{name}` in it is stored without its length")));
            }
            0 if stored != size => return Err(self.named.corrupt(begin, "a stored file has two lengths")),
            0 => State::Stored,
            8 => State::Deflated(Decompress::new(false)),
            other => {
                let reason = format!("`{name}` in it is compressed by method {other}, expected deflate");
                return Err(self.named.unusable(reason));
            }
        };
        self.file = Some(File { name, follows, wide, crc, stored, size, found, taken: 0, given: 0 });
        Ok(())
    }

    fn bytes(&mut self, length: u16) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; length.into()];
        self.input.take(&mut bytes, &self.named)?;
        Ok(bytes)
    }

    fn stored_bytes(&mut self, output: &mut [u8]) -> Result<usize, Error> {
        let left = self.file.as_ref().map_or(0, |file| file.stored - file.taken);
        let room = output.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if room == 0 {
            self.end_file()?;
            return Ok(0);
        }
        let count = self.input.read_some(&mut output[..room])?;
        if count == 0 {
            return Err(self.named.truncated(self.input.offset()));
        }
        self.count(count as u64, &output[..count]);
        self.state = State::Stored;
        Ok(count)
    }

    fn inflated_bytes(&mut self, mut inflate: Decompress, output: &mut [u8]) -> Result<usize, Error> {
        let input = self.input.fill()?;
        let (none_left, before) = (input.is_empty(), (inflate.total_in(), inflate.total_out()));
        let status = inflate.decompress(input, output, FlushDecompress::None);
        let (taken, given) = (inflate.total_in() - before.0, (inflate.total_out() - before.1) as usize);
        self.input.consume(taken as usize);
        let wrong = |error: flate2::DecompressError| {
            self.named.corrupt(self.input.offset(), error.message().unwrap_or("invalid data"))
        };
        let status = status.map_err(wrong)?;
        self.count(taken, &output[..given]);
        match status {
            Status::StreamEnd => self.end_file()?,
            _ if none_left && given == 0 => return Err(self.named.truncated(self.input.offset())),
            _ if taken == 0 && given == 0 => {
                return Err(self.named.corrupt(self.input.offset(), "the decoder is stuck"));
            }
            _ => self.state = State::Deflated(inflate),
        }
        Ok(given)
    }

    fn count(&mut self, taken: u64, given: &[u8]) {
        if let Some(file) = &mut self.file {
            file.taken += taken;
            file.given += given.len() as u64;
            file.found.update(given);
        }
    }

    /// The data is over: what was told of it must be what was found.
    fn end_file(&mut self) -> Result<(), Error> {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        if file.follows {
            self.descriptor(&mut file)?;
        }
        let offset = self.input.offset();
        if (file.stored, file.size) != (file.taken, file.given) {
            let (told, have) = (file.size, file.given);
            return Err(self.named.corrupt(offset, format!("it tells {told} bytes and has {have}")));
        }
        if file.crc != file.found.sum() {
            return Err(self.named.corrupt(offset, "its CRC-32 differs"));
        }
        self.file = Some(file);
        Ok(())
    }

    /// What follows the data; its signature may be missing.
    fn descriptor(&mut self, file: &mut File) -> Result<(), Error> {
        let ahead = self.input.peek(4)?;
        if ahead.starts_with(&DESCRIPTOR) {
            self.input.consume(4);
        }
        let crc: [u8; 4] = self.input.array(&self.named)?;
        file.crc = u32::from_le_bytes(crc);
        (file.stored, file.size) = match file.wide {
            true => {
                let both: [u8; 16] = self.input.array(&self.named)?;
                (long(&both, 0), long(&both, 8))
            }
            false => {
                let both: [u8; 8] = self.input.array(&self.named)?;
                (word(&both, 0).into(), word(&both, 4).into())
            }
        };
        Ok(())
    }

    /// The directory at the end: it must list what was there, and be complete.
    fn directory(&mut self, mut signature: [u8; 4]) -> Result<(), Error> {
        let Some(file) = &self.file else { return Err(self.named.unusable("it holds no file")) };
        let crc = file.crc;
        let (mut listed, mut found) = (0, false);
        while signature == CENTRAL {
            let head: [u8; 42] = self.input.array(&self.named)?;
            let rest = [24, 26, 28].map(|at| u64::from(half(&head, at)));
            self.input.skip(rest.iter().sum(), &self.named)?;
            listed += 1;
            found |= word(&head, 12) == crc;
            signature = self.input.array(&self.named)?;
        }
        if listed != self.members || !found {
            return Err(self
                .named
                .corrupt(self.input.offset(), "its directory lists other files than it holds"));
        }
        self.end_of_directory(signature)
    }

    fn end_of_directory(&mut self, mut signature: [u8; 4]) -> Result<(), Error> {
        if signature == END_64 {
            let length: [u8; 8] = self.input.array(&self.named)?;
            self.input.skip(u64::from_le_bytes(length), &self.named)?;
            signature = self.input.array(&self.named)?;
        }
        if signature == LOCATOR_64 {
            self.input.skip(16, &self.named)?;
            signature = self.input.array(&self.named)?;
        }
        if signature != END {
            return Err(self.named.corrupt(self.input.offset() - 4, "its directory has no end"));
        }
        let head: [u8; 18] = self.input.array(&self.named)?;
        self.input.skip(half(&head, 16).into(), &self.named)?;
        if !self.input.fill()?.is_empty() {
            return Err(self.named.garbage(self.input.offset()));
        }
        self.state = State::Ended;
        Ok(())
    }
}

/// Stored size, size, and whether they have 64 bits.
fn sizes(head: &[u8], extra: &[u8]) -> (u64, u64, bool) {
    let (mut stored, mut size) = (u64::from(word(head, 14)), u64::from(word(head, 18)));
    let mut rest = extra;
    while rest.len() >= 4 {
        let (kind, length) = (half(rest, 0), usize::from(half(rest, 2)));
        let field = rest.get(4..4 + length).unwrap_or_default();
        if kind == ZIP64 {
            let mut at = 0;
            for value in [&mut size, &mut stored] {
                if *value == u64::from(u32::MAX) {
                    *value = long(field, at);
                    at += 8;
                }
            }
            return (stored, size, true);
        }
        rest = rest.get(4 + length..).unwrap_or_default();
    }
    (stored, size, false)
}

impl Layer for Zip {
    fn read(&mut self, output: &mut [u8]) -> Result<Got, Error> {
        loop {
            let count = match std::mem::replace(&mut self.state, State::Header) {
                State::Ended => {
                    self.state = State::Ended;
                    return Ok(Got::bytes(0));
                }
                State::Header => {
                    self.next_record()?;
                    0
                }
                State::Stored => self.stored_bytes(output)?,
                State::Deflated(inflate) => self.inflated_bytes(inflate, output)?,
            };
            if count > 0 {
                return Ok(Got::bytes(count));
            }
        }
    }

    fn stored(&mut self) -> Stored {
        self.input.stored()
    }
}
