//! All boards.

use maud::{Markup, html};

use super::{Frame, board_path, job, status};
use crate::board::ShownBoard;
use crate::hub::ShownTree;

pub(crate) fn overview(frame: &Frame, tree: &ShownTree) -> Markup {
    let content = html! {
        h1 { "Boards" }
        @if let Some(motd) = tree.client.motd() { p.motd { (motd) } }
        @if !frame.may_act { p.aside { "A controller gives this exporter to its clients. This page shows what they do." } }
        div id="boards" { (boards(tree)) }
    };
    frame.page("Boards", Some("/events"), &content)
}

/// The part of the page that changes.
pub(crate) fn boards(tree: &ShownTree) -> Markup {
    html! {
        @if tree.boards.is_empty() {
            p.empty { "This exporter has no board that can be shown: no flasher, power switch or serial line of its own." }
        } @else {
            div.wide { table {
                thead { tr { th scope="col" { "Board" } th scope="col" { "Power" } th scope="col" { "Job" } th scope="col" { "In use" } } }
                tbody { @for (index, board) in tree.boards.iter().enumerate() { (row(index, board)) } }
            } }
        }
    }
}

fn row(index: usize, board: &ShownBoard) -> Markup {
    let now = board.status.borrow().clone();
    html! {
        tr {
            th scope="row" {
                a id=(format!("board-{index}")) href=(board_path(board.name())) { (board.name()) }
                @if let Some(description) = &board.nodes.description { div.aside { (description) } }
            }
            td { (status::power(&now.power)) }
            td { (job::in_short(board.job.borrow().as_deref(), board.nodes.flasher.is_some())) }
            td { @match &now.in_use { Some(holder) => (holder), None => span.aside { "free" } } }
        }
    }
}
