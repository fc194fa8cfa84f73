//! Rows whose columns stand below each other.

use std::borrow::Cow;

use textwrap::{Options, WordSplitter};
use unicode_truncate::UnicodeTruncateStr;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub(super) struct Cell {
    text: String,
    style: anstyle::Style,
}

impl Cell {
    pub(super) fn new(text: impl Into<String>, style: anstyle::Style) -> Self {
        Self { text: text.into(), style }
    }

    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self::new(text, anstyle::Style::new())
    }
}

/// What becomes of a column where the terminal is too narrow for all of them.
#[derive(Clone, Copy)]
pub(super) struct Column {
    /// It may become this narrow before others go.
    least: usize,
    /// The columns of the greatest number go first; those of 0 stay.
    rank: u8,
    /// What is cut of its texts: names are told apart by their ends.
    cut_start: bool,
}

impl Column {
    pub(super) const WHOLE: Self = Self { least: usize::MAX, rank: 0, cut_start: false };

    pub(super) const fn least(self, least: usize) -> Self {
        Self { least, ..self }
    }

    pub(super) const fn rank(self, rank: u8) -> Self {
        Self { rank, ..self }
    }

    pub(super) const fn keep_end(self) -> Self {
        Self { cut_start: true, ..self }
    }
}

const GAP: usize = 2;
/// Nothing is left of a text that is narrower.
const NARROWEST: usize = 4;

/// Writes rows with aligned columns, a line each and after `indent`, however wide they are.
pub(super) fn aligned(rows: &[Vec<Cell>], indent: &str) -> String {
    let columns = vec![Column::WHOLE; rows.iter().map(Vec::len).max().unwrap_or(0)];
    table(rows, &columns, indent, usize::MAX).into_iter().map(|line| line + "\n").collect()
}

/// Writes rows with aligned columns, a line each and after `indent`, no wider than `width`.
pub(super) fn table(rows: &[Vec<Cell>], columns: &[Column], indent: &str, width: usize) -> Vec<String> {
    let natural =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.width()).max().unwrap_or(0);
    let natural: Vec<usize> = (0..columns.len()).map(natural).collect();
    let widths = fitted(&natural, columns, width.saturating_sub(indent.width()));
    let line = |row: &Vec<Cell>| {
        let mut line = indent.to_owned();
        let mut owed = 0;
        for ((cell, column), width) in row.iter().zip(columns).zip(&widths) {
            if *width == 0 {
                continue;
            }
            let text = shortened(&cell.text, *width, column.cut_start);
            if !text.is_empty() {
                line.extend(std::iter::repeat_n(' ', owed));
                owed = 0;
                line.push_str(&format!("{}{text}{:#}", cell.style, cell.style));
            }
            owed += width - text.width() + GAP;
        }
        line
    };
    rows.iter().map(line).collect()
}

/// The widths with which the columns fit: first some become narrower, then some go, and at last all are cut.
fn fitted(natural: &[usize], columns: &[Column], width: usize) -> Vec<usize> {
    let mut kept: Vec<usize> = natural.to_vec();
    loop {
        let least = |column: usize| columns[column].least;
        let widths = narrowed(&kept, least, width);
        let goes = (0..columns.len()).filter(|column| kept[*column] > 0 && columns[*column].rank > 0);
        match goes.max_by_key(|column| columns[*column].rank) {
            _ if total(&widths) <= width => return widths,
            Some(column) => kept[column] = 0,
            None => return narrowed(&widths, |_| NARROWEST, width),
        }
    }
}

/// Takes from the widest columns until all fit or none may become narrower.
fn narrowed(widths: &[usize], least: impl Fn(usize) -> usize, width: usize) -> Vec<usize> {
    let mut widths = widths.to_vec();
    while total(&widths) > width {
        let can_shrink = |column: &usize| widths[*column] > least(*column);
        let Some(widest) = (0..widths.len()).filter(can_shrink).max_by_key(|column| widths[*column]) else { break };
        widths[widest] -= 1;
    }
    widths
}

fn total(widths: &[usize]) -> usize {
    let shown = widths.iter().filter(|width| **width > 0).count();
    widths.iter().sum::<usize>() + shown.saturating_sub(1) * GAP
}

/// A text of at most this width, with `…` for what is missing.
fn shortened(text: &str, width: usize, cut_start: bool) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub("…".width());
    if cut_start {
        format!("…{}", text.unicode_truncate_start(room).0)
    } else {
        format!("{}…", text.unicode_truncate(room).0.trim_end())
    }
}

/// Breaks a text into lines of at most this width, never at a hyphen: such a name could not be copied.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let options = Options::new(width).word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(text, options).into_iter().map(Cow::into_owned).collect()
}

/// Cuts a line to a width, and leaves the styles in it alone.
pub(super) fn cut(line: &str, width: usize) -> String {
    let mut kept = String::new();
    let mut width_so_far = 0;
    let mut inside_escape = false;
    for c in line.chars() {
        let is_invisible = inside_escape || c == '\u{1b}';
        inside_escape = is_invisible && c != 'm';
        width_so_far += if is_invisible { 0 } else { c.width().unwrap_or(0) };
        if width_so_far > width {
            break;
        }
        kept.push(c);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: [&str; 3]) -> Vec<Cell> {
        cells.map(Cell::plain).into()
    }

    #[test]
    fn columns_stand_below_each_other_whatever_the_script() {
        let table = table(&[row(["a", "寸法", "last"]), row(["bcd", "x", ""])], &[Column::WHOLE; 3], "  ", 80);
        assert_eq!(table, ["  a    寸法  last", "  bcd  x"]);
    }

    #[test]
    fn a_narrow_terminal_cuts_what_may_be_cut_and_then_drops_what_may_go() {
        let rows = [row(["a rather long name", "src/deep/model.rs", "seen"])];
        let columns = [Column::WHOLE.least(8), Column::WHOLE.least(9).keep_end(), Column::WHOLE.rank(1)];
        let at = |width: usize| table(&rows, &columns, "", width).concat();
        assert_eq!(at(43), "a rather long name  src/deep/model.rs  seen");
        assert_eq!(at(36), "a rather long…  …deep/model.rs  seen");
        assert_eq!(at(25), "a rathe…  …model.rs  seen");
        assert_eq!(at(24), "a rather l…  …p/model.rs");
        assert_eq!(at(12), "a ra…  …l.rs");
    }

    #[test]
    fn long_texts_are_broken_at_spaces() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a 寸法寸法 b", 4), ["a", "寸法", "寸法", "b"]);
        assert_eq!(wrapped("the session-1", 8), ["the", "session-", "1"]);
        assert_eq!(wrapped("the session-1", 9), ["the", "session-1"]);
        assert_eq!(wrapped("one two", usize::MAX), ["one two"]);
    }

    #[test]
    fn a_cut_counts_what_is_seen() {
        assert_eq!(cut("\u{1b}[1mabc\u{1b}[0mdef", 4), "\u{1b}[1mabc\u{1b}[0md");
        assert_eq!(cut("寸法", 3), "寸");
    }
}
