//! Whose each line is, and what comes of merging: the journal's work on texts.

use deconflict_journal::text::{Change, Place, Uncommitted, Weave, counts, merge};

/// A small generator, so that a failing case can be had again by its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

fn weave<'t>(base: &'t str, texts: &[&'t str]) -> Weave<'t> {
    let mut weave = Weave::of(base.as_bytes());
    for text in texts {
        weave.apply(text.as_bytes());
    }
    weave
}

fn is(change: Change) -> impl Fn(Option<Change>) -> bool {
    move |other| other == Some(change)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// What the changes leave that are given, on top of what is committed.
fn only(uncommitted: &Uncommitted, change: Change) -> String {
    text(&uncommitted.only(is(change))).to_owned()
}

#[test]
fn two_sessions_that_changed_neighbouring_lines_are_told_apart() {
    let weave = weave("1\n2\n3\n4\n", &["1\na\n3\n4\n", "1\na\nb\n4\n"]);
    let uncommitted = weave.uncommitted(b"1\n2\n3\n4\n");
    assert_eq!(only(&uncommitted, 0), "1\na\n3\n4\n");
    assert_eq!(only(&uncommitted, 1), "1\n2\nb\n4\n");
    assert_eq!(text(&uncommitted.without(is(0))), "1\n2\nb\n4\n");
    assert_eq!(uncommitted.overlaps(is(0)), []);
    assert_eq!(weave.blame().collect::<Vec<_>>(), [None, Some(0), Some(1), None]);
}

#[test]
fn a_line_that_two_changed_is_named_as_a_place() {
    let weave = weave("1\n2\n3\n", &["1\na\n3\n", "1\nb\n3\n"]);
    let uncommitted = weave.uncommitted(b"1\n2\n3\n");
    assert_eq!(uncommitted.overlaps(is(0)), [(Place { first: 2, last: 2 }, vec![1])]);
    assert_eq!(uncommitted.overlaps(is(1)), [(Place { first: 2, last: 2 }, vec![0])]);
    assert_eq!(uncommitted.overlaps(|_| true), []);
}

#[test]
fn a_line_within_what_another_wrote_overlaps_and_one_beside_it_does_not() {
    let within = weave("1\n", &["1\na\nb\n", "1\na\nx\nb\n"]);
    assert_eq!(within.uncommitted(b"1\n").overlaps(is(1)), [(Place { first: 2, last: 4 }, vec![0])]);
    let beside = weave("1\n2\n", &["1\na\nb\n2\n", "1\na\nb\nx\n2\n"]);
    assert_eq!(beside.uncommitted(b"1\n2\n").overlaps(is(1)), []);
    assert_eq!(only(&beside.uncommitted(b"1\n2\n"), 1), "1\nx\n2\n");
    // Two lines that were replaced at once, around one that another replaced, are not one piece.
    let around = weave("1\n2\n3\n", &["a\n2\nc\n", "a\nb\nc\n"]);
    assert_eq!(around.uncommitted(b"1\n2\n3\n").overlaps(is(1)), []);
    assert_eq!(only(&around.uncommitted(b"1\n2\n3\n"), 1), "1\nb\n3\n");
}

#[test]
fn a_line_that_another_removed_and_its_owner_wrote_anew_is_its_owners() {
    let base = "1\n2\n3\n";
    // The first one replaces a line, the second one takes that out, and the first one writes another.
    let anew = weave(base, &["1\na\n3\n", "1\n3\n", "1\nb\n3\n"]);
    let uncommitted = anew.uncommitted(base.as_bytes());
    let first = |change: Option<Change>| matches!(change, Some(0 | 2));
    assert_eq!(uncommitted.overlaps(first), []);
    assert_eq!(text(&uncommitted.only(first)), "1\nb\n3\n");
    assert_eq!(text(&uncommitted.without(first)), base);
    // Without the line that was written anew, the deletion is the work of both.
    let uncommitted = weave(base, &["1\na\n3\n", "1\n3\n"]);
    let uncommitted = uncommitted.uncommitted(base.as_bytes());
    assert_eq!(uncommitted.overlaps(is(0)), [(Place { first: 2, last: 1 }, vec![1])]);
    // So it is where the second one wrote something in its place.
    let both = weave(base, &["1\na\n3\n", "1\nx\n3\n", "1\nx\nb\n3\n"]);
    assert!(!both.uncommitted(base.as_bytes()).overlaps(first).is_empty());
}

#[test]
fn what_was_removed_and_committed_long_ago_overlaps_with_nothing() {
    // The line of the first one was removed by the second one, and that is committed.
    let weave = weave("1\n2\n", &["1\na\n2\n", "1\n2\n", "1\n2\nb\n", "1\nc\n2\nb\n"]);
    let uncommitted = weave.uncommitted(b"1\n2\nb\n");
    assert_eq!(uncommitted.changes(), [Some(3)]);
    assert_eq!(uncommitted.overlaps(is(3)), []);
    assert_eq!(only(&uncommitted, 3), "1\nc\n2\nb\n");
}

#[test]
fn a_text_that_stood_there_before_comes_back_as_what_it_was() {
    // Equal lines of two, the file gone, and there again.
    let once = "}\na\n}\nb\n}\n";
    let weave = weave("}\n", &["}\na\n}\n", once, "}\nb\n", "", once]);
    let expected = [None, Some(0), Some(0), Some(1), Some(1)];
    assert_eq!(weave.blame().collect::<Vec<_>>(), expected);
    assert_eq!(weave.uncommitted(once.as_bytes()).changes(), []);
    let uncommitted = weave.uncommitted(b"}\na\n}\n");
    assert_eq!(only(&uncommitted, 1), once);
}

#[test]
fn what_some_change_explains_is_never_called_unknown() {
    for seed in 0..2000 {
        let mut random = Random(seed);
        let texts = afternoon(&mut random, 9);
        let mut weave = Weave::of(texts[0].as_bytes());
        for after in &texts[1..] {
            weave.apply(after.as_bytes());
        }
        for (moment, committed) in texts.iter().enumerate() {
            let changes = weave.uncommitted(committed.as_bytes()).changes();
            // Equal texts may stand there more than once.
            let newest = texts.iter().rposition(|text| text == committed).unwrap();
            assert!(newest >= moment);
            let is_later = |change: &Option<Change>| change.is_some_and(|change| change >= newest);
            assert!(changes.iter().all(is_later), "seed {seed}, text {moment}: {changes:?}");
        }
    }
}

#[test]
fn what_is_undone_by_hand_belongs_to_nobody() {
    let weave = weave("1\n2\n3\n", &["1\n3\n", "1\n2\n3\n"]);
    assert_eq!(weave.uncommitted(b"1\n2\n3\n").changes(), []);
    assert_eq!(weave.blame().collect::<Vec<_>>(), [None; 3]);
}

#[test]
fn a_removed_line_is_a_change_of_whoever_removed_it() {
    let weave = weave("1\n2\n3\n", &["1\n3\n", "1\n3\n4\n"]);
    let uncommitted = weave.uncommitted(b"1\n2\n3\n");
    assert_eq!(uncommitted.changes(), [Some(0), Some(1)]);
    assert_eq!(only(&uncommitted, 1), "1\n2\n3\n4\n");
    assert_eq!(text(&uncommitted.without(is(0))), "1\n2\n3\n4\n");
}

#[test]
fn what_was_committed_is_no_change_any_more_however_little_of_it() {
    let weave = weave("1\n2\n3\n", &["a\n2\n3\n", "a\n2\nc\n"]);
    let uncommitted = weave.uncommitted(b"a\n2\n3\n");
    assert_eq!(uncommitted.changes(), [Some(1)]);
    assert_eq!(only(&uncommitted, 1), "a\n2\nc\n");
}

#[test]
fn what_no_change_explains_is_nobodys() {
    let weave = weave("1\n2\n", &["1\n2\n3\n"]);
    let uncommitted = weave.uncommitted(b"0\n1\n");
    assert_eq!(uncommitted.changes(), [None, Some(0)]);
    assert_eq!(only(&uncommitted, 0), "0\n1\n3\n");
}

#[test]
fn a_binary_content_is_one_piece_and_a_last_line_needs_no_end() {
    let mut weave = Weave::of(b"\0old\nx");
    weave.apply(b"\0new\nx");
    let uncommitted = weave.uncommitted(b"\0old\nx");
    assert_eq!(uncommitted.only(is(0)), b"\0new\nx");
    assert_eq!(uncommitted.without(is(0)), b"\0old\nx");
    assert_eq!(counts(b"a\nb", b"a\nb\n"), (1, 1));
    assert_eq!(counts(b"a\r\nb\r\n", b"a\r\nc\r\nb\r\n"), (1, 0));
    // Git looks for a zero byte only near the beginning, so this is a text, wherever it begins to differ.
    let long = "a line\n".repeat(2000);
    let [before, after] = ["\0x\nb\nc\n", "\0y\nb\nd\ne\n"].map(|end| format!("{long}{end}"));
    assert_eq!(counts(before.as_bytes(), after.as_bytes()), (3, 2));
}

#[test]
fn a_merge_takes_both_sides_or_marks_the_place() {
    let merged = merge(b"1\n2\n3\n4\n5\n", b"a\n2\n3\n4\n5\n", b"1\n2\n3\n4\nb\n").unwrap();
    assert_eq!((text(&merged.text), merged.is_clean), ("a\n2\n3\n4\nb\n", true));
    let merged = merge(b"1\n2\n3\n", b"1\na\n3\n", b"1\nb\n3\n").unwrap();
    assert_eq!(text(&merged.text), "1\n<<<<<<< ours\na\n=======\nb\n>>>>>>> theirs\n3\n");
    assert!(!merged.is_clean);
    assert_eq!(merge(b"\0", b"\0a", b"\0b"), None);
    assert_eq!(merge(b"\0", b"\0a", b"\0").unwrap().text, b"\0a");
}

/// A text of lines, most of them different, changed at random places by several sessions in turn.
fn afternoon(random: &mut Random, changes: usize) -> Vec<String> {
    let mut lines: Vec<String> = (0..20).map(|number| format!("base {number}\n")).collect();
    let mut texts = vec![lines.concat()];
    for change in 0..changes {
        for _ in 0..=random.below(2) {
            let start = random.below(lines.len() + 1);
            let end = (start + random.below(3)).min(lines.len());
            let new = (0..random.below(4)).map(|number| match random.below(6) {
                0 => "}\n".to_owned(),
                _ => format!("change {change} {number} {start}\n"),
            });
            let new: Vec<String> = new.collect();
            lines.splice(start..end, new);
        }
        texts.push(lines.concat());
    }
    texts
}

#[test]
fn random_afternoons_add_up() {
    let (mut told_apart, mut overlapping) = (0, 0);
    for seed in 0..2000 {
        let mut random = Random(seed);
        let texts = afternoon(&mut random, 9);
        let mut weave = Weave::of(texts[0].as_bytes());
        for after in &texts[1..] {
            weave.apply(after.as_bytes());
        }
        let newest = texts.last().unwrap().as_bytes();
        let committed = texts[random.below(4)].as_bytes();
        let uncommitted = weave.uncommitted(committed);
        assert_eq!(uncommitted.only(|_| true), newest, "seed {seed}");
        assert_eq!(uncommitted.without(|_| true), committed, "seed {seed}");
        assert_eq!(uncommitted.only(|_| false), committed, "seed {seed}");
        assert_eq!(uncommitted.without(|_| false), newest, "seed {seed}");
        assert_eq!(weave.blame().count(), texts.last().unwrap().lines().count(), "seed {seed}");
        // Three sessions took turns. Where none overlaps another, committing one after the other gives the whole.
        let session = |session: usize| move |change: Option<Change>| change.is_some_and(|change| change % 3 == session);
        if (0..3).any(|number| !uncommitted.overlaps(session(number)).is_empty()) {
            overlapping += 1;
            continue;
        }
        told_apart += 1;
        let mut step = uncommitted.clone();
        for number in 0..3 {
            let head = step.only(session(number));
            step = step.committed(session(number));
            assert_eq!(text(&step.only(|_| false)), text(&head), "seed {seed}");
        }
        assert!(step.changes().iter().all(Option::is_none), "seed {seed}: {:?}", step.changes());
        // Taking one session's changes out is the same as committing the others' alone.
        for number in 0..3 {
            let others = uncommitted.only(|change| !session(number)(change));
            assert_eq!(text(&uncommitted.without(session(number))), text(&others), "seed {seed}");
        }
    }
    assert!(told_apart > 50 && overlapping > 50, "{told_apart} told apart, {overlapping} overlapping");
}
