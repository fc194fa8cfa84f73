//! Whose a session's changes are.

use deconflict_journal::Author;
use deconflict_protocol::text::{one_line, quoted};
use deconflict_registry::Session;

/// The author of what a session changes.
pub fn author_of(session: &Session) -> Author {
    Author {
        session: session.id.clone(),
        label: session.label_for_all(),
        person: session.person().map(str::to_owned),
        agent: session.agent().map(str::to_owned),
    }
}

/// What an author is called to the person who looks: `Ada's Claude Code`, and to Ada `your Claude Code`.
pub fn label_for(author: &Author, person: Option<&str>) -> String {
    let own = person.filter(|_| author.agent.is_some() && author.person.as_deref() == person);
    let agent = own.and_then(|person| author.label.strip_prefix(&format!("{person}'s ")));
    agent.map_or_else(|| author.label.clone(), |agent| format!("your {agent}"))
}

/// The same within a sentence, where a name stands in quotes.
pub fn named_for(author: &Author, person: Option<&str>) -> String {
    let label = label_for(author, person);
    if label == author.label { quoted(&label, 60) } else { one_line(&label, 60) }
}

/// True if two authors are one person, or a person and their agent. Who does not say whose they are is another person
/// (protocol page, "Names people see").
pub fn is_same_person(one: &Author, other: &Author) -> bool {
    one.session == other.session || (one.person.is_some() && one.person == other.person)
}

/// True if one of two authors is the person whose the other one is: the person's own window, or an agent of theirs. Two
/// agents of one person are strangers to each other.
pub(super) fn has_person_of(one: &Author, other: &Author) -> bool {
    is_same_person(one, other) && (one.agent.is_none() || other.agent.is_none())
}
