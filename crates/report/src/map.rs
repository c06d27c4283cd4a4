//! The map of a medium: what the image has where, what was written, and what was read back.

use flasher_core::flash::{MediumFacts, RangeFacts, RangeKind};

/// Columns of a map.
pub(crate) const COLUMNS: usize = 480;

/// What a stretch of the medium is, in one of the rows of a map. The later one shows where a column has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mark {
    /// No range of the image.
    Nothing,
    /// The image leaves it as it is.
    Unmapped,
    /// A partition that stays as it is.
    Kept,
    /// The image has zeros.
    Zero,
    /// The image has data.
    Data,
    /// Not written.
    NotWritten,
    /// Not written, because it was equal before.
    EqualBefore,
    /// Written once.
    Written,
    /// Written more than once.
    WrittenAgain,
    /// Not read back.
    NotRead,
    /// Read back, and equal.
    Equal,
    /// Read back, and different.
    Differs,
}

impl Mark {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Nothing => "not in the image",
            Self::Unmapped => "unmapped",
            Self::Kept => "kept partition",
            Self::Zero => "zero",
            Self::Data => "data",
            Self::NotWritten => "not written",
            Self::EqualBefore => "equal before",
            Self::Written => "written",
            Self::WrittenAgain => "written again",
            Self::NotRead => "not read back",
            Self::Equal => "equal",
            Self::Differs => "differs",
        }
    }
}

/// One row of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MapRow {
    pub(crate) title: &'static str,
    /// Stretches of equal columns: the first, one past the last, what they are.
    pub(crate) stretches: Vec<(usize, usize, Mark)>,
    /// Bytes of each mark, in the order of the marks.
    pub(crate) totals: Vec<(Mark, u64)>,
}

/// The map of a medium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MediumMap {
    /// Where the image ends, bytes.
    pub(crate) end: u64,
    /// Ranges that it is made of.
    pub(crate) ranges: usize,
    pub(crate) rows: Vec<MapRow>,
}

/// The map of `medium`; none when no range of the image is known.
pub(crate) fn map(medium: &MediumFacts) -> Option<MediumMap> {
    let end = medium.ranges.iter().map(|range| range.offset.saturating_add(range.length)).max()?;
    if end == 0 {
        return None;
    }
    let rows = vec![
        row("image", &medium.ranges, end, |range| kind(medium, range)),
        row("written", &medium.ranges, end, written),
        row("read back", &medium.ranges, end, read_back),
    ];
    Some(MediumMap { end, ranges: medium.ranges.len(), rows })
}

fn kind(medium: &MediumFacts, range: &RangeFacts) -> Mark {
    match range.kind {
        RangeKind::Unmapped if medium.kept.iter().any(|kept| kept.holds(range.offset, range.length)) => {
            Mark::Kept
        }
        RangeKind::Data => Mark::Data,
        RangeKind::Zero => Mark::Zero,
        RangeKind::Unmapped => Mark::Unmapped,
    }
}

fn written(range: &RangeFacts) -> Mark {
    match (range.writes, read_back(range)) {
        (0, Mark::Equal) => Mark::EqualBefore,
        (0, _) => Mark::NotWritten,
        (1, _) => Mark::Written,
        _ => Mark::WrittenAgain,
    }
}

fn read_back(range: &RangeFacts) -> Mark {
    match &range.read_back {
        None => Mark::NotRead,
        Some(digest) if *digest == range.sha256 => Mark::Equal,
        Some(_) => Mark::Differs,
    }
}

fn row(title: &'static str, ranges: &[RangeFacts], end: u64, mark: impl Fn(&RangeFacts) -> Mark) -> MapRow {
    let mut columns = [Mark::Nothing; COLUMNS];
    let mut totals: Vec<(Mark, u64)> = Vec::new();
    for range in ranges.iter().filter(|range| range.length > 0) {
        let mark = mark(range);
        match totals.iter_mut().find(|(it, _)| *it == mark) {
            Some((_, total)) => *total = total.saturating_add(range.length),
            None => totals.push((mark, range.length)),
        }
        let first = column(range.offset, end);
        let last = column(range.offset.saturating_add(range.length - 1), end);
        // A range that fills columns is drawn whole. Of many small ones each column takes a few strokes, not more.
        columns[first..=last].iter_mut().for_each(|column| *column = (*column).max(mark));
    }
    totals.sort_unstable_by_key(|(mark, _)| *mark);
    MapRow { title, stretches: stretches(&columns), totals }
}

fn column(offset: u64, end: u64) -> usize {
    let column = u128::from(offset) * COLUMNS as u128 / u128::from(end);
    (column as usize).min(COLUMNS - 1)
}

fn stretches(columns: &[Mark]) -> Vec<(usize, usize, Mark)> {
    let mut stretches: Vec<(usize, usize, Mark)> = Vec::new();
    for (index, mark) in columns.iter().enumerate() {
        match stretches.last_mut() {
            Some((_, end, last)) if last == mark => *end = index + 1,
            _ => stretches.push((index, index + 1, *mark)),
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(offset: u64, length: u64, kind: RangeKind, read_back: Option<&str>, writes: u32) -> RangeFacts {
        let read_back = read_back.map(str::to_owned);
        RangeFacts { offset, length, kind, sha256: "aa".to_owned(), read_back, writes, held: false }
    }

    /// The title of a row, and its stretches.
    type Drawn = (&'static str, Vec<(usize, usize, Mark)>);

    fn drawn(ranges: Vec<RangeFacts>) -> Option<Vec<Drawn>> {
        let map = map(&MediumFacts { ranges, ..MediumFacts::default() })?;
        Some(map.rows.into_iter().map(|row| (row.title, row.stretches)).collect())
    }

    #[test]
    fn what_a_map_shows() {
        assert_eq!(drawn(Vec::new()), None);
        assert_eq!(drawn(vec![range(0, 0, RangeKind::Data, None, 0)]), None);
        let rows = drawn(vec![
            range(0, 480, RangeKind::Data, Some("aa"), 1),
            range(480, 480, RangeKind::Zero, Some("aa"), 0),
            range(960, 476, RangeKind::Unmapped, None, 0),
            range(1436, 4, RangeKind::Data, Some("bb"), 3),
        ]);
        let expected = vec![
            (
                "image",
                vec![
                    (0, 160, Mark::Data),
                    (160, 320, Mark::Zero),
                    (320, 478, Mark::Unmapped),
                    (478, 480, Mark::Data),
                ],
            ),
            (
                "written",
                vec![
                    (0, 160, Mark::Written),
                    (160, 320, Mark::EqualBefore),
                    (320, 478, Mark::NotWritten),
                    (478, 480, Mark::WrittenAgain),
                ],
            ),
            ("read back", vec![(0, 320, Mark::Equal), (320, 478, Mark::NotRead), (478, 480, Mark::Differs)]),
        ];
        assert_eq!(rows, Some(expected));
    }

    #[test]
    fn ranges_beyond_all_bounds_make_a_map() {
        let rows = drawn(vec![
            range(u64::MAX, u64::MAX, RangeKind::Data, Some("aa"), u32::MAX),
            range(0, 1, RangeKind::Data, Some("bb"), 1),
        ]);
        let (_, read_back) = &rows.unwrap()[2];
        assert_eq!(read_back.first(), Some(&(0, 1, Mark::Differs)));
        assert_eq!(read_back.last(), Some(&(479, 480, Mark::Equal)));
    }
}
