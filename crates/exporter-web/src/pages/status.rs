//! The state of a board.

use maud::{Markup, html};

use crate::board::{BoardStatus, PowerView};

/// The part of a page that changes with the state.
pub(crate) fn status(status: &BoardStatus) -> Markup {
    html! {
        dl {
            dt { "Power" } dd { (power(&status.power)) }
            dt { "In use" } dd { @match &status.in_use { Some(holder) => (holder), None => "free" } }
        }
    }
}

/// The power in a word.
pub(super) fn power(power: &PowerView) -> Markup {
    match power {
        PowerView::Unasked => html! { span.aside { "not asked yet" } },
        PowerView::NoSwitch => html! { span.aside { "no switch" } },
        PowerView::On => html! { span.good { "on" } },
        PowerView::Off => html! { "off" },
        PowerView::Unknown => html! { span.aside { "the switch cannot tell" } },
        PowerView::Failed(why) => html! { span.bad { (why) } },
    }
}
