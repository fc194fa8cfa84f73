//! Rows whose columns stand below each other.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A piece of a row, with its style around it.
pub(super) struct Cell {
    text: String,
    style: anstyle::Style,
}

impl Cell {
    /// A piece of text in one style.
    pub(super) fn new(text: impl Into<String>, style: anstyle::Style) -> Self {
        Self { text: text.into(), style }
    }

    /// A piece of text as it is.
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self::new(text, anstyle::Style::new())
    }
}

/// Writes rows with aligned columns, each line after `indent`. The last cell of a row is not padded, and takes no part
/// in the widths.
pub(super) fn aligned(rows: &[Vec<Cell>], indent: &str) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width_of = |column: usize| {
        let cells = rows.iter().filter(|row| row.len() > column + 1);
        cells.map(|row| row[column].text.width()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width_of).collect();
    let mut lines = String::new();
    for row in rows {
        lines.push_str(indent);
        for (column, Cell { text, style }) in row.iter().enumerate() {
            if !text.is_empty() {
                lines.push_str(&format!("{style}{text}{style:#}"));
            }
            if column + 1 < row.len() {
                let padding = widths[column].saturating_sub(text.width()) + 2;
                lines.extend(std::iter::repeat_n(' ', padding));
            }
        }
        lines.truncate(lines.trim_end_matches(' ').len());
        lines.push('\n');
    }
    lines
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

    #[test]
    fn columns_stand_below_each_other_whatever_the_script() {
        let row = |cells: [&str; 3]| cells.map(Cell::plain).into();
        let table = aligned(&[row(["a", "寸法", "last"]), row(["bcd", "x", ""])], "  ");
        assert_eq!(table, "  a    寸法  last\n  bcd  x\n");
    }

    #[test]
    fn a_cut_counts_what_is_seen() {
        assert_eq!(cut("\u{1b}[1mabc\u{1b}[0mdef", 4), "\u{1b}[1mabc\u{1b}[0md");
        assert_eq!(cut("寸法", 3), "寸");
    }
}
