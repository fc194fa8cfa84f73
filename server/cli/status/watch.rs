//! `deconflict status --watch`: a picture that stays on the screen and follows every change.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anstream::ColorChoice;
use chrono::{DateTime, Utc};
use deconflict_platform as platform;
use deconflict_protocol::text::one_line;
use unicode_width::UnicodeWidthStr;

use super::keys::{self, Key};
use super::page::{self, Section};
use super::picture::Picture;
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::{Output, Printed, terminal_width};
use crate::cli::style::{FAINT, HEADING, WARNING};
use crate::cli::table::{cut, wrapped};
use crate::cli::words;

/// So many lines stand above the page.
const HEAD: isize = 3;

/// The clock and the terminal's size are looked at this often.
const TICK: Duration = Duration::from_millis(100);

/// Stays and shows each change. For a program or a pipe, each change is a document or a picture of its own.
pub(super) fn run(context: &Context) -> Result<Exit, Failure> {
    let is_dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    if !context.output.is_json() && io::stdout().is_terminal() && !is_dumb {
        on_screen(context)
    } else {
        one_after_another(context)
    }
}

fn one_after_another(context: &Context) -> Result<Exit, Failure> {
    let mut shown = String::new();
    loop {
        let start = Instant::now();
        let picture = Picture::without_team(context)?;
        let now =
            if context.output.is_json() { picture.document().to_string() } else { picture.in_words(terminal_width()) };
        if now != shown {
            let end = if context.output.is_json() { "" } else { "\n" };
            if Output::text(&format!("{now}{end}"))? == Printed::Cut {
                return Ok(Exit::Done);
            }
            shown = now;
        }
        std::thread::sleep(pause_after(start.elapsed()));
    }
}

/// Looking takes longer the more there is; looking must stay a small part of the time.
fn pause_after(look: Duration) -> Duration {
    (look * 20).clamp(Duration::from_millis(500), Duration::from_secs(5))
}

fn on_screen(context: &Context) -> Result<Exit, Failure> {
    // What is wrong from the start is said at the prompt, not on a screen that goes away.
    let mut picture = Ok(Picture::without_team(context)?);
    let mut next_look = Instant::now() + pause_after(Duration::ZERO);
    let signals = signals();
    let mut screen = Screen::open();
    let mut top = 0;
    loop {
        if let Ok(picture) = &mut picture {
            picture.now = context.now();
        }
        if screen.show(&picture, context.now(), &mut top).is_err() {
            return Ok(Exit::Done);
        }
        match signals.recv_timeout(TICK) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Signal::Suspend) => {
                drop(screen);
                platform::suspend();
                screen = Screen::open();
            }
            // Leaving is how it ends well.
            Ok(Signal::End | Signal::Key(Key::Leave)) | Err(RecvTimeoutError::Disconnected) => return Ok(Exit::Done),
            Ok(Signal::Key(key)) => top = screen.scrolled(top, key),
        }
        let start = Instant::now();
        if start >= next_look {
            picture = Picture::without_team(context);
            next_look = Instant::now() + pause_after(start.elapsed());
        }
    }
}

enum Signal {
    End,
    Suspend,
    Key(Key),
}

fn signals() -> Receiver<Signal> {
    let (sender, receiver) = mpsc::channel();
    let keys = sender.clone();
    std::thread::spawn(move || keys::read(|key| keys.send(Signal::Key(key)).is_ok()));
    std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
            // Then a signal does to this process what it does to any other.
            loop {
                std::thread::park();
            }
        };
        runtime.block_on(async {
            loop {
                let signal = tokio::select! {
                    _ = platform::ending_signal() => Signal::End,
                    () = platform::suspending_signal() => Signal::Suspend,
                };
                if sender.send(signal).is_err() {
                    return;
                }
            }
        });
    });
    receiver
}

/// The terminal's other screen, without a cursor. The user's own comes back when this goes.
struct Screen {
    shown: Vec<String>,
    size: (u16, u16),
    has_colours: bool,
    /// Keys are not shown while the picture is.
    _keys: Option<platform::UnseenKeys>,
}

impl Screen {
    fn open() -> Self {
        // If it cannot be written to, the first picture tells.
        let _ = write(b"\x1b[?1049h\x1b[?25l");
        let has_colours = anstream::AutoStream::choice(&io::stdout()) != ColorChoice::Never;
        Self { shown: Vec::new(), size: (0, 0), has_colours, _keys: platform::UnseenKeys::begin() }
    }

    /// The first line that is to be shown after a key, as far as there are so many.
    fn scrolled(&self, top: usize, key: Key) -> usize {
        let rows = isize::from(i16::try_from(self.size.1).unwrap_or(i16::MAX));
        match key {
            Key::Scroll(lines) => top.saturating_add_signed(lines),
            Key::Turn(screens) => top.saturating_add_signed(screens.saturating_mul((rows - HEAD).max(1))),
            Key::ToEnd => usize::MAX,
            Key::ToTop | Key::Leave => 0,
        }
    }

