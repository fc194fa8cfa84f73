//! The few colours, one for each kind of text. They reach only terminals that want them.

use anstyle::{AnsiColor, Style};

/// The head of a section.
pub(super) const HEADING: Style = Style::new().bold();
/// What one looks for: a session, a resource.
pub(super) const NAME: Style = AnsiColor::Cyan.on_default();
/// What is less important.
pub(super) const FAINT: Style = Style::new().dimmed();
/// All is well.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// To be looked at.
pub(super) const WARNING: Style = AnsiColor::Yellow.on_default();
/// It did not work.
pub(super) const ERROR: Style = AnsiColor::Red.on_default().bold();
