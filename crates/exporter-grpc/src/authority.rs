//! Makes the `:authority` of unix-socket clients readable for h2.
//!
//! gRPC's C core sends the percent-encoded path of the socket as `:authority` (`tmp%2Fx%2Fsocket`), which h2 refuses as
//! malformed (docs/wire.md). [`Scrubber`] looks at the client's bytes on their way in and replaces what is not
//! allowed there by `-`, byte by byte and in place: no length changes, so frames, HPACK's dynamic table (RFC 7541 section
//! 4.1 counts lengths) and flow control stay as the client made them. It follows HTTP/2 frames (RFC 9113) and the
//! representations of RFC 7541 section 6, and needs no table: C core sends the name literally or by its static index, and
//! the value without Huffman code. Anything else passes unchanged, for h2 to judge.

/// Length of the client's preface (RFC 9113 section 3.4).
const PREFACE: u64 = 24;
const FRAME_HEADER: usize = 9;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;
const NAME: &[u8] = b":authority";
/// Index of `:authority` in the static table (RFC 7541 appendix A).
const STATIC: u64 = 1;

/// Follows the bytes of one connection. Keeps a few words of state and no bytes.
#[derive(Clone, Debug)]
pub struct Scrubber {
    frame: Frame,
    block: Block,
}

impl Default for Scrubber {
    fn default() -> Self {
        Self { frame: Frame::Preface(PREFACE), block: Block::Start }
    }
}

#[derive(Clone, Copy, Debug)]
enum Frame {
    /// So many bytes are left.
    Preface(u64),
    /// Of the next frame's header, so many bytes are here.
    Header([u8; FRAME_HEADER], usize),
    /// The pad length of a HEADERS frame comes; the rest of the payload, and its priority.
    PadLength { rest: u32, priority: u32 },
    /// A header block after so many bytes of priority, with so much padding behind it; `rest` counts all.
    Fragment { skip: u32, rest: u32, padding: u32 },
    /// A payload that is none of our business.
    Other(u32),
}

/// Where in a header block we are (RFC 7541 sections 5 and 6).
#[derive(Clone, Copy, Debug)]
enum Block {
    /// A representation begins.
    Start,
    /// An integer goes on: what it is for, its value so far, and how far it has shifted.
    Integer { of: Integer, value: u64, shift: u32 },
    /// The length byte of a string comes.
    StringStart { of: Text },
    /// A name of so many bytes, of which so many were like [`NAME`]; none when they no longer are.
    Name { rest: u64, like: Option<usize> },
    /// A value of so many bytes.
    Value { rest: u64, scrub: bool },
    /// It makes no sense; h2 will say so.
    Lost,
}

#[derive(Clone, Copy, Debug)]
enum Integer {
    /// An index or a table size: nothing follows.
    Alone,
    /// The index of a literal's name.
    NameIndex,
    /// The length of a string, and whether it is Huffman-coded.
    Length { of: Text, huffman: bool },
}

#[derive(Clone, Copy, Debug)]
enum Text {
    Name,
    Value { authority: bool },
}

impl Scrubber {
    /// Looks at the next bytes of the connection and makes every `:authority` in them readable.
    pub fn scrub(&mut self, bytes: &mut [u8]) {
        let mut at = 0;
        while at < bytes.len() {
            at += self.step(&mut bytes[at..]);
        }
    }

    /// Takes at least one byte; gives how many.
    fn step(&mut self, bytes: &mut [u8]) -> usize {
        match self.frame {
            Frame::Preface(rest) => {
                let taken = rest.min(bytes.len() as u64);
                self.frame = match rest - taken {
                    0 => Frame::Header([0; FRAME_HEADER], 0),
                    rest => Frame::Preface(rest),
                };
                taken as usize
            }
            Frame::Header(mut header, filled) => {
                header[filled] = bytes[0];
                self.frame = match filled + 1 {
                    FRAME_HEADER => self.payload(header),
                    filled => Frame::Header(header, filled),
                };
                1
            }
            Frame::PadLength { rest, priority } => {
                self.frame = fragment(priority, rest - 1, u32::from(bytes[0]));
                1
            }
            Frame::Fragment { skip, rest, padding } => self.fragment(bytes, skip, rest, padding),
            Frame::Other(rest) => {
                let taken = (rest as usize).min(bytes.len());
                self.frame = other(rest - taken as u32);
                taken
            }
        }
    }

    fn payload(&mut self, header: [u8; FRAME_HEADER]) -> Frame {
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
        let (kind, flags) = (header[3], header[4]);
        match kind {
            HEADERS => {
                self.block = Block::Start;
                let priority = if flags & PRIORITY == 0 { 0 } else { 5 };
                match flags & PADDED != 0 {
                    true if length > 0 => Frame::PadLength { rest: length, priority },
                    _ => fragment(priority, length, 0),
                }
            }
            CONTINUATION => fragment(0, length, 0),
            _ => other(length),
        }
    }

