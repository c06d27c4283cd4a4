//! How a playing ended.

/// How a recording was played.
#[derive(Clone, Debug, PartialEq)]
pub struct Played {
    /// Where the job first did something else than when it was recorded.
    pub difference: Option<Difference>,
    /// How many of the recorded entries were played.
    pub played: usize,
    /// How many there are.
    pub entries: usize,
}

/// Something that the job did otherwise than when it was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Seconds since the recorded job began.
    pub at: f64,
    /// What it did then.
    pub recorded: String,
    /// What it does now.
    pub now: String,
}
