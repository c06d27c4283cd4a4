//! The power of a board, and who has it.

use std::time::Duration;

use exporter_grpc::{BoardNodes, DirectClient};
use flasher_core::safe;

/// Bound on asking the switch: a page shows that it does not answer.
const ANSWER: Duration = Duration::from_secs(5);
/// Longest text of an error that is shown, characters.
const LONGEST: usize = 500;

/// What is asked of a board again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BoardStatus {
    pub(crate) power: PowerView,
    /// Who has the board, in words.
    pub(crate) in_use: Option<String>,
}

/// The power as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum PowerView {
    /// It was not asked for yet.
    #[default]
    Unasked,
    /// The board has no switch.
    NoSwitch,
    On,
    Off,
    /// The switch cannot tell.
    Unknown,
    /// The switch does not answer, and why.
    Failed(String),
}

impl BoardStatus {
    pub(super) async fn of(client: &DirectClient, nodes: &BoardNodes) -> Self {
        Self { power: PowerView::of(client, nodes).await, in_use: client.in_use(nodes).await }
    }
}

impl PowerView {
    async fn of(client: &DirectClient, nodes: &BoardNodes) -> Self {
        let Some(path) = &nodes.power else { return Self::NoSwitch };
        match tokio::time::timeout(ANSWER, client.power_state(path)).await {
            Ok(Ok(Some(true))) => Self::On,
            Ok(Ok(Some(false))) => Self::Off,
            Ok(Ok(None)) => Self::Unknown,
            Ok(Err(error)) => Self::Failed(safe::short(&error.cause(), LONGEST)),
            Err(_) => Self::Failed(format!("the switch did not answer within {} s", ANSWER.as_secs())),
        }
    }
}
