//! The one image in a tar archive (POSIX.1-2017 pax; GNU tar's long names and sizes).

use tar::{EntryType, Header, PaxExtensions};

use super::maps::ArchiveMaps;
use super::members::{LOOK, is_companion, no_image, several_images, shown, too_long};
use crate::Error;
use crate::decode::input::LayerInput;
use crate::decode::layer::{Layer, LayerName, ReadResult, StoredFacts};

/// Length of headers and multiple of all lengths, in bytes.
const BLOCK: usize = 512;
/// Longest extended header that is read, in bytes.
const EXTENDED: u64 = 1 << 20;

/// Type of the label that GNU tar writes with `-V`; it has no size.
const VOLUME: u8 = b'V';

/// Whether these bytes begin a tar archive: a name, and the header's checksum. Archives of the old format (v7) have no mark.
pub(crate) fn is_header(head: &[u8]) -> bool {
    head.get(..BLOCK).is_some_and(|block| block[0] != 0 && has_checksum(block))
}

/// The sum of all bytes, those of the checksum itself as blanks.
fn has_checksum(block: &[u8]) -> bool {
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    let own: u32 = block[148..156].iter().map(|byte| u32::from(*byte)).sum();
    Header::from_byte_slice(block).cksum().is_ok_and(|told| told == sum - own + 8 * u32::from(b' '))
}

/// The bytes of the one image.
pub(crate) struct Tar {
    named: LayerName,
    input: LayerInput,
    file: Option<String>,
    companions: Vec<String>,
    /// Images that are too many.
    others: Vec<String>,
    left: u64,
    padding: u64,
    /// Size of the next file, if an extended header tells it.
    size: Option<u64>,
    ended: bool,
    maps: ArchiveMaps,
}

impl Tar {
    /// Reads `input`, which begins with a header; block maps go to `maps`.
    pub(crate) fn new(named: LayerName, input: LayerInput, maps: ArchiveMaps) -> Tar {
        Tar {
            named,
            input,
            file: None,
            companions: Vec::new(),
            others: Vec::new(),
            left: 0,
            padding: 0,
            size: None,
            ended: false,
            maps,
        }
    }

    fn next_member(&mut self) -> Result<(), Error> {
        self.input.skip(std::mem::take(&mut self.padding), &self.named)?;
        let begin = self.input.offset();
        let block: [u8; BLOCK] = self.input.array(&self.named)?;
        if block == [0; BLOCK] {
            return self.end();
        }
        if !has_checksum(&block) {
            return Err(self.named.corrupt(begin, "the checksum of a header differs"));
        }
        let header = Header::from_byte_slice(&block);
        if header.entry_type().as_byte() == VOLUME {
            return self.leave_out(0);
        }
        let length = header.entry_size().map_err(|e| self.named.corrupt(begin, e.to_string()))?;
        match header.entry_type() {
            EntryType::Regular | EntryType::Continuous => self.start_file(&header.path_bytes(), length),
            EntryType::XHeader => self.extended(length),
            EntryType::GNUSparse => Err(self.sparse()),
            EntryType::Directory
            | EntryType::XGlobalHeader
            | EntryType::GNULongName
            | EntryType::GNULongLink => self.leave_out(length),
            _ => Err(self
                .named
                .unusable(format!("it holds `{}`, which is no file", shown(&header.path_bytes())))),
        }
    }

    fn start_file(&mut self, name: &[u8], length: u64) -> Result<(), Error> {
        let length = self.size.take().unwrap_or(length);
        if ArchiveMaps::wants(name) {
            return self.keep(name, length);
        }
        let wanted = LOOK.min(usize::try_from(length).unwrap_or(LOOK));
        let ahead = self.input.peek(wanted)?;
        if is_companion(&ahead[..ahead.len().min(wanted)], length <= LOOK as u64) {
            self.companions.push(shown(name));
            return self.leave_out(length);
        }
        if self.file.is_some() {
            // The others are looked for as well, so that all are named.
            self.others.push(shown(name));
            return self.leave_out(length);
        }
        self.maps.image(name);
        self.file = Some(shown(name));
        self.left = length;
        self.padding = padding(self.left);
        Ok(())
    }

    /// Keeps what may be the block map of the image.
    fn keep(&mut self, name: &[u8], length: u64) -> Result<(), Error> {
        if !self.maps.reserve(length) {
            return Err(too_long(shown(name)));
        }
        let mut bytes = vec![0; length as usize];
        self.input.take(&mut bytes, &self.named)?;
        self.maps.keep(name, bytes);
        self.companions.push(shown(name));
        self.input.skip(padding(length), &self.named)
    }

    fn leave_out(&mut self, length: u64) -> Result<(), Error> {
        self.size = None;
        self.input.skip(length, &self.named)?;
        self.input.skip(padding(length), &self.named)
    }

    /// An extended header may tell the size of the next file, which is then not the one in its header.
    fn extended(&mut self, length: u64) -> Result<(), Error> {
        if length > EXTENDED {
            return Err(self.named.corrupt(self.input.offset(), "an extended header is too long"));
        }
        let mut records = vec![0; length as usize];
        self.input.take(&mut records, &self.named)?;
        self.input.skip(padding(length), &self.named)?;
        for record in PaxExtensions::new(&records) {
            let wrong = |_| self.named.corrupt(self.input.offset(), "an extended header is malformed");
            let record = record.map_err(wrong)?;
            match record.key_bytes() {
                b"size" => {
                    let size =
                        std::str::from_utf8(record.value_bytes()).ok().and_then(|text| text.parse().ok());
                    let malformed = || self.named.corrupt(self.input.offset(), "a size is malformed");
                    self.size = Some(size.ok_or_else(malformed)?);
                }
                key if key.starts_with(b"GNU.sparse.") => return Err(self.sparse()),
                _ => {}
            }
        }
        Ok(())
    }

    fn sparse(&self) -> Error {
        self.named.unusable("its file is stored sparse; make it without --sparse")
    }

    /// Behind the mark of the end there may be zeros only.
    fn end(&mut self) -> Result<(), Error> {
        loop {
            let ahead = self.input.fill()?;
            let (length, zeros) = (ahead.len(), ahead.iter().take_while(|byte| **byte == 0).count());
            self.input.consume(zeros);
            if length == 0 {
                break;
            }
            if zeros < length {
                return Err(self.named.garbage(self.input.offset()));
            }
        }
        self.ended = true;
        match &self.file {
            None => Err(self.named.unusable(no_image(&self.companions))),
            Some(first) if !self.others.is_empty() => {
                Err(self.named.unusable(several_images(first, &self.others)))
            }
            Some(_) => Ok(()),
        }
    }
}

/// Bytes that fill the last block of a file.
fn padding(length: u64) -> u64 {
    (BLOCK as u64 - length % BLOCK as u64) % BLOCK as u64
}

impl Layer for Tar {
    fn read(&mut self, output: &mut [u8]) -> Result<ReadResult, Error> {
        while self.left == 0 && !self.ended {
            self.next_member()?;
        }
        if self.ended {
            return Ok(ReadResult::bytes(0));
        }
        let room = output.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = self.input.read_some(&mut output[..room])?;
        if count == 0 {
            return Err(self.named.truncated(self.input.offset()));
        }
        self.left -= count as u64;
        Ok(ReadResult::bytes(count))
    }

    fn stored(&mut self) -> StoredFacts {
        self.input.stored()
    }
}
