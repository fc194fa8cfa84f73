use std::fmt;
use std::ops::Range;

use imara_diff::{Algorithm, Diff, InternedInput, Interner, Token};

use super::{cut, is_binary, lines};

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
    let hunks = if is_binary(before) || is_binary(after) {
        hunks(before, after)
    } else {
        // A zero byte far from where a text begins may stand near to where it is cut.
        let (before, after) = without_equal_beginning(before, after);
        of_lines(&cut(before), &cut(after))
    };
    hunks.iter().fold((0, 0), |(added, removed), hunk| (added + hunk.after.len(), removed + hunk.before.len()))
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
    let (start, end) = (start.saturating_sub(CONTEXT), end.saturating_sub(CONTEXT));
    let mut numbers = LineNumbers(Interner::new(before.len() + after.len()));
    let middle = [before, after].map(|lines| &lines[start..lines.len() - end]);
    let [before, after] = middle.map(|lines| lines.iter().map(|line| numbers.of(line)).collect::<Vec<_>>());
    let whole = |range: Range<usize>| range.start + start..range.end + start;
    let hunks = numbers.hunks(&before, &after).into_iter();
    hunks.map(|hunk| Hunk { before: whole(hunk.before), after: whole(hunk.after) }).collect()
}

/// How many lines are equal at the beginning and at the end.
fn equal_ends<T: PartialEq>(before: &[T], after: &[T]) -> (usize, usize) {
    let start = before.iter().zip(after).take_while(|(before, after)| before == after).count();
    let rest = before[start..].iter().rev().zip(after[start..].iter().rev());
    (start, rest.take_while(|(before, after)| before == after).count())
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

    /// What was changed between two versions. Most changes are small and far from each other, so what stands around each is
    /// compared by itself.
    pub(super) fn hunks(&self, before: &[LineNumber], after: &[LineNumber]) -> Vec<Hunk> {
        let windows = Windows { before, after, are_single: self.single(before, after) }.find();
        let mut hunks = Vec::new();
        for (index, window) in windows.iter().enumerate() {
            let above = index.checked_sub(1).map_or(0, |above| windows[above].before.end);
            let below = windows.get(index + 1).map_or(before.len(), |below| below.before.start);
            // What stands between two of them is no part of both.
            let half = |lines: usize, is_at_end: bool| if is_at_end { lines } else { lines / 2 };
            let start = half(window.before.start - above, index == 0).min(CONTEXT);
            let end = half(below - window.before.end, index + 1 == windows.len()).min(CONTEXT);
            hunks.extend(within(before, after, window, (start, end)));
        }
        hunks
    }

    /// Of each number whether its line stands once in both.
    fn single(&self, before: &[LineNumber], after: &[LineNumber]) -> Vec<bool> {
        let times = |lines: &[LineNumber]| {
            let mut times = vec![0_u8; self.0.num_tokens() as usize];
            for line in lines {
                let times = &mut times[line.0 as usize];
                *times = times.saturating_add(1);
            }
            times
        };
        times(before).iter().zip(times(after)).map(|(before, after)| *before == 1 && after == 1).collect()
    }
}

impl fmt::Debug for LineNumbers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lines", self.0.num_tokens())
    }
}

/// So many equal lines around a change take part in its comparison, and so many in a row are taken for the same lines. They
/// leave the choice between equal lines to the heuristics of the diff.
const CONTEXT: usize = 8;

/// If what was changed is longer, in lines, all that follows it is compared at once.
const LONGEST_WINDOW: usize = 64;

/// Finds where two texts differ.
struct Windows<'n> {
    before: &'n [LineNumber],
    after: &'n [LineNumber],
    are_single: Vec<bool>,
}

impl Windows<'_> {
    /// Where they differ, in order. In between they are equal.
    fn find(&self) -> Vec<Hunk> {
        let (start, end) = equal_ends(self.before, self.after);
        let (mut windows, mut at) = (Vec::new(), (start, start));
        let ends = (self.before.len() - end, self.after.len() - end);
        loop {
            let rest = self.before[at.0..ends.0].iter().zip(&self.after[at.1..ends.1]);
            let same = rest.take_while(|(before, after)| before == after).count();
            at = (at.0 + same, at.1 + same);
            if at == ends {
                return windows;
            }
            let next = self.next_equal(at, ends).unwrap_or(ends);
            windows.push(Hunk { before: at.0..next.0, after: at.1..next.1 });
            at = next;
        }
    }

    /// Where both go on alike, the nearest first, for so many lines that these are the same ones.
    fn next_equal(&self, at: (usize, usize), ends: (usize, usize)) -> Option<(usize, usize)> {
        // Nearer to the end than that nothing is long enough.
        let most = ((ends.0 - at.0).checked_sub(CONTEXT)?, (ends.1 - at.1).checked_sub(CONTEXT)?);
        for lines in 1..=LONGEST_WINDOW.min(most.0 + most.1) {
            for went in lines.saturating_sub(most.1)..=lines.min(most.0) {
                let next = (at.0 + went, at.1 + lines - went);
                let run = &self.before[next.0..next.0 + CONTEXT];
                let is_single = |line: &LineNumber| self.are_single[line.0 as usize];
                if *run == self.after[next.1..next.1 + CONTEXT] && run.iter().any(is_single) {
                    return Some(next);
                }
            }
        }
        None
    }
}

/// What was changed where two texts differ, with so many equal lines above and below.
fn within(before: &[LineNumber], after: &[LineNumber], window: &Hunk, (above, below): (usize, usize)) -> Vec<Hunk> {
    let sides = [(before, &window.before), (after, &window.after)];
    if are_apart(sides) {
        return vec![window.clone()];
    }
    let [of_before, of_after] = sides.map(|(lines, range)| &lines[range.start - above..range.end + below]);
    let interner = Interner::new(of_before.len() + of_after.len());
    let mut input = InternedInput { before: Vec::new(), after: Vec::new(), interner };
    input.update_before(of_before.iter().map(|line| line.0));
    input.update_after(of_after.iter().map(|line| line.0));
    let mut diff = Diff::default();
    diff.compute_with(Algorithm::Histogram, &input.before, &input.after, input.interner.num_tokens());
    diff.postprocess_no_heuristic(&input);
    let starts = sides.map(|(_, range)| range.start - above);
    let whole = |range: Range<u32>, start: usize| range.start as usize + start..range.end as usize + start;
    diff.hunks()
        .map(|hunk| Hunk { before: whole(hunk.before, starts[0]), after: whole(hunk.after, starts[1]) })
        .collect()
}

/// True if no line is on both sides, and none of them is like the one above or below, so that there is nothing to choose.
fn are_apart(sides: [(&[LineNumber], &Range<usize>); 2]) -> bool {
    let [went, came] = sides.map(|(lines, range)| &lines[range.clone()]);
    let can_move = |(lines, range): (&[LineNumber], &Range<usize>)| {
        let (Some(first), Some(last)) = (lines[range.clone()].first(), lines[range.clone()].last()) else {
            return false;
        };
        let above = range.start.checked_sub(1).map(|above| &lines[above]);
        above == Some(last) || lines.get(range.end) == Some(first)
    };
    went.len().max(came.len()) <= LONGEST_WINDOW
        && !sides.into_iter().any(can_move)
        && !went.iter().any(|line| came.contains(line))
}
