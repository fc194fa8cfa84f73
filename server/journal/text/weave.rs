//! Whose each line is.
//!
//! A weave holds every line that a file ever had, in the order in which they would stand if none had been removed, each
//! with the changes that brought it and took it away. So the text without some of the changes, or with some of them alone,
//! is read off it; where two changes cannot be told apart, because one removed or split what the other brought, it says so.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::diff::{Hunk, LineNumber, LineNumbers};
use super::{diff, lines};

/// One change of the file, counted from 0 in the order in which they were applied.
pub type Change = usize;

/// Every line that a file ever had.
#[derive(Debug, Default)]
pub struct Weave<'t> {
    lines: Vec<Woven<'t>>,
    /// Room for them, from before the newest change.
    room: Vec<Woven<'t>>,
    numbers: LineNumbers<'t>,
    changes: Change,
    runs: usize,
    /// The texts that stood there by their lengths, each with how many changes had been applied when it did so last.
    moments: HashMap<usize, Vec<(&'t [u8], usize)>>,
}

#[derive(Debug, Clone)]
struct Woven<'t> {
    text: &'t [u8],
    number: LineNumber,
    /// `None` for a line that stood there from the beginning.
    brought: Option<Brought>,
    removed: Option<Change>,
    /// What removed it before, and what brought it back each time, in turn.
    earlier: Vec<Change>,
}

#[derive(Debug, Clone, Copy)]
struct Brought {
    change: Change,
    /// Lines that came together, next to one another, share this.
    run: usize,
}

impl<'t> Woven<'t> {
    fn new((text, number): (&'t [u8], LineNumber), brought: Option<Brought>) -> Self {
        Self { text, number, brought, removed: None, earlier: Vec::new() }
    }

    /// The same after a change brought it back.
    fn returned(mut self, change: Change) -> Self {
        self.earlier.extend(self.removed.take());
        self.earlier.push(change);
        self
    }

    /// The changes by which it went and came back, in turn.
    fn turns(&self) -> impl Iterator<Item = Change> {
        self.earlier.iter().copied().chain(self.removed)
    }

    /// True if it was there when so many changes had been applied.
    fn was_there_at(&self, moment: usize) -> bool {
        let is_before = |change: &Change| *change < moment;
        self.brought.is_none_or(|brought| is_before(&brought.change)) && self.turns().filter(is_before).count() % 2 == 0
    }

    /// What made it come or go last; `None` for what has always been there.
    fn newest_change(&self) -> Option<Change> {
        let returned = self.earlier.last().copied();
        self.removed.or(returned).or(self.brought.map(|brought| brought.change))
    }

    /// True if it would be there without some changes.
    fn is_there_without(&self, is_meant: impl Fn(Change) -> bool) -> bool {
        let changes: Vec<Change> = self.turns().collect();
        match changes.iter().rposition(|change| !is_meant(*change)) {
            // They remove it and bring it back in turn.
            Some(last) => last % 2 == 1,
            None => self.brought.is_none_or(|brought| !is_meant(brought.change)),
        }
    }
}

/// Lines of the newest text, counted from 1. Where lines are missing, it is the line that follows them, and `last` is one
/// less than `first`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The first line.
    pub first: usize,
    /// The last one.
    pub last: usize,
}

impl<'t> Weave<'t> {
    /// Begins with a text that is nobody's.
    pub fn of(text: &'t [u8]) -> Self {
        let mut weave = Self::default();
        let numbers = &mut weave.numbers;
        weave.lines = lines(text).into_iter().map(|text| Woven::new((text, numbers.of(text)), None)).collect();
        weave.moments.insert(text.len(), vec![(text, 0)]);
        weave
    }

    /// Applies the next change, and gives its number. A text that stood there before comes back as what it was.
    pub fn apply(&mut self, after: &'t [u8]) -> Change {
        let change = self.changes;
        self.changes += 1;
        let moments = self.moments.entry(after.len()).or_default();
        if let Some((_, moment)) = moments.iter_mut().find(|(text, _)| *text == after) {
            let before = std::mem::replace(moment, self.changes);
            self.go_back_to(before, change);
        } else {
            moments.push((after, self.changes));
            self.apply_difference(&lines(after), change);
        }
        change
    }

    fn go_back_to(&mut self, moment: usize, change: Change) {
        for line in &mut self.lines {
            match (line.removed, line.was_there_at(moment)) {
                (None, false) => line.removed = Some(change),
                (Some(_), true) => *line = line.clone().returned(change),
                _ => {}
            }
        }
    }

