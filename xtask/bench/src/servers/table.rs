//! A table of figures, ours first, and how ours compares with the best of the others.

use super::peers::Peer;

/// Rows of one figure for each server.
pub(super) struct Table {
    title: &'static str,
    names: Vec<String>,
    rows: Vec<(String, Vec<f64>)>,
    lower: bool,
}

impl Table {
    /// A table with a column for each server.
    pub(super) fn new(title: &'static str, peers: &[Peer]) -> Self {
        Self {
            title,
            names: peers.iter().map(|peer| peer.name.clone()).collect(),
            rows: Vec::new(),
            lower: false,
        }
    }

    /// The best figure is the smallest one.
    pub(super) fn lower_is_better(self) -> Self {
        Self { lower: true, ..self }
    }

    pub(super) fn row(&mut self, name: &str, figures: Vec<f64>) {
        let shown: Vec<_> = figures.iter().map(|figure| format!("{figure:.3}")).collect();
        eprintln!("{name}: {}", shown.join(" "));
        self.rows.push((name.to_owned(), figures));
    }

    /// In Markdown.
    pub(super) fn text(&self) -> String {
        let rule = "|---".repeat(self.names.len() + 2);
        let mut text =
            format!("\n| {} | {} | ours / best other |\n{rule}|\n", self.title, self.names.join(" | "));
        for (name, figures) in &self.rows {
            let shown: Vec<_> = figures.iter().map(|figure| number(*figure)).collect();
            text += &format!("| {name} | {} | {} |\n", shown.join(" | "), self.ratio(figures));
        }
        text
    }

    fn ratio(&self, figures: &[f64]) -> String {
        let Some((ours, others)) = figures.split_first() else { return String::new() };
        let better = if self.lower { f64::min } else { f64::max };
        others
            .iter()
            .copied()
            .reduce(better)
            .map_or_else(|| "–".to_owned(), |best| format!("{:.2}", ours / best))
    }
}

/// Three digits that count.
fn number(figure: f64) -> String {
    let decimals = match figure {
        100.0.. => 0,
        10.0..100.0 => 1,
        1.0..10.0 => 2,
        _ => 3,
    };
    format!("{figure:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_is_compared_with_the_best_of_the_others() {
        let names = vec!["flasher".to_owned(), "one".to_owned(), "other".to_owned()];
        let mut table = Table { title: "MB/s", names, rows: Vec::new(), lower: false };
        table.row("512/1", vec![123.4, 61.7, 0.5]);
        let expected = "\n| MB/s | flasher | one | other | ours / best other |\n|---|---|---|---|---|\n\
                        | 512/1 | 123 | 61.7 | 0.500 | 2.00 |\n";
        assert_eq!(table.text(), expected);
        assert_eq!(table.lower_is_better().ratio(&[1.0, 4.0, 2.0]), "0.50");
    }
}
