use std::fmt;
use std::ops::Range;

use imara_diff::{Algorithm, Diff, InternedInput, Interner, Token};

use super::{is_binary, lines};

/// Lines that were replaced by others. Either side may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// The lines that went, counted from 0.
    pub before: Range<usize>,
    /// The lines that came.
    pub after: Range<usize>,
}

/// What was changed, in order.
pub fn hunks(before: &[u8], after: &[u8]) -> Vec<Hunk> {
    of_lines(&lines(before), &lines(after))
}

/// How many lines came and how many went.
pub fn counts(before: &[u8], after: &[u8]) -> (usize, usize) {
    let is_text = !is_binary(before) && !is_binary(after);
    let (before, after) = if is_text { without_equal_beginning(before, after) } else { (before, after) };
    hunks(before, after)
        .iter()
        .fold((0, 0), |(added, removed), hunk| (added + hunk.after.len(), removed + hunk.before.len()))
}

/// Both without the whole lines with which they begin alike.
fn without_equal_beginning<'t>(before: &'t [u8], after: &'t [u8]) -> (&'t [u8], &'t [u8]) {
    let alike = before.iter().zip(after).take_while(|(before, after)| before == after).count();
    let start = before[..alike].iter().rposition(|byte| *byte == b'\n').map_or(0, |line_end| line_end + 1);
    (&before[start..], &after[start..])
}

/// The same for lines that were cut already.
pub(super) fn of_lines(before: &[&[u8]], after: &[&[u8]]) -> Vec<Hunk> {
    let (start, end) = equal_ends(before, after);
    let mut input = InternedInput::default();
    input.update_before(before[start..before.len() - end].iter().copied());
    input.update_after(after[start..after.len() - end].iter().copied());
    of_input(&input, input.interner.num_tokens(), start)
}

/// The lines of a text that has many versions, as numbers: each line is hashed once for each version, not for each
/// comparison.
#[derive(Default)]
pub(super) struct LineNumbers<'t>(Interner<&'t [u8]>);

/// A line's number.
pub(super) type LineNumber = Token;

impl<'t> LineNumbers<'t> {
    pub(super) fn of(&mut self, line: &'t [u8]) -> LineNumber {
        self.0.intern(line)
    }

    /// What was changed between two versions.
    pub(super) fn hunks(&self, before: &[LineNumber], after: &[LineNumber]) -> Vec<Hunk> {
        let (start, end) = equal_ends(before, after);
        let middle = |lines: &[LineNumber]| lines[start..lines.len() - end].to_vec();
        let input: InternedInput<&[u8]> =
            InternedInput { before: middle(before), after: middle(after), ..InternedInput::default() };
        of_input(&input, self.0.num_tokens(), start)
    }
}

impl fmt::Debug for LineNumbers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lines", self.0.num_tokens())
    }
}

fn of_input(input: &InternedInput<&[u8]>, numbers: u32, start: usize) -> Vec<Hunk> {
    let mut diff = Diff::default();
    diff.compute_with(Algorithm::Histogram, &input.before, &input.after, numbers);
    diff.postprocess_no_heuristic(input);
    let whole = |range: Range<u32>| range.start as usize + start..range.end as usize + start;
    diff.hunks().map(|hunk| Hunk { before: whole(hunk.before), after: whole(hunk.after) }).collect()
}

/// How many lines at the beginning and at the end need not be compared. Most changes are small, so what is equal at both
/// ends takes no part. One line more on each side leaves the choice between equal lines to the heuristics of the diff.
fn equal_ends<T: PartialEq>(before: &[T], after: &[T]) -> (usize, usize) {
    let start = before.iter().zip(after).take_while(|(before, after)| before == after).count();
    let most = before.len().min(after.len()) - start;
    let end =
        before.iter().rev().zip(after.iter().rev()).take(most).take_while(|(before, after)| before == after).count();
    (start.saturating_sub(CONTEXT), end.saturating_sub(CONTEXT))
}

/// So many equal lines at either end take part in the comparison.
const CONTEXT: usize = 8;
