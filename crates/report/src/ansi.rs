//! Colours of a console on a page: escape sequences become classes, and all else of them is left out.

use anstream::adapter::WinconBytes;
use anstyle::{AnsiColor, Color, Effects, Style};
use flasher_core::safe;
use maud::{Markup, html};

/// `text` as it would look on a terminal.
pub(crate) fn coloured(text: &str) -> Markup {
    if !text.contains('\u{1b}') {
        return html! { (safe::line(text)) };
    }
    let mut parser = WinconBytes::new();
    html! {
        @for (style, part) in parser.extract_next(text.as_bytes()) {
            @match class(style) {
                Some(class) => { span class=(class) { (safe::line(&part)) } }
                None => { (safe::line(&part)) }
            }
        }
    }
}

/// The classes of a style; none for a plain one. What would hide a text is not taken.
fn class(style: Style) -> Option<String> {
    let colour = match style.get_fg_color() {
        Some(Color::Ansi(colour)) => name(colour),
        _ => None,
    };
    let bold = style.get_effects().contains(Effects::BOLD).then_some("b");
    let classes: Vec<&str> = [colour, bold].into_iter().flatten().collect();
    (!classes.is_empty()).then(|| classes.join(" "))
}

/// Black and white are as good as the page's own colour, which always shows.
fn name(colour: AnsiColor) -> Option<&'static str> {
    match colour {
        AnsiColor::Red | AnsiColor::BrightRed => Some("cr"),
        AnsiColor::Green | AnsiColor::BrightGreen => Some("cg"),
        AnsiColor::Yellow | AnsiColor::BrightYellow => Some("cy"),
        AnsiColor::Blue | AnsiColor::BrightBlue => Some("cb"),
        AnsiColor::Magenta | AnsiColor::BrightMagenta => Some("cm"),
        AnsiColor::Cyan | AnsiColor::BrightCyan => Some("cc"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_classes_and_nothing_else_survives() {
        let cases = [
            ("plain <b>", "plain &lt;b&gt;"),
            ("a \u{1b}[31mred\u{1b}[0m b", "a <span class=\"cr\">red</span> b"),
            ("\u{1b}[1;32mok\u{1b}[m", "<span class=\"cg b\">ok</span>"),
            ("\u{1b}[8mhidden\u{1b}[0m \u{1b}[2J\u{1b}]0;title\u{7}x", "hidden x"),
            ("\u{1b}[31m<script>", "<span class=\"cr\">&lt;script&gt;</span>"),
            ("\u{202e}turned", "\u{fffd}turned"),
        ];
        for (text, expected) in cases {
            assert_eq!(coloured(text).into_string(), expected, "{text:?}");
        }
    }
}
