//! What every page has around its content.

use maud::{DOCTYPE, Markup, html};

/// What the frame of a page shows, and what its script needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    /// What the bench is called.
    pub(crate) bench: String,
    /// What every action brings along.
    pub(crate) token: String,
    /// The tree that is shown.
    pub(crate) tree: String,
    /// Whether there is a history.
    pub(crate) has_history: bool,
    /// Whether there are counts for a monitoring system to read.
    pub(crate) has_metrics: bool,
    /// Whether a user can log out.
    pub(crate) has_login: bool,
    /// Whether users may use the boards, or only look.
    pub(crate) may_act: bool,
}

impl Frame {
    /// The frame for a browser that did not give the passphrase: it tells nothing of the exporter.
    pub(crate) fn of_stranger(token: &str) -> Self {
        Self { token: token.to_owned(), ..Self::default() }
    }

    /// A page. `events` is where it hears of what changes.
    pub(crate) fn page(&self, title: &str, events: Option<&str>, content: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) " · flasher" }
                    link rel="icon" type="image/svg+xml" href="/icon.svg";
                    link rel="stylesheet" href="/style.css";
                    script src="/script.js" defer {}
                }
                body.web data-token=(self.token) data-tree=(self.tree) data-events=[events] {
                    a.skip href="#content" { "To the content" }
                    (self.head(events.is_some()))
                    main id="content" {
                        p.message id="message" role="alert" hidden {}
                        (content)
                    }
                    p.unseen id="announce" role="status" {}
                }
            }
        }
    }

    fn head(&self, is_live: bool) -> Markup {
        html! {
            div.top {
                nav aria-label="Pages" {
                    a.home href="/" { "flasher" @if !self.bench.is_empty() { " · " (self.bench) } }
                    @if self.has_history { a href="/history" { "History" } }
                    @if self.has_metrics { a href="/metrics" { "Metrics" } }
                }
                @if is_live {
                    span.live id="live" role="status" { noscript { "as of now; reload for news" } }
                }
                @if self.has_login {
                    form method="post" action="/logout" { (self.token_field()) button.plain { "Log out" } }
                }
            }
        }
    }

    /// The hidden field of a form that acts.
    pub(crate) fn token_field(&self) -> Markup {
        html! { input type="hidden" name="token" value=(self.token); }
    }
}
