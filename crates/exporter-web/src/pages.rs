//! What the pages look like: HTML, one style sheet beside that of reports, and one script that puts new parts in their places.

mod board;
mod frame;
mod history;
mod job;
mod login;
mod overview;
mod problem;
mod status;

pub(crate) use self::board::{BoardPage, board};
pub(crate) use self::frame::Frame;
pub(crate) use self::history::{HistoryPage, history};
pub(crate) use self::job::{announced, job};
pub(crate) use self::login::login;
pub(crate) use self::overview::{boards, overview};
pub(crate) use self::problem::problem;
pub(crate) use self::status::status;

/// The style sheet: what reports have, and what only these pages have.
pub(crate) const STYLES: [&str; 2] = [report::STYLE, include_str!("pages/style.css")];
/// The script.
pub(crate) const SCRIPT: &str = include_str!("pages/script.js");
/// The picture in the tab of a browser.
pub(crate) const ICON: &str = include_str!("pages/icon.svg");

/// The address of a board's page, and below it.
pub(crate) fn board_path(name: &str) -> String {
    format!("/board/{}", percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC))
}