    fn apply_difference(&mut self, after: &[&'t [u8]], change: Change) {
        let visible: Vec<usize> = self.visible().collect();
        let before: Vec<LineNumber> = visible.iter().map(|index| self.lines[*index].number).collect();
        let numbers: Vec<LineNumber> = after.iter().map(|line| self.numbers.of(line)).collect();
        let hunks = self.numbers.hunks(&before, &numbers);
        for index in hunks.iter().flat_map(|hunk| &visible[hunk.before.clone()]) {
            self.lines[*index].removed = Some(change);
        }
        let (mut known, mut woven) = (std::mem::take(&mut self.lines), std::mem::take(&mut self.room));
        let (number_of_lines, mut next) = (known.len(), 0);
        let mut lines = known.drain(..);
        for hunk in hunks {
            // The gap holds what was removed now and what had been removed around it before.
            let gap_start = hunk.before.start.checked_sub(1).map_or(0, |above| visible[above] + 1);
            let gap_end = visible.get(hunk.before.end).copied().unwrap_or(number_of_lines);
            woven.extend(lines.by_ref().take(gap_start - next));
            let gap: Vec<Woven> = lines.by_ref().take(gap_end - gap_start).collect();
            weave_gap(
                &mut woven,
                &gap,
                &after[hunk.after.clone()],
                &numbers[hunk.after],
                Brought { change, run: self.runs },
            );
            self.runs += 1;
            next = gap_end;
        }
        woven.extend(lines);
        (self.lines, self.room) = (woven, known);
    }

    /// The newest text's lines with the changes that brought them; `None` for what stood there from the beginning.
    pub fn blame(&self) -> impl Iterator<Item = Option<Change>> {
        self.visible().map(|index| self.lines[index].brought.map(|brought| brought.change))
    }

    /// Compares the newest text with what is committed. Where that stood there as a whole once, it is known exactly what
    /// changed since; otherwise the texts are compared.
    pub fn uncommitted(&self, committed: &'t [u8]) -> Uncommitted<'t> {
        let moments = self.moments.get(&committed.len()).into_iter().flatten();
        match moments.into_iter().find(|(text, _)| *text == committed) {
            Some((_, moment)) => self.since(*moment),
            None => self.compared(&lines(committed)),
        }
    }

    /// What came and went since so many changes had been applied.
    fn since(&self, moment: usize) -> Uncommitted<'t> {
        let item = |line: &Woven<'t>| {
            let (is_committed, is_there) = (line.was_there_at(moment), line.removed.is_none());
            let later = line.turns().find(|change| *change >= moment);
            let brought = match line.brought {
                _ if is_committed => None,
                Some(brought) if brought.change >= moment => Some(brought),
                // What comes back that was gone is whoever's who brings it back.
                _ => later.map(|change| Brought { change, run: self.runs + change }),
            };
            let removed = line.removed.filter(|change| *change >= moment);
            let change = match (is_committed, is_there) {
                (false, true) => brought.map(|brought| brought.change),
                (true, false) => removed,
                _ => None,
            };
            let item = Item { text: line.text, is_committed, is_there, brought, removed, change };
            // What was gone then and is gone now has no part in it.
            (is_committed || brought.is_some()).then_some(item)
        };
        Uncommitted { items: self.lines.iter().filter_map(item).collect() }
    }

