//! Pictures as SVG. They have no text and no colours of their own: the page writes the words beside them, and gives each
//! colour its meaning in light and in dark.

use maud::{Markup, PreEscaped, html};
use plotters::coord::Shift;
use plotters::prelude::{
    DrawingArea, IntoDrawingArea, PathElement, Polygon, RGBColor, Rectangle, SVGBackend,
};
use plotters::style::{Color, ShapeStyle};

/// Width of every picture in its own units; on the page it is as wide as there is room.
pub(crate) const WIDTH: u32 = 960;

/// A colour that the style sheet gives its meaning: `[fill="#0000NN"]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ink(pub(crate) u8);

impl Ink {
    fn colour(self) -> RGBColor {
        RGBColor(0, 0, self.0)
    }
}

/// A box from left to right, in parts of the picture's whole width, over its whole height.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) ink: Ink,
}

/// A line of steps over a filled area, in parts of the picture's width and height, from the bottom left.
#[derive(Clone, Debug)]
pub(crate) struct Steps {
    pub(crate) ink: Ink,
    /// From, to, how high.
    pub(crate) steps: Vec<(f64, f64, f64)>,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Boxes in a row. `label` says what they show.
pub(crate) fn row(label: &str, height: u32, stretches: &[Stretch]) -> Markup {
    picture(label, "row", height, |area| {
        for Stretch { from, to, ink } in stretches {
            let (left, right) = (across(*from), across(*to));
            // What is there must show.
            let right = right.max(left + 1).min(WIDTH as i32);
            let left = left.min(right - 1);
            area.draw(&Rectangle::new([(left, 0), (right, height as i32)], ink.colour().filled()))?;
        }
        Ok(())
    })
}

/// Lines of steps, one over the other, above thin lines at each quarter of the height.
pub(crate) fn chart(label: &str, height: u32, lines: &[Steps], grid: Ink) -> Markup {
    picture(label, "chart", height, |area| {
        for quarter in 0..4 {
            let y = (height * quarter / 4) as i32;
            area.draw(&PathElement::new(vec![(0, y), (WIDTH as i32, y)], ShapeStyle::from(grid.colour())))?;
        }
        for line in lines {
            let up = |part: f64| ((1.0 - part.clamp(0.0, 1.0)) * f64::from(height - 2)) as i32 + 1;
            let top: Vec<(i32, i32)> = line
                .steps
                .iter()
                .flat_map(|(from, to, high)| [(across(*from), up(*high)), (across(*to), up(*high))])
                .collect();
            let (Some(first), Some(last)) = (top.first(), top.last()) else { continue };
            let mut area_under = top.clone();
            area_under.extend([(last.0, height as i32), (first.0, height as i32)]);
            area.draw(&Polygon::new(area_under, line.ink.colour().mix(0.2).filled()))?;
            area.draw(&PathElement::new(top, line.ink.colour().stroke_width(2)))?;
        }
        Ok(())
    })
}

fn across(part: f64) -> i32 {
    (part.clamp(0.0, 1.0) * f64::from(WIDTH)).round() as i32
}

type DrawingError = plotters::drawing::DrawingAreaErrorKind<std::io::Error>;

fn picture(
    label: &str,
    class: &str,
    height: u32,
    draw: impl FnOnce(&Area<'_>) -> Result<(), DrawingError>,
) -> Markup {
    let mut svg = String::new();
    let drawn = {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        draw(&area).and_then(|()| area.present())
    };
    // Drawing into memory does not fail; if it did, the words beside the picture are still there.
    match (drawn, svg.find('>')) {
        (Ok(()), Some(end)) => html! {
            svg class=(class) viewBox=(format!("0 0 {WIDTH} {height}")) preserveAspectRatio="none" role="img" aria-label=(label) {
                (PreEscaped(svg[end + 1..].trim_end().trim_end_matches("</svg>").replace(" opacity=\"1\"", "")))
            }
        },
        _ => html! {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_boxes_and_lines_without_text() {
        let stretch = |from, to| Stretch { from, to, ink: Ink(3) };
        let svg = row("steps \"<", 10, &[stretch(0.0, 0.5), stretch(1.0, 1.0), stretch(f64::NAN, 9.0)])
            .into_string();
        assert!(svg.starts_with("<svg class=\"row\" viewBox=\"0 0 960 10\""), "{svg}");
        assert!(svg.contains("aria-label=\"steps &quot;&lt;\""), "{svg}");
        assert_eq!(svg.matches("<rect").count(), 3, "{svg}");
        assert!(svg.contains("fill=\"#000003\"") && svg.ends_with("</svg>"), "{svg}");
        let line = Steps { ink: Ink(4), steps: vec![(0.0, 0.5, 1.0), (0.5, 1.0, 0.25)] };
        let svg =
            chart("rates", 100, &[line, Steps { ink: Ink(5), steps: Vec::new() }], Ink(9)).into_string();
        assert_eq!((svg.matches("<polygon").count(), svg.matches("<polyline").count()), (1, 5), "{svg}");
        assert!(!svg.contains("<text"), "{svg}");
    }
}
