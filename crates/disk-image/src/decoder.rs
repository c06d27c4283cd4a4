//! Decodes a whole source, member after member, and accepts its end only where the format allows one.

use crate::format::{Fit, MAGIC, fits};
use crate::input::Input;
use crate::member::{self, Failure, Member};
use crate::{Error, Format};

/// Steps without a byte in or out before the decoder counts as stuck.
const IDLE_STEPS: u32 = 16;

/// Decoded bytes of a source, in order.
pub(crate) struct Decoder {
    label: String,
    format: Format,
    input: Input,
    member: Option<Box<dyn Member>>,
    ended: bool,
}

impl Decoder {
    /// Decodes `input` as `format`; `label` is for errors.
    pub(crate) fn new(label: &str, format: Format, input: Input) -> Result<Decoder, Error> {
        let mut decoder = Decoder { label: label.into(), format, input, member: None, ended: false };
        decoder.start_member()?;
        Ok(decoder)
    }

    /// Fills `output`; gives fewer bytes than that only at the proven end.
    pub(crate) fn fill(&mut self, output: &mut [u8]) -> Result<usize, Error> {
        let mut filled = 0;
        while filled < output.len() && !self.ended {
            filled += self.read(&mut output[filled..])?;
        }
        Ok(filled)
    }

    /// The source, after the end.
    pub(crate) fn into_input(self) -> Input {
        self.input
    }

    fn read(&mut self, output: &mut [u8]) -> Result<usize, Error> {
        match self.member.take() {
            None => self.copy(output),
            Some(mut member) => {
                let (produced, end) = self.decode(member.as_mut(), output)?;
                match end {
                    true => self.next_member()?,
                    false => self.member = Some(member),
                }
                Ok(produced)
            }
        }
    }

    fn copy(&mut self, output: &mut [u8]) -> Result<usize, Error> {
        let input = self.input.fill()?;
        let count = input.len().min(output.len());
        output[..count].copy_from_slice(&input[..count]);
        self.ended = count == 0;
        self.input.consume(count);
        Ok(count)
    }

    /// Steps until there is output or the member ends.
    fn decode(&mut self, member: &mut dyn Member, output: &mut [u8]) -> Result<(usize, bool), Error> {
        let mut idle = 0;
        loop {
            let input = self.input.fill()?;
            let none_left = input.is_empty();
            let step = member.step(input, output);
            let step = step.map_err(|failure| self.failed(failure))?;
            self.input.consume(step.consumed);
            if step.produced > 0 || step.end {
                return Ok((step.produced, step.end));
            }
            if none_left {
                return Err(self.truncated());
            }
            idle = if step.consumed == 0 { idle + 1 } else { 0 };
            if idle > IDLE_STEPS {
                return Err(self.failed(Failure::Corrupt("the decoder is stuck".into())));
            }
        }
    }

    /// Behind a member there is another one, or the end.
    fn next_member(&mut self) -> Result<(), Error> {
        if self.format == Format::Xz {
            self.skip_padding()?;
        }
        let ahead = self.input.peek(MAGIC)?;
        if ahead.is_empty() {
            self.ended = true;
            return Ok(());
        }
        match fits(self.format, &ahead[..ahead.len().min(MAGIC)]) {
            Fit::Whole => self.start_member(),
            Fit::Part => {
                let rest = ahead.len();
                self.input.consume(rest);
                Err(self.truncated())
            }
            Fit::None => Err(self.garbage()),
        }
    }

    fn start_member(&mut self) -> Result<(), Error> {
        self.member = member::start(self.format).map_err(|failure| self.failed(failure))?;
        Ok(())
    }

    /// Stream padding: zero bytes, a multiple of four (The .xz File Format 1.2.1, section 2.2).
    fn skip_padding(&mut self) -> Result<(), Error> {
        let start = self.input.offset();
        loop {
            let ahead = self.input.fill()?;
            let zeros = ahead.iter().take_while(|byte| **byte == 0).count();
            if zeros == 0 {
                break;
            }
            self.input.consume(zeros);
        }
        match (self.input.offset() - start) % 4 {
            0 => Ok(()),
            _ => Err(self.failed(Failure::Corrupt("its padding is no multiple of four bytes".into()))),
        }
    }

    fn failed(&self, failure: Failure) -> Error {
        let (label, format, offset) = (self.label.clone(), self.format, self.input.offset());
        match failure {
            Failure::Corrupt(reason) => Error::Corrupt { label, format, offset, reason },
            Failure::Memory(limit) => Error::Memory { label, format, limit },
        }
    }

    fn truncated(&self) -> Error {
        Error::Truncated { label: self.label.clone(), format: self.format, offset: self.input.offset() }
    }

    fn garbage(&self) -> Error {
        Error::Garbage { label: self.label.clone(), format: self.format, offset: self.input.offset() }
    }
}
