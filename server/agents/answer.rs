//! What a coding agent is told, the same for all of them.

/// The answer to one event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The tool must not run, and this is why.
    pub refusal: Option<String>,
    /// What the model should know.
    pub context: Vec<String>,
    /// What the user should see.
    pub notice: Option<String>,
    /// Variables for the shells that the agent starts.
    pub environment: Vec<(&'static str, String)>,
}

/// No agent takes more than 10,000 characters at once; some drop a longer text altogether.
const LONGEST_CONTEXT: usize = 9_000;

impl Answer {
    /// The tool must not run.
    pub(super) fn refuse(reason: impl Into<String>) -> Self {
        Self { refusal: Some(reason.into()), ..Self::default() }
    }

    /// Adds what is told of another place. What is refused is refused before.
    pub(super) fn add(&mut self, other: Self) {
        self.context.extend(other.context);
        self.notice = match (self.notice.take(), other.notice) {
            (Some(one), Some(other)) => Some(format!("{one}\n{other}")),
            (one, other) => one.or(other),
        };
    }

    /// Adds something for the model.
    pub(super) fn tell(&mut self, text: impl Into<String>) {
        self.context.push(text.into());
    }

    /// What the model should know as one text; `None` if there is nothing.
    pub(super) fn context(&self) -> Option<String> {
        if self.context.is_empty() {
            return None;
        }
        let text = self.context.join("\n\n");
        if text.chars().count() <= LONGEST_CONTEXT {
            return Some(text);
        }
        let mut cut: String = text.chars().take(LONGEST_CONTEXT).collect();
        cut.push('…');
        Some(cut)
    }
}
