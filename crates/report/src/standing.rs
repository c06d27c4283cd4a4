//! What a receipt comes to, once it was looked at as `verify-receipt` does.

use flasher_core::flash::audit;
use flasher_core::{Class, Receipt, Verdict};

/// What a receipt comes to. What a receipt says of itself is not enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It proves that the whole image is on the medium.
    Proven,
    /// All was written; less than everything was read back, as it was asked for.
    Written,
    /// The job failed, and this is to blame.
    Failed(Class),
    /// It says `proven` or `written` and does not bear it out; why.
    Unproven(String),
}

impl Standing {
    /// What `receipt` comes to.
    pub fn of(receipt: &Receipt) -> Self {
        match (receipt.verdict, &receipt.failure) {
            (_, Some(failure)) => Self::Failed(failure.class),
            (Verdict::Failed, None) => Self::Failed(Class::Internal),
            _ if !receipt.is_sealed() => Self::Unproven(
                "a former version wrote it, without a digest over the whole, so a change cannot be detected"
                    .to_owned(),
            ),
            (verdict, None) => match (audit::audit(receipt), verdict) {
                (Err(flaw), _) => Self::Unproven(flaw.to_string()),
                (Ok(_), Verdict::Proven) => Self::Proven,
                (Ok(_), _) => Self::Written,
            },
        }
    }

    /// The verdict in a few words.
    pub fn words(&self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Written => "written, not proven",
            Self::Failed(_) => "failed",
            Self::Unproven(_) => "proves nothing",
        }
    }
}
