//! What a verb prints: words for people, or one JSON document for programs.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};
use std::rc::Rc;

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use deconflict_protocol::text::plain_json;
use serde_json::{Map, Value};

use super::failure::{Exit, Failure};
use super::{pager, style};

#[derive(Debug, Clone)]
pub(crate) struct Output {
    json: bool,
    /// Where the document is kept that a program in this process asked for; else it is printed.
    kept: Option<Rc<RefCell<Option<Value>>>>,
}

/// Whether all of an answer reached its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Printed {
    Whole,
    /// The reader closed the pipe, as `head` does. That is its right, and no error.
    Cut,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, kept: None }
    }

    /// Keeps the answer, a document, for a program in this process.
    pub(crate) fn kept() -> Self {
        Self { json: true, kept: Some(Rc::default()) }
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    pub(crate) fn take_kept(&self) -> Option<Value> {
        self.kept.as_ref()?.borrow_mut().take()
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints the answer: the document's facts after `"ok": true`, or the words. Only what is printed is made.
    pub(crate) fn answer(
        &self,
        document: impl FnOnce() -> Value,
        words: impl FnOnce() -> String,
    ) -> Result<Printed, Failure> {
        self.answer_with(true, document, words)
    }

    /// The same for words that may be longer than the terminal.
    pub(crate) fn long_answer(
        &self,
        document: impl FnOnce() -> Value,
        words: impl FnOnce() -> String,
    ) -> Result<Printed, Failure> {
        if self.json {
            return self.answer(document, words);
        }
        let words = words();
        if pager::show(&words)? { Ok(Printed::Whole) } else { Self::text(&words) }
    }

    pub(crate) fn answer_with(
        &self,
        ok: bool,
        document: impl FnOnce() -> Value,
        words: impl FnOnce() -> String,
    ) -> Result<Printed, Failure> {
        if !self.json {
            return Self::text(&words());
        }
        let mut whole = Map::from_iter([("ok".to_owned(), ok.into())]);
        if let Value::Object(facts) = document() {
            whole.extend(facts);
        }
        self.document(whole.into())
    }

    pub(crate) fn document(&self, document: Value) -> Result<Printed, Failure> {
        if let Some(kept) = &self.kept {
            kept.replace(Some(document));
            return Ok(Printed::Whole);
        }
        let text = serde_json::to_string_pretty(&document)
            .map_err(|error| Failure::could_not("write the answer as JSON", &error))?;
        print(&mut io::stdout().lock(), &plain_json(&text))
    }

    /// Prints words, coloured only on a terminal.
    pub(crate) fn text(words: &str) -> Result<Printed, Failure> {
        if AutoStream::choice(&io::stdout()) == ColorChoice::Never {
            // Taken out of all at once, colours don't make a piece of each line.
            return print(&mut io::stdout().lock(), &strip_str(words).to_string());
        }
        print(&mut anstream::stdout().lock(), words)
    }

    /// Says something beside the answer, on standard error.
    pub(crate) fn remark(words: &str) {
        // Nobody is left to hear that this failed.
        let _ = print(&mut anstream::stderr().lock(), words);
    }

    pub(crate) fn failure(&self, failure: &Failure) -> Exit {
        if self.json {
            let _ = self.document(failure.document());
        }
        if self.is_kept() {
            return failure.exit;
        }
        let (mark, word) = match failure.exit {
            Exit::Refused => (style::WARNING, "refused"),
            _ => (style::ERROR, "error"),
        };
        let mut words = format!("{mark}{word}:{mark:#} {}", failure.message);
        failure.advice.iter().for_each(|advice| words.push_str(&format!("\n  {advice}")));
        Self::remark(&words);
        failure.exit
    }
}

/// How wide a line may be: as wide as the terminal, or of any width for a file or a pipe.
pub(crate) fn terminal_width() -> usize {
    let is_terminal = std::io::stdout().is_terminal();
    let size = is_terminal.then(terminal_size::terminal_size).flatten();
    size.map_or(usize::MAX, |(columns, _)| usize::from(columns.0))
}

fn print(stream: &mut impl Write, text: &str) -> Result<Printed, Failure> {
    let line_end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    match write!(stream, "{text}{line_end}").and_then(|()| stream.flush()) {
        Ok(()) => Ok(Printed::Whole),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Printed::Cut),
        Err(error) => Err(Failure::could_not("print the answer", &error)),
    }
}
