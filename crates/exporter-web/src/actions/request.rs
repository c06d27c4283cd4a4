//! An action as it was asked for: its form, who asks, and from which tab.

use std::sync::Arc;

use exporter_grpc::DirectClient;

use crate::board::ShownBoard;
use crate::state::WebState;
use crate::visitor::Visitor;

/// What a form holds.
#[derive(Debug, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// The fields of a body.
    pub(super) fn of(body: &[u8]) -> Self {
        Self(
            form_urlencoded::parse(body).map(|(key, value)| (key.into_owned(), value.into_owned())).collect(),
        )
    }

    /// The value of a field; none when it is empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }
}

/// Who acts, on what, and how the answer goes back.
pub(super) struct BoardAction<'a> {
    pub(super) state: &'a Arc<WebState>,
    pub(super) visitor: &'a Visitor,
    /// The tab that asks, when its script does.
    pub(super) tab: Option<String>,
}

impl BoardAction<'_> {
    /// The exporter as this visitor's client.
    pub(super) fn client(&self, board: &ShownBoard) -> DirectClient {
        board.client.of(&self.visitor.name(), self.visitor.is_local())
    }
}
