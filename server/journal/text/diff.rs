use std::ops::Range;

use imara_diff::{Algorithm, Diff, InternedInput};

use super::lines;

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
    hunks(before, after)
        .iter()
        .fold((0, 0), |(added, removed), hunk| (added + hunk.after.len(), removed + hunk.before.len()))
}

/// The same for lines that were cut already.
pub(super) fn of_lines(before: &[&[u8]], after: &[&[u8]]) -> Vec<Hunk> {
    // Most changes are small, so what is equal at both ends is not hashed. One line more on each side leaves the choice
    // between equal lines to the heuristics of the diff.
    let start = before.iter().zip(after).take_while(|(before, after)| before == after).count();
    let most = before.len().min(after.len()) - start;
    let end =
        before.iter().rev().zip(after.iter().rev()).take(most).take_while(|(before, after)| before == after).count();
    let (start, end) = (start.saturating_sub(CONTEXT), end.saturating_sub(CONTEXT));
    let mut input = InternedInput::default();
    input.update_before(before[start..before.len() - end].iter().copied());
    input.update_after(after[start..after.len() - end].iter().copied());
    let mut diff = Diff::compute(Algorithm::Histogram, &input);
    diff.postprocess_no_heuristic(&input);
    let whole = |range: Range<u32>| range.start as usize + start..range.end as usize + start;
    diff.hunks().map(|hunk| Hunk { before: whole(hunk.before), after: whole(hunk.after) }).collect()
}

/// So many equal lines at either end take part in the comparison.
const CONTEXT: usize = 8;
