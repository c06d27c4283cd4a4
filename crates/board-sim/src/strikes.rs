//! When a fault strikes, and which bits it changes.

use schemars::JsonSchema;
use serde::Deserialize;

/// A byte of the medium that is changed after writes that cover it.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlipBit {
    /// Where the byte is, bytes from the start of the medium.
    pub offset: u64,
    /// The bits of the byte that change.
    pub mask: u8,
    /// How often this happens; always when not given.
    #[serde(default)]
    pub times: Option<u32>,
}

/// How often a fault happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Times {
    /// Always or never.
    Always(bool),
    /// So many times, then no more.
    Count(u32),
}

impl Default for Times {
    fn default() -> Self {
        Self::Always(false)
    }
}

impl Times {
    /// Whether the fault happens when it already has `happened` times.
    pub(crate) fn strikes(self, happened: u64) -> bool {
        match self {
            Self::Always(always) => always,
            Self::Count(count) => happened < u64::from(count),
        }
    }
}

impl FlipBit {
    /// Changes the byte when `bytes`, which begin at `offset`, cover it and it was changed less often than it may be.
    pub(crate) fn strike(&self, offset: u64, bytes: &mut [u8], happened: u64) -> bool {
        let place = self.offset.checked_sub(offset).and_then(|place| usize::try_from(place).ok());
        let Some(byte) = place.and_then(|place| bytes.get_mut(place)) else { return false };
        let strikes = self.times.is_none_or(|times| happened < u64::from(times));
        if strikes {
            *byte ^= self.mask;
        }
        strikes
    }
}
