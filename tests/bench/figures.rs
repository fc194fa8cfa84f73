//! What was measured, and the table of it.

use std::time::{Duration, Instant};

use crate::populate::Size;

/// What a figure is compared with.
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
    fn is_met(&self) -> Option<bool> {
        match self.goal {
            Goal::TimesFloor(times) => self.floor.map(|floor| self.value <= floor * times),
            Goal::AtMost(most) => Some(self.value <= most),
            Goal::None => None,
        }
    }
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

/// Prints all rows, and how each figure grows with the size of the directory.
pub(crate) fn print(figures: &[Figure]) {
    println!("| figure | claims | value | floor | ratio | goal | met |");
    println!("| --- | ---: | ---: | ---: | ---: | --- | --- |");
    for figure in figures {
        let unit = figure.unit;
        let floor = figure.floor.map_or(String::new(), |floor| format!("{floor:.3} {unit}"));
        let ratio = figure.floor.map_or(String::new(), |floor| format!("{:.2}", figure.value / floor));
        let goal = match figure.goal {
            Goal::TimesFloor(times) => format!("≤ {times} × floor"),
            Goal::AtMost(most) => format!("≤ {most} {unit}"),
            Goal::None => String::new(),
        };
        let met = figure.is_met().map_or("", |met| if met { "yes" } else { "no" });
        println!(
            "| {} | {} | {:.3} {unit} | {floor} | {ratio} | {goal} | {met} |",
            figure.name, figure.size, figure.value
        );
    }
    println!();
    println!("| figure | growth from ten to 10,000 claims |");
    println!("| --- | ---: |");
    for small in figures.iter().filter(|figure| figure.size == Size::Ten) {
        let grown = |large: &&Figure| large.size == Size::TenThousand && large.name == small.name;
        if let Some(large) = figures.iter().find(grown) {
            println!("| {} | {:.2} × |", small.name, large.value / small.value);
        }
    }
}
