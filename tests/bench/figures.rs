//! What was measured, and the tables of it.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::populate::Size;

/// A figure may grow by this factor from the least to the most that is in the directory.
const FLAT: f64 = 1.2;

/// What a figure is compared with.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// At most so many times the floor.
    TimesFloor(f64),
    /// At most so much.
    AtMost(f64),
    /// Nothing: it is shown to be known.
    None,
}

/// One row of the table.
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) size: Size,
    pub(crate) unit: &'static str,
    pub(crate) value: f64,
    pub(crate) floor: Option<f64>,
    pub(crate) goal: Goal,
}

impl Figure {
    /// The most that meets the goal.
    pub(crate) fn limit(&self) -> Option<f64> {
        match self.goal {
            Goal::TimesFloor(times) => self.floor.map(|floor| floor * times),
            Goal::AtMost(most) => Some(most),
            Goal::None => None,
        }
    }
}

/// What of the slowest of a hundred does not meet its goal.
pub(crate) fn missed(figures: &[Figure]) -> Vec<String> {
    let is_slowest = |figure: &&Figure| figure.name.ends_with("p99");
    let is_missed = |figure: &&Figure| figure.limit().is_some_and(|limit| figure.value > limit);
    let missed = figures.iter().filter(is_slowest).filter(is_missed);
    missed.map(|figure| format!("{}: {:.1} {}", figure.name, figure.value, figure.unit)).collect()
}

/// Times one call, in milliseconds.
pub(crate) fn milliseconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    in_milliseconds(start.elapsed())
}

/// A duration as the table shows it.
pub(crate) fn in_milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The value below which this share (0 to 1) of the samples lies.
pub(crate) fn quantile(samples: &mut [f64], share: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let position = ((samples.len() - 1) as f64 * share).round() as usize;
    samples[position]
}

/// The names of all figures, each once, in the order in which they were taken.
pub(crate) fn names(figures: &[Figure]) -> Vec<&'static str> {
    let mut names = Vec::new();
    for figure in figures {
        if !names.contains(&figure.name) {
            names.push(figure.name);
        }
    }
    names
}

/// All rows, and how each figure grows with the size of the directory.
pub(crate) fn tables(figures: &[Figure]) -> String {
    let mut text = String::new();
    let mut line = |line: &str| writeln!(text, "{line}").unwrap();
    line("| figure | claims | value | floor | ratio | goal | met |");
    line("| --- | ---: | ---: | ---: | ---: | --- | --- |");
    for name in names(figures) {
        for figure in figures.iter().filter(|figure| figure.name == name) {
            let unit = figure.unit;
            let floor = figure.floor.map_or(String::new(), |floor| format!("{floor:.3} {unit}"));
            let ratio = figure.floor.map_or(String::new(), |floor| format!("{:.2}", figure.value / floor));
            let goal = match figure.goal {
                Goal::TimesFloor(times) => format!("≤ {times} × floor"),
                Goal::AtMost(most) => format!("≤ {most} {unit}"),
                Goal::None => String::new(),
            };
            let met = figure.limit().map_or("", |limit| yes_or_no(figure.value <= limit));
            let Figure { size, value, .. } = figure;
            line(&format!("| {name} | {size} | {value:.3} {unit} | {floor} | {ratio} | {goal} | {met} |"));
        }
    }
    line("");
    line(&format!("| figure | growth from 10 to 10,000 claims | growth of its floor | goal: ≤ {FLAT} × |"));
    line("| --- | ---: | ---: | --- |");
    let of = |name: &str, size: Size| figures.iter().find(|figure| figure.name == name && figure.size == size);
    for name in names(figures) {
        let (Some(small), Some(large)) = (of(name, Size::LEAST), of(name, Size::MOST)) else { continue };
        let growth = large.value / small.value;
        let floor =
            small.floor.zip(large.floor).map_or(String::new(), |(small, large)| format!("{:.2} ×", large / small));
        line(&format!("| {name} | {growth:.2} × | {floor} | {} |", yes_or_no(growth <= FLAT)));
    }
    text
}

fn yes_or_no(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}
