//! One board: state, job, console and what was done before.

use ledger::HistoryEntry;
use maud::{Markup, PreEscaped, html};

use super::{Frame, board_path, history, job, status};
use crate::board::ShownBoard;

/// What the page of a board is made of besides the board.
#[derive(Debug)]
pub(crate) struct BoardPage<'a> {
    pub(crate) frame: &'a Frame,
    pub(crate) board: &'a ShownBoard,
    /// Its last jobs.
    pub(crate) history: &'a [HistoryEntry],
}

pub(crate) fn board(page: &BoardPage<'_>) -> Markup {
    let BoardPage { frame, board, history } = page;
    let path = board_path(board.name());
    let nodes = &board.nodes;
    let console = board.console.all();
    let content = html! {
        h1 { (board.name()) @if let Some(description) = &nodes.description { " " span.aside { (description) } } }
        div.columns {
            div {
                section aria-labelledby="h-state" {
                    h2 id="h-state" { "State" }
                    div id="status" { (status(&board.status.borrow())) }
                    @if frame.may_act && nodes.power.is_some() { (power(frame, &path)) }
                }
                @if nodes.flasher.is_some() {
                    section aria-labelledby="h-job" {
                        h2 id="h-job" { "Job" }
                        div id="job" { (job(board.job.borrow().as_deref(), frame.may_act)) }
                        @if frame.may_act {
                            form id="cancel" method="post" action=(format!("{path}/cancel")) data-act { (frame.token_field()) }
                        }
                    }
                }
            }
            div.right {
                @if nodes.serial.is_some() {
                    section aria-labelledby="h-console" {
                        h2 id="h-console" { "Console" }
                        div.console id="lines" tabindex="0" role="log" aria-live="off" aria-label="Console of the board" {
                            (PreEscaped(console.html))
                        }
                        div.unfinished id="unfinished" { (console.unfinished) }
                        @if frame.may_act { (line(frame, &path)) }
                    }
                }
            }
            @if frame.may_act && nodes.flasher.is_some() { div { (flash(frame, &path)) } }
        }
        @if frame.has_history && nodes.flasher.is_some() {
            section aria-labelledby="h-history" {
                h2 id="h-history" { "Last jobs" }
                (history::table(history, "No jobs yet."))
            }
        }
    };
    frame.page(board.name(), Some(&format!("{path}/events?from={}", console.next)), &content)
}

fn power(frame: &Frame, path: &str) -> Markup {
    html! {
        form method="post" action=(format!("{path}/power")) data-act {
            (frame.token_field())
            div.buttons role="group" aria-label="Power" {
                button name="to" value="on" { "On" }
                button name="to" value="off" { "Off" }
                button name="to" value="cycle" { "Off and on" }
            }
        }
    }
}

fn flash(frame: &Frame, path: &str) -> Markup {
    html! {
        section aria-labelledby="h-flash" {
            h2 id="h-flash" { "Flash" }
            form.fields id="flash" method="post" action=(format!("{path}/flash")) data-flash {
                (frame.token_field())
                label for="url" { "Image, URL" }
                input id="url" name="url" type="url" placeholder="https://" autocomplete="off" spellcheck="false";
                div.scripted hidden {
                    label for="file" { "or a file of yours" }
                    input id="file" type="file";
                }
                label for="sha256" { "SHA-256 it must have" }
                input id="sha256" name="sha256" pattern="[0-9a-fA-F]{64}" maxlength="64" autocomplete="off" spellcheck="false" placeholder="optional";
                label for="target" { "Target" }
                input id="target" name="target" maxlength="100" autocomplete="off" spellcheck="false" placeholder="the board's default";
                p.aside { "What is on the medium is replaced. The board is switched off and on." }
                div.buttons { button { "Flash" } }
            }
        }
    }
}

/// What a person types with. Only a script can take the line, since a page that is gone must let it go.
fn line(frame: &Frame, path: &str) -> Markup {
    html! {
        noscript { p.aside { "To type, this page needs its script." } }
        div.scripted id="line" data-path=(path) data-token=(frame.token) hidden {
            p id="line-state" role="status" { }
            div.buttons { button id="take" type="button" { "Take the line to type" } }
            div id="typing" hidden {
                form.row id="type" {
                    label.unseen for="typed" { "Text to send, with Enter behind it" }
                    input id="typed" autocomplete="off" autocapitalize="off" spellcheck="false" placeholder="Enter sends it";
                    button { "Send" }
                }
                div.buttons role="group" aria-label="Keys" {
                    button type="button" data-send="space" { "Space" }
                    button type="button" data-send="ctrl-c" { "Ctrl-C" }
                    button type="button" data-send="escape" { "Esc" }
                    button type="button" data-send="tab" { "Tab" }
                    button type="button" id="release" { "Let go" }
                }
            }
        }
    }
}
