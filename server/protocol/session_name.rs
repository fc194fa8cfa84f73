//! What a session is called (protocol page, "Names people see"). Every surface takes its names from here, so that one
//! session has one name.

use super::text::{name_and_id, one_line};
use super::{SessionId, SessionRecord};

/// A name of a session is cut after so many characters.
const LONGEST_NAME: usize = 64;

/// What a session works on is cut after so many characters in its name.
const LONGEST_WORK: usize = 30;

/// What agents, editors and shells are called by people, by what they call themselves.
const PRODUCTS: [(&str, &str); 18] = [
    ("claude-code", "Claude Code"),
    ("codex", "Codex"),
    ("gemini", "Gemini CLI"),
    ("cursor", "Cursor"),
    ("copilot", "Copilot"),
    ("qwen", "Qwen Code"),
    ("Visual Studio Code", "VS Code"),
    ("vscode", "VS Code"),
    ("code-server", "VS Code"),
    ("VSCodium", "VS Code"),
    ("nvim", "Neovim"),
    ("neovim", "Neovim"),
    ("helix", "Helix"),
    ("kakoune", "Kakoune"),
    ("kakoune-lsp", "Kakoune"),
    ("eglot", "Emacs"),
    ("emacs", "Emacs"),
    ("zed", "Zed"),
];

impl SessionRecord {
    /// What everybody calls the session: the name that its user gave it; else the person whose editor or shell it is,
    /// `Ada`, or `Ada (Neovim)` while she has several; else the agent as hers, `Ada's Claude Code`.
    pub fn label(&self, id: &SessionId) -> String {
        if let Some(name) = given(self.name.as_deref()) {
            return name;
        }
        match (given(self.person.as_deref()).or_else(|| given(self.user.as_deref())), self.product()) {
            (Some(person), Some(product)) if self.agent.is_some() => {
                format!("{person}'s {product}{}", self.distinction())
            }
            (Some(person), Some(product)) if self.has_alike == Some(true) => {
                format!("{person} ({product}){}", self.distinction())
            }
            (Some(person), _) => person,
            (None, Some(product)) => product,
            (None, None) => one_line(id.as_str(), LONGEST_NAME),
        }
    }

    /// What its own user calls it: the name that they gave it, else `your Claude Code`.
    pub fn own_label(&self, id: &SessionId) -> String {
        match self.product().filter(|_| given(self.name.as_deref()).is_none()) {
            Some(product) => format!("your {product}{}", self.distinction()),
            None => self.label(id),
        }
    }

    /// The label and the id, for a list to choose from.
    pub fn label_and_id(&self, id: &SessionId) -> String {
        name_and_id(&self.label(id), id.as_str())
    }

    /// What it runs in, as people call it: `Neovim`, `Claude Code`, `Claude Code (Explore)`.
    pub fn product(&self) -> Option<String> {
        let client = given(self.agent.as_deref()).or_else(|| given(self.client.as_deref()))?;
        let known = PRODUCTS.iter().find(|(word, _)| word.eq_ignore_ascii_case(&client));
        let product = known.map_or(client, |(_, product)| (*product).to_owned());
        Some(match given(self.sub_agent.as_deref()) {
            Some(kind) => format!("{product} ({})", one_line(&kind, LONGEST_WORK)),
            None => product,
        })
    }

    /// True for another session of the same person: the same user of the same machine who is called the same. Without
    /// these it is another person.
    pub fn is_of_same_person(&self, other: &Self) -> bool {
        self.user.is_some() && self.user == other.user && self.host == other.host && self.person == other.person
    }

    /// What tells it from others that are called the same: what it works on, else its number.
    fn distinction(&self) -> String {
        if self.has_alike != Some(true) {
            return String::new();
        }
        let work = self.current_work.as_deref().map(|work| one_line(work, LONGEST_WORK));
        match (work.filter(|work| !work.is_empty()), self.number) {
            (Some(work), _) => format!(" · {work}"),
            (None, Some(number)) => format!(" {number}"),
            (None, None) => String::new(),
        }
    }
}

fn given(text: Option<&str>) -> Option<String> {
    text.map(|text| one_line(text, LONGEST_NAME)).filter(|text| !text.is_empty())
}