    fn compared(&self, committed: &[&'t [u8]]) -> Uncommitted<'t> {
        let visible: Vec<usize> = self.visible().collect();
        let newest: Vec<&[u8]> = visible.iter().map(|index| self.lines[*index].text).collect();
        let mut items = Vec::with_capacity(self.lines.len());
        let mut next = 0;
        let keep = |items: &mut Vec<Item<'t>>, lines: &[Woven<'t>]| {
            items.extend(lines.iter().map(|line| Item::new(line, line.removed.is_none())));
        };
        for hunk in diff::of_lines(committed, &newest) {
            let gap_start = hunk.after.start.checked_sub(1).map_or(0, |above| visible[above] + 1);
            let gap_end = visible.get(hunk.after.end).copied().unwrap_or(self.lines.len());
            keep(&mut items, &self.lines[next..gap_start]);
            // What is committed and not there any more should be among what was removed here.
            let gap = &self.lines[gap_start..gap_end];
            let removed: Vec<usize> = (0..gap.len()).filter(|index| gap[*index].removed.is_some()).collect();
            let removed_texts: Vec<&[u8]> = removed.iter().map(|index| gap[*index].text).collect();
            let committed = &committed[hunk.before];
            let mut found = vec![None; committed.len()];
            for (line, position) in equal_lines(committed, &removed_texts) {
                found[line] = Some(removed[position]);
            }
            let mut taken = 0;
            for (line, found) in committed.iter().zip(found) {
                let until = found.unwrap_or(taken);
                items.extend(gap[taken..until].iter().map(|woven| Item::new(woven, false)));
                let change = match found {
                    Some(found) => gap[found].removed,
                    // It may have stood elsewhere.
                    None => self.lines.iter().rev().find(|woven| woven.text == *line).and_then(|woven| woven.removed),
                };
                items.push(Item {
                    text: line,
                    is_committed: true,
                    is_there: false,
                    brought: None,
                    change,
                    removed: change,
                });
                taken = found.map_or(taken, |found| found + 1);
            }
            items.extend(gap[taken..].iter().map(|woven| Item::new(woven, false)));
            next = gap_end;
        }
        keep(&mut items, &self.lines[next..]);
        Uncommitted { items }
    }

    /// Compares the newest text with the same without some changes.
    pub fn reverted(&self, is_meant: impl Fn(Change) -> bool) -> Uncommitted<'t> {
        let item = |line: &Woven<'t>| {
            let change = line.newest_change().filter(|change| is_meant(*change));
            Item { change, ..Item::new(line, line.is_there_without(&is_meant)) }
        };
        Uncommitted { items: self.lines.iter().map(item).collect() }
    }

    fn visible(&self) -> impl Iterator<Item = usize> {
        self.lines.iter().enumerate().filter(|(_, line)| line.removed.is_none()).map(|(index, _)| index)
    }
}

/// Puts lines into a gap. One that had been removed there comes back as what it was, so that whoever undoes a change by
/// hand leaves none of their own. The others stand right behind what they replace.
fn weave_gap<'t>(
    woven: &mut Vec<Woven<'t>>,
    gap: &[Woven<'t>],
    texts: &[&'t [u8]],
    numbers: &[LineNumber],
    brought: Brought,
) {
    let is_new = |line: &Woven| line.removed == Some(brought.change);
    let (mut gap_start, mut text_start) = (0, 0);
    let piece = |woven: &mut Vec<Woven<'t>>, gap: &[Woven<'t>], new: Range<usize>| {
        let behind = gap.iter().rposition(is_new).map_or(gap.len(), |last| last + 1);
        woven.extend_from_slice(&gap[..behind]);
        woven.extend(new.map(|index| Woven::new((texts[index], numbers[index]), Some(brought))));
        woven.extend_from_slice(&gap[behind..]);
    };
    let old: Vec<usize> = (0..gap.len()).filter(|index| !is_new(&gap[*index])).collect();
    let old_texts: Vec<&[u8]> = old.iter().map(|index| gap[*index].text).collect();
    for (position, text) in equal_lines(&old_texts, texts) {
        let index = old[position];
        piece(woven, &gap[gap_start..index], text_start..text);
        woven.push(gap[index].clone().returned(brought.change));
        (gap_start, text_start) = (index + 1, text + 1);
    }
    piece(woven, &gap[gap_start..], text_start..texts.len());
}

/// The lines that two texts have in common, in order.
fn equal_lines(one: &[&[u8]], other: &[&[u8]]) -> Vec<(usize, usize)> {
    let mut equal = Vec::new();
    let (mut start, mut other_start) = (0, 0);
    let end = Hunk { before: one.len()..one.len(), after: other.len()..other.len() };
    for hunk in diff::of_lines(one, other).into_iter().chain([end]) {
        equal.extend((start..hunk.before.start).zip(other_start..hunk.after.start));
        (start, other_start) = (hunk.before.end, hunk.after.end);
    }
    equal
}

/// How the newest text differs from what is committed, and by which changes.
#[derive(Debug, Clone)]
pub struct Uncommitted<'t> {
    items: Vec<Item<'t>>,
}

#[derive(Debug, Clone)]
struct Item<'t> {
    text: &'t [u8],
    is_committed: bool,
    is_there: bool,
    brought: Option<Brought>,
    removed: Option<Change>,
    /// The change by which it differs, where it is known and it does.
    change: Option<Change>,
}

impl<'t> Item<'t> {
    fn new(line: &Woven<'t>, is_committed: bool) -> Self {
        let is_there = line.removed.is_none();
        let change = if is_there && !is_committed { line.brought.map(|brought| brought.change) } else { None };
        Self { text: line.text, is_committed, is_there, brought: line.brought, removed: line.removed, change }
    }

