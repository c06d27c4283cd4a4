//! The one image in a zip archive (PKWARE APPNOTE 6.3.9), read from front to back, so that it can come over a network.

mod fields;

use flate2::{Crc, Decompress, FlushDecompress, Status};

use self::fields::{half, long, method_name, sizes, word};
use super::maps::ArchiveMaps;
use super::members::{LOOK, is_companion, no_image, several_images, shown, too_long};
use crate::Error;
use crate::decode::input::LayerInput;
use crate::decode::layer::{Layer, LayerName, ReadResult, StoredFacts};

const LOCAL: [u8; 4] = *b"PK\x03\x04";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const END: [u8; 4] = *b"PK\x05\x06";
const END_64: [u8; 4] = *b"PK\x06\x06";
const LOCATOR_64: [u8; 4] = *b"PK\x06\x07";
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";

/// Bytes of a file that only accompanies the image, decoded at once.
const SCRATCH: usize = 64 * 1024;

/// Flag: the sizes and the checksum follow the data.
const FOLLOWS: u16 = 8;

/// The bytes of the one image.
pub(crate) struct Zip {
    named: LayerName,
    input: LayerInput,
    /// The file that is being read, or the last one.
    file: Option<File>,
    fate: Fate,
    /// The image's name, and at its end its checksum.
    image: Option<(String, u32)>,
    companions: Vec<String>,
    /// Images that are too many.
    others: Vec<String>,
    /// Decoded bytes of the file that were not taken yet.
    ahead: Vec<u8>,
    /// Local headers seen, folders included.
    members: u64,
    state: State,
    maps: ArchiveMaps,
}

enum State {
    /// Between members.
    Header,
    /// Within the file.
    Stored,
    Deflated(Decompress),
    Ended,
}

/// What becomes of the bytes of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// They are kept until they show what it is.
    Open,
    /// They are the image.
    Image,
    /// They are only checked.
    Companion,
    /// They may be the block map of the image.
    Map,
}

/// What the headers say of the file, and what was found. Sizes are bytes.
struct File {
    /// For messages.
    name: String,
    path: Vec<u8>,
    follows: bool,
    wide: bool,
    crc: u32,
    stored: u64,
    size: u64,
    found: Crc,
    taken: u64,
    given: u64,
}