    fn fragment(&mut self, bytes: &mut [u8], skip: u32, rest: u32, padding: u32) -> usize {
        let here = bytes.len().min(rest as usize);
        let skipped = here.min(skip as usize);
        let mut taken = skipped;
        while taken < here && rest - taken as u32 > padding {
            taken += self.block(&mut bytes[taken..here.min((rest - padding) as usize)]);
        }
        // What is left of the frame is padding.
        let padded = (here - taken).min(padding as usize);
        let taken = taken + padded;
        self.frame = fragment(skip - skipped as u32, rest - taken as u32, padding - padded as u32);
        taken
    }

    /// Takes at least one byte of a header block; gives how many.
    fn block(&mut self, bytes: &mut [u8]) -> usize {
        match self.block {
            Block::Start => self.representation(bytes[0]),
            Block::Integer { of, value, shift } => self.integer(of, value, shift, bytes[0]),
            Block::StringStart { of } => {
                let huffman = bytes[0] & 0x80 != 0;
                self.prefixed(Integer::Length { of, huffman }, bytes[0], 7);
            }
            Block::Name { rest, like } => {
                let like = like.filter(|at| NAME.get(*at) == Some(&bytes[0])).map(|at| at + 1);
                self.block = match rest - 1 {
                    0 => Block::StringStart { of: Text::Value { authority: like == Some(NAME.len()) } },
                    rest => Block::Name { rest, like },
                };
            }
            Block::Value { rest, scrub } => return self.value(bytes, rest, scrub),
            Block::Lost => return bytes.len(),
        }
        1
    }

    fn representation(&mut self, byte: u8) {
        match byte {
            0x80.. => self.prefixed(Integer::Alone, byte, 7), // indexed field
            0x40.. => self.prefixed(Integer::NameIndex, byte, 6), // literal, added to the table
            0x20.. => self.prefixed(Integer::Alone, byte, 5), // size of the table
            _ => self.prefixed(Integer::NameIndex, byte, 4),  // literal, not added or never
        }
    }

    /// The first byte of an integer with a prefix of `bits` (RFC 7541 section 5.1).
    fn prefixed(&mut self, of: Integer, byte: u8, bits: u32) {
        let most = (1_u64 << bits) - 1;
        let value = u64::from(byte) & most;
        if value == most {
            self.block = Block::Integer { of, value, shift: 0 };
        } else {
            self.whole(of, value);
        }
    }

    fn integer(&mut self, of: Integer, value: u64, shift: u32, byte: u8) {
        if shift > 28 {
            self.block = Block::Lost;
            return;
        }
        let value = value + (u64::from(byte & 0x7f) << shift);
        if byte & 0x80 == 0 {
            self.whole(of, value);
        } else {
            self.block = Block::Integer { of, value, shift: shift + 7 };
        }
    }

    fn whole(&mut self, of: Integer, value: u64) {
        self.block = match of {
            Integer::Alone => Block::Start,
            Integer::NameIndex if value == 0 => Block::StringStart { of: Text::Name },
            Integer::NameIndex => Block::StringStart { of: Text::Value { authority: value == STATIC } },
            Integer::Length { of: Text::Name, huffman: _ } if value == 0 => {
                Block::StringStart { of: Text::Value { authority: false } }
            }
            Integer::Length { of: Text::Name, huffman } => {
                Block::Name { rest: value, like: (!huffman).then_some(0) }
            }
            Integer::Length { of: Text::Value { .. }, .. } if value == 0 => Block::Start,
            Integer::Length { of: Text::Value { authority }, huffman } => {
                Block::Value { rest: value, scrub: authority && !huffman }
            }
        };
    }

    fn value(&mut self, bytes: &mut [u8], rest: u64, scrub: bool) -> usize {
        let taken = rest.min(bytes.len() as u64) as usize;
        if scrub {
            bytes[..taken].iter_mut().filter(|byte| !is_readable(**byte)).for_each(|byte| *byte = b'-');
        }
        self.block = match rest - taken as u64 {
            0 => Block::Start,
            rest => Block::Value { rest, scrub },
        };
        taken
    }
}

fn fragment(skip: u32, rest: u32, padding: u32) -> Frame {
    match rest {
        0 => Frame::Header([0; FRAME_HEADER], 0),
        // Priority or padding beyond the frame: malformed, and h2 will say so.
        _ if skip + padding > rest => Frame::Other(rest),
        _ => Frame::Fragment { skip, rest, padding },
    }
}

fn other(rest: u32) -> Frame {
    if rest == 0 { Frame::Header([0; FRAME_HEADER], 0) } else { Frame::Other(rest) }
}

/// What a registered name or an address with a port has (RFC 3986), without percent-encoding.
fn is_readable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:[]@!$&'()*+,;=".contains(&byte)
}

#[cfg(test)]
mod tests;
