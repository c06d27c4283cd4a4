//! Decodes a whole source, member after member, and accepts its end only where the format allows one.

use crate::decode::input::LayerInput;
use crate::decode::layer::{Layer, LayerName, ReadResult, StoredFacts};
use crate::decode::magic::{MAGIC, MagicMatch, fits};
use crate::decode::member::{self, Member, StepFailure};
use crate::{Error, Format};

/// Steps without a byte in or out before the decoder counts as stuck.
const IDLE_STEPS: u32 = 16;

/// Decoded bytes of all members, in order.
pub(crate) struct Decoder {
    named: LayerName,
    input: LayerInput,
    member: Option<Box<dyn Member>>,
}

impl Decoder {
    /// Decodes `input` as the format that `named` says.
    pub(crate) fn new(named: LayerName, input: LayerInput) -> Result<Decoder, Error> {
        let mut decoder = Decoder { named, input, member: None };
        decoder.start_member()?;
        Ok(decoder)
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
                return Err(self.failed(StepFailure::Corrupt("the decoder is stuck".into())));
            }
        }
    }

    /// Behind a member there is another one, or the end.
    fn next_member(&mut self) -> Result<(), Error> {
        if self.named.format == Format::Xz {
            self.skip_padding()?;
        }
        let ahead = self.input.peek(MAGIC)?;
        if ahead.is_empty() {
            return Ok(());
        }
        match fits(self.named.format, &ahead[..ahead.len().min(MAGIC)]) {
            MagicMatch::Whole => self.start_member(),
            MagicMatch::Part => {
                let rest = ahead.len();
                self.input.consume(rest);
                Err(self.truncated())
            }
            MagicMatch::None => Err(self.named.garbage(self.input.offset())),
        }
    }

    fn start_member(&mut self) -> Result<(), Error> {
        let ahead = self.input.peek(member::HEAD)?;
        let started = member::start(self.named.format, &ahead[..ahead.len().min(member::HEAD)]);
        self.member = Some(started.map_err(|failure| self.failed(failure))?);
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
            _ => Err(self.failed(StepFailure::Corrupt("its padding is no multiple of four bytes".into()))),
        }
    }

    fn failed(&self, failure: StepFailure) -> Error {
        match failure {
            StepFailure::Corrupt(reason) => self.named.corrupt(self.input.offset(), reason),
            StepFailure::Memory(limit) => self.named.memory(limit),
        }
    }

    fn truncated(&self) -> Error {
        self.named.truncated(self.input.offset())
    }
}

impl Layer for Decoder {
    fn read(&mut self, output: &mut [u8]) -> Result<ReadResult, Error> {
        while let Some(mut member) = self.member.take() {
            let (produced, end) = self.decode(member.as_mut(), output)?;
            match end {
                true => self.next_member()?,
                false => self.member = Some(member),
            }
            if produced > 0 {
                return Ok(ReadResult::bytes(produced));
            }
        }
        Ok(ReadResult::bytes(0))
    }

    fn stored(&mut self) -> StoredFacts {
        self.input.stored()
    }
}