    fn differs(&self) -> bool {
        self.is_committed != self.is_there
    }
}

impl Uncommitted<'_> {
    /// The changes by which it differs, sorted. `None` is what no known change explains.
    pub fn changes(&self) -> Vec<Option<Change>> {
        self.counts().into_keys().collect()
    }

    /// The same with how many lines each brought, and how many it removed.
    pub fn counts(&self) -> BTreeMap<Option<Change>, (usize, usize)> {
        let mut counts: BTreeMap<_, (usize, usize)> = BTreeMap::new();
        for item in self.items.iter().filter(|item| item.differs()) {
            let (brought, removed) = counts.entry(item.change).or_default();
            *(if item.is_there { brought } else { removed }) += 1;
        }
        counts
    }

    /// What is committed, with some changes alone.
    pub fn only(&self, wanted: impl Fn(Option<Change>) -> bool) -> Vec<u8> {
        self.text(|item| if wanted(item.change) { item.is_there } else { item.is_committed })
    }

    /// The newest text without some changes.
    pub fn without(&self, unwanted: impl Fn(Option<Change>) -> bool) -> Vec<u8> {
        self.text(|item| if unwanted(item.change) { item.is_committed } else { item.is_there })
    }

    /// The same after some changes were committed alone, as [`Self::only`] gives them.
    #[must_use]
    pub fn committed(mut self, wanted: impl Fn(Option<Change>) -> bool) -> Self {
        for item in self.items.iter_mut().filter(|item| item.differs() && wanted(item.change)) {
            item.is_committed = item.is_there;
            item.change = None;
        }
        self
    }

    fn text(&self, is_kept: impl Fn(&Item) -> bool) -> Vec<u8> {
        let kept = |item: &&Item| if item.differs() { is_kept(item) } else { item.is_there };
        self.items.iter().filter(kept).flat_map(|item| item.text).copied().collect()
    }

    /// Where the changes of one side cannot be told from those of the other, with the other side's changes there.
    pub fn overlaps(&self, is_mine: impl Fn(Option<Change>) -> bool) -> Vec<(Place, Vec<Change>)> {
        let mut overlaps = Vec::new();
        let mut line = 1;
        for hunk in self.items.split(|item| item.is_committed && item.is_there) {
            let there = hunk.iter().filter(|item| item.is_there).count();
            if has_overlap(hunk, &is_mine) {
                let all = hunk.iter().flat_map(|item| [item.brought.map(|brought| brought.change), item.removed]);
                let mut others: Vec<Change> = all.flatten().filter(|change| !is_mine(Some(*change))).collect();
                others.sort_unstable();
                others.dedup();
                overlaps.push((Place { first: line, last: line + there - 1 }, others));
            }
            line += there + 1;
        }
        overlaps
    }
}

/// True if, between two lines that are as committed, one side removed or split what the other had brought.
fn has_overlap(hunk: &[Item], is_mine: &impl Fn(Option<Change>) -> bool) -> bool {
    if !hunk.iter().any(|item| item.differs() && is_mine(item.change)) {
        return false;
    }
    let crosses = |item: &Item| {
        let is_gone = !item.is_committed && !item.is_there;
        let Some(brought) = item.brought.filter(|_| is_gone) else { return false };
        let (owner, remover) = (is_mine(Some(brought.change)), is_mine(item.removed));
        owner != remover && !is_written_anew(hunk, item.removed, owner, is_mine)
    };
    let belongs_across = hunk.iter().any(crosses);
    let brought: Vec<Brought> = hunk.iter().filter(|item| item.is_there).filter_map(|item| item.brought).collect();
    let splits = |(index, inner): (usize, &Brought)| {
        let is_across = |outer: &Brought| is_mine(Some(outer.change)) != is_mine(Some(inner.change));
        let is_around = |outer: &Brought| brought[index + 1..].iter().any(|below| below.run == outer.run);
        brought[..index].iter().any(|above| is_across(above) && is_around(above))
    };
    belongs_across || brought.iter().enumerate().any(splits)
}

/// True if the side whose line the other one removed has written here since, and nothing else here is the other side's.
fn is_written_anew(
    hunk: &[Item],
    removed: Option<Change>,
    owner: bool,
    is_mine: &impl Fn(Option<Change>) -> bool,
) -> bool {
    let mut differing = hunk.iter().filter(|item| item.differs());
    let is_anew = |item: &Item| item.is_there && item.brought.is_some_and(|brought| Some(brought.change) > removed);
    differing.clone().any(is_anew) && differing.all(|item| is_mine(item.change) == owner)
}
