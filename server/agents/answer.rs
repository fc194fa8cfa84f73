//! What a coding agent is told, the same for all of them.

use serde_json::{Map, Value};

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

    /// An answer that only the user sees.
    pub(super) fn notice(text: String) -> Self {
        Self { notice: Some(text), ..Self::default() }
    }

    /// An answer that both the model and the user see.
    pub(super) fn warning(text: String) -> Self {
        Self { context: vec![text.clone()], ..Self::notice(text) }
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
        let mut text = self.context.join("\n\n");
        if let Some((end, _)) = text.char_indices().nth(LONGEST_CONTEXT) {
            text.replace_range(end.., "…");
        }
        Some(text)
    }

    /// The variables as a JSON object; `None` if there are none.
    pub(super) fn variables(&self) -> Option<Value> {
        let variables = self.environment.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into()));
        (!self.environment.is_empty()).then(|| Value::Object(variables.collect()))
    }
}

/// A JSON object of the fields that have a value.
pub(super) fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Map<String, Value> {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