    /// Writes the lines that differ from what stands there, all at once.
    fn show(&mut self, picture: &Result<Picture, Failure>, now: DateTime<Utc>, top: &mut usize) -> io::Result<()> {
        let size = terminal_size::terminal_size().map_or((80, 24), |(columns, rows)| (columns.0, rows.0));
        let lines = frame(picture, now, (usize::from(size.0), usize::from(size.1)), top);
        let lines: Vec<String> = lines
            .iter()
            .map(|line| cut(line, usize::from(size.0)))
            .map(|line| if self.has_colours { line } else { anstream::adapter::strip_str(&line).to_string() })
            .collect();
        let is_resized = size != self.size;
        if !is_resized && lines == self.shown {
            return Ok(());
        }
        // Between these two marks a terminal that knows them draws nothing.
        let mut update = "\x1b[?2026h".to_owned();
        if is_resized {
            update.push_str("\x1b[2J");
            self.shown.clear();
        }
        for (number, line) in lines.iter().enumerate() {
            if self.shown.get(number) != Some(line) {
                update.push_str(&format!("\x1b[{};1H{line}\x1b[0m\x1b[K", number + 1));
            }
        }
        if lines.len() < self.shown.len() {
            update.push_str(&format!("\x1b[{};1H\x1b[J", lines.len() + 1));
        }
        update.push_str("\x1b[?2026l");
        self.shown = lines;
        self.size = size;
        write(update.as_bytes())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = write(b"\x1b[0m\x1b[?25h\x1b[?1049l");
    }
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut stream = io::stdout().lock();
    stream.write_all(bytes)?;
    stream.flush()
}

/// What stands on the screen. The first line of the page that is shown is brought into what there is.
fn frame(
    picture: &Result<Picture, Failure>,
    now: DateTime<Utc>,
    (columns, rows): (usize, usize),
    top: &mut usize,
) -> Vec<String> {
    let mut lines = vec![header(picture, &words::clock_with_seconds(now), columns)];
    match picture {
        Ok(picture) => {
            let here = picture.overview.as_ref().map(|overview| page::sections(picture, overview, columns));
            if let Some(mut sections) = here {
                lines.push(format!("{FAINT}{} · ↑↓ scroll · q or Ctrl-C leaves{FAINT:#}", picture.one_line()));
                lines.push(String::new());
                sections.retain(|section| !section.is_optional());
                lines.extend(shown(&sections, rows.saturating_sub(lines.len()), top));
            } else {
                lines.push(String::new());
                lines.extend(page::nobody_here(picture).iter().flat_map(|line| wrapped(line, columns)));
            }
        }
        Err(failure) => {
            lines.push(String::new());
            lines.push(format!("{WARNING}!{WARNING:#} {}", failure.message));
            lines.extend(failure.advice.iter().map(|advice| format!("  {advice}")));
        }
    }
    lines.truncate(rows);
    lines
}

/// Where this is, and the time, which shows that it lives.
fn header(picture: &Result<Picture, Failure>, clock: &str, columns: usize) -> String {
    let place = picture.as_ref().map_or_else(|_| String::new(), place);
    let left = cut(&format!("deconflict · {place}"), columns.saturating_sub(clock.width() + 2));
    let gap = columns.saturating_sub(left.width() + clock.width());
    format!("{HEADING}{left}{HEADING:#}{}{FAINT}{clock}{FAINT:#}", " ".repeat(gap))
}

/// The folder whose files are coordinated, as people write it.
fn place(picture: &Picture) -> String {
    let folder = Path::new(&picture.directory).parent().unwrap_or(Path::new(""));
    let home = std::env::home_dir();
    match home.as_deref().and_then(|home| folder.strip_prefix(home).ok()) {
        Some(below) => one_line(&Path::new("~").join(below).display().to_string(), usize::MAX),
        None => one_line(&folder.display().to_string(), usize::MAX),
    }
}

/// The sections in so many rows, from the line on to which somebody scrolled.
fn shown(sections: &[Section], rows: usize, top: &mut usize) -> Vec<String> {
    let height = sections.iter().map(|section| section.height(usize::MAX)).sum::<usize>().saturating_sub(1);
    *top = (*top).min(height.saturating_sub(rows));
    if *top == 0 {
        return fitted(sections, rows);
    }
    let whole = sections.iter().map(|section| section.cut_to(usize::MAX)).collect::<Vec<_>>().join(&String::new());
    whole.into_iter().skip(*top).take(rows).collect()
}

/// The sections in so many rows: the longest give way first.
fn fitted(sections: &[Section], rows: usize) -> Vec<String> {
    let mut most: Vec<usize> = sections.iter().map(Section::len).collect();
    let height = |most: &[usize]| sections.iter().zip(most).map(|(section, most)| section.height(*most)).sum::<usize>();
    // Below the last one there is no empty line.
    while height(&most) > rows + 1 {
        let Some(longest) = most.iter_mut().filter(|most| **most > 1).max() else { break };
        *longest -= 1;
    }
    let sections = sections.iter().zip(&most).map(|(section, most)| section.cut_to(*most));
    sections.collect::<Vec<_>>().join(&String::new())
}