impl Zip {
    /// Reads `input`, which begins with a local header; block maps go to `maps`.
    pub(crate) fn new(named: LayerName, input: LayerInput, maps: ArchiveMaps) -> Zip {
        let (file, image, companions, ahead) = (None, None, Vec::new(), Vec::new());
        Zip {
            named,
            input,
            file,
            fate: Fate::Open,
            image,
            companions,
            others: Vec::new(),
            ahead,
            members: 0,
            state: State::Header,
            maps,
        }
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
        let (path, extra) = (self.bytes(half(&head, 22))?, self.bytes(half(&head, 24))?);
        self.members += 1;
        let (flags, method) = (half(&head, 2), half(&head, 4));
        let (stored, size, wide) = sizes(&head, &extra);
        if path.ends_with(b"/") && size == 0 {
            return self.input.skip(stored, &self.named);
        }
        self.fate = if ArchiveMaps::wants(&path) { Fate::Map } else { Fate::Open };
        let follows = flags & FOLLOWS != 0;
        let (name, crc, found) = (shown(&path), word(&head, 10), Crc::new());
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
                let reason = format!(
                    "`{name}` in it is compressed by method {other}{}, expected deflate; pack it anew with `zip`, or unpack it and flash the image in it",
                    method_name(other)
                );
                return Err(self.named.unusable(reason));
            }
        };
        self.file = Some(File { name, path, follows, wide, crc, stored, size, found, taken: 0, given: 0 });
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

    /// The data is over: what the headers say must be what was found.
    fn end_file(&mut self) -> Result<(), Error> {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        if file.follows {
            self.descriptor(&mut file)?;
        }
        let offset = self.input.offset();
        if (file.stored, file.size) != (file.taken, file.given) {
            let (told, have) = (file.size, file.given);
            return Err(self.named.corrupt(offset, format!("it announces {told} bytes and has {have}")));
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
        let Some((first, crc)) = self.image.clone() else {
            return Err(self.named.unusable(no_image(&self.companions)));
        };
        if !self.others.is_empty() {
            return Err(self.named.unusable(several_images(&first, &self.others)));
        }
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

impl Zip {
    /// Reads on; gives the bytes of the image that came into `output`.
    fn step(&mut self, output: &mut [u8]) -> Result<usize, Error> {
        match self.fate {
            Fate::Image => self.decoded(output),
            Fate::Companion => self.decoded(&mut vec![0; SCRATCH]).map(|_| 0),
            Fate::Map => self.keep_map().map(|()| 0),
            Fate::Open => {
                let mut scratch = vec![0; LOOK - self.ahead.len()];
                let count = self.decoded(&mut scratch)?;
                self.ahead.extend_from_slice(&scratch[..count]);
                self.decide()
            }
        }
    }

    /// Reads on in a file that may be the image's block map; keeps it at its end.
    fn keep_map(&mut self) -> Result<(), Error> {
        let mut scratch = vec![0; SCRATCH];
        let count = self.decoded(&mut scratch)?;
        let Some(file) = &self.file else { return Ok(()) };
        if !self.maps.reserve(count as u64) {
            return Err(too_long(file.name.clone()));
        }
        self.ahead.extend_from_slice(&scratch[..count]);
        if matches!(self.state, State::Header) {
            self.companions.push(file.name.clone());
            self.maps.keep(&file.path, std::mem::take(&mut self.ahead));
        }
        Ok(())
    }

    /// Whether a file is the image shows in its first bytes.
    fn decide(&mut self) -> Result<usize, Error> {
        let whole = matches!(self.state, State::Header);
        let Some(file) = self.file.as_ref().filter(|_| whole || self.ahead.len() == LOOK) else {
            return Ok(0);
        };
        if is_companion(&self.ahead, whole) {
            self.companions.push(file.name.clone());
            self.fate = Fate::Companion;
            self.ahead.clear();
            return Ok(0);
        }
        if self.image.is_some() {
            // The others are looked for as well, so that all are named.
            self.others.push(file.name.clone());
            self.fate = Fate::Companion;
            self.ahead.clear();
            return Ok(0);
        }
        self.maps.image(&file.path);
        self.image = Some((file.name.clone(), file.crc));
        self.fate = Fate::Image;
        Ok(0)
    }

    /// Decodes some bytes of the file; afterwards it may be over.
    fn decoded(&mut self, output: &mut [u8]) -> Result<usize, Error> {
        let count = match std::mem::replace(&mut self.state, State::Header) {
            State::Stored => self.stored_bytes(output)?,
            State::Deflated(inflate) => self.inflated_bytes(inflate, output)?,
            other => {
                self.state = other;
                0
            }
        };
        if let (Fate::Image, State::Header, Some(file), Some(image)) =
            (self.fate, &self.state, &self.file, &mut self.image)
        {
            image.1 = file.crc;
        }
        Ok(count)
    }
}

impl Layer for Zip {
    fn read(&mut self, output: &mut [u8]) -> Result<ReadResult, Error> {
        loop {
            if self.fate == Fate::Image && !self.ahead.is_empty() {
                let count = self.ahead.len().min(output.len());
                output[..count].copy_from_slice(&self.ahead[..count]);
                self.ahead.drain(..count);
                return Ok(ReadResult::bytes(count));
            }
            match self.state {
                State::Ended => return Ok(ReadResult::bytes(0)),
                State::Header => self.next_record()?,
                State::Stored | State::Deflated(_) => match self.step(output)? {
                    0 => {}
                    count => return Ok(ReadResult::bytes(count)),
                },
            }
        }
    }

    fn stored(&mut self) -> StoredFacts {
        self.input.stored()
    }
}
