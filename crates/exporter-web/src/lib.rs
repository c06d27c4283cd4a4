//! The web page of an exporter: its boards with their state, consoles, flashes as they run, and the reports of those that ended.
//!
//! It uses the exporter as a client does, through [`exporter_grpc::DirectClient`], so a board has one user at a time whichever way they
//! come. All that is shown is made here, as HTML; a script of the page's own puts new parts in their places. Nothing is fetched from
//! elsewhere, and what a board prints or a file is called is shown as text.
//!
//! In reading order:
//!
//! * [`WebPage`], [`WebSettings`]: an address that is bound, and who may use it
//! * `patience`: a browser that does not read is dropped
//! * `trees`, `hub`: the tree that is served now, and what is known of its boards
//! * `board`: one board: its console, its state, its job, and the tab that has its line
//! * `sessions`, `guesses`, `visitor`: who asks
//! * `state`, `routes`, `answer`: what requests share, which page or action one means, and what all answers have
//! * `pages`: what they look like
//! * `events`: what a page hears while it is open
//! * `actions`: what a person can do

mod actions;
mod answer;
mod board;
mod events;
mod guesses;
mod hub;
mod pages;
mod patience;
mod routes;
mod server;
mod sessions;
mod settings;
mod state;
mod trees;
mod visitor;

pub use server::WebPage;
pub use settings::WebSettings;
pub use trees::{LeasedTrees, TreeSource};
