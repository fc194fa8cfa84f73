//! What is meant by `[TYPE] NAME…`: without a type the names are paths. What looks like a slip is refused with the line that
//! was probably meant.

use deconflict_protocol::ResourceType;
use deconflict_protocol::text::{path_word, quoted};
use deconflict_registry::Registry;
use deconflict_workspace::{Declared, DeclaredResource};

use super::context::Context;
use super::failure::Failure;
use super::words;

/// A name with its type, as they stand on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) resource_type: ResourceType,
    pub(super) name: String,
    /// No type was said, so that it is a path.
    pub(super) is_path: bool,
}

impl Wanted {
    /// What deconflict.toml says of it.
    pub(super) fn declared<'a>(&self, declared: &'a Declared) -> Option<&'a DeclaredResource> {
        declared.resource(&self.name).filter(|known| known.kind == self.resource_type)
    }
}

/// Words that people type for a directory, and for a file.
const FOR_DIRECTORY: [&str; 6] = ["dir", "dirs", "folder", "folders", "directories", "path"];
const FOR_FILE: [&str; 3] = ["files", "paths", "f"];

/// What the words of a verb mean. The first is a type if it is `file`, `directory` or a type in use, or if it may be a
/// type and nothing here is called so; but if all words are paths of what is here, they are paths.
pub(super) fn wanted(
    verb: &str,
    first: &str,
    rest: &[String],
    context: &Context,
    registry: Option<&Registry>,
) -> Result<Vec<Wanted>, Failure> {
    let named = Meant { verb, context };
    if rest.is_empty() {
        return named.one_word(first, registry);
    }
    let all: Vec<&str> = std::iter::once(first).chain(rest.iter().map(String::as_str)).collect();
    if !context.shared.original && all.iter().all(|word| named.is_here(word)) {
        return all.into_iter().map(|word| named.path(word)).collect();
    }
    let resource_type = match ResourceType::foreign(first) {
        Ok(resource_type) if named.is_type(&resource_type, registry)? => resource_type,
        _ if context.shared.original => ResourceType::new(first)?,
        _ => return named.not_a_type(first, &all),
    };
    rest.iter().map(|name| named.of_type(&resource_type, name)).collect()
}

struct Meant<'a> {
    verb: &'a str,
    context: &'a Context,
}

impl Meant<'_> {
    fn one_word(&self, word: &str, registry: Option<&Registry>) -> Result<Vec<Wanted>, Failure> {
        let is_built_in = matches!(word, "file" | "directory");
        let is_type = || ResourceType::foreign(word).is_ok_and(|word| is_in_use(&word, registry).unwrap_or(false));
        if !self.is_here(word) && (is_built_in || (!looks_like_path(word) && is_type())) {
            let name = if is_built_in { "PATH" } else { "NAME" };
            return Err(Failure::usage(format!("Which {word}? Name it."))
                .advise(format!("For example: deconflict {} {word} {name}", self.verb)));
        }
        Ok(vec![self.path(word)?])
    }

    fn is_here(&self, word: &str) -> bool {
        std::fs::symlink_metadata(self.context.folder().join(word)).is_ok()
    }

    fn is_type(&self, word: &ResourceType, registry: Option<&Registry>) -> Result<bool, Failure> {
        if matches!(word.as_str(), "file" | "directory") || is_in_use(word, registry)? {
            return Ok(true);
        }
        Ok(!self.is_here(word.as_str()) && ResourceType::new(word.as_str()).is_ok() && slip(word.as_str()).is_none())
    }

    /// The first word is no type, so all are paths, unless it looks like a type misspelt.
    fn not_a_type(&self, first: &str, all: &[&str]) -> Result<Vec<Wanted>, Failure> {
        if !self.is_here(first) {
            let names: Vec<String> = all[1..].iter().map(|name| path_word(name)).collect();
            let kind = all.get(1).filter(|name| self.is_here(name)).map(|name| self.kind_at(name));
            if let Some(meant) = slip(first) {
                return Err(Failure::usage(format!(
                    "Nobody uses {} as a resource type.",
                    quoted(first, words::PHRASE)
                ))
                .advise(format!(
                    "Did you mean: deconflict {} {} {}",
                    self.verb,
                    kind.unwrap_or(meant),
                    names.join(" ")
                )));
            }
            if let Err(error) = ResourceType::new(first)
                && !looks_like_path(first)
            {
                return Err(Failure::usage(deconflict_words::sentence(&error.to_string())));
            }
        }
        all.iter().map(|word| self.path(word)).collect()
    }

    fn kind_at(&self, name: &str) -> &'static str {
        if self.context.folder().join(name).is_dir() { "directory" } else { "file" }
    }

    fn path(&self, word: &str) -> Result<Wanted, Failure> {
        self.refuse_pattern(word)?;
        let is_directory = self.kind_at(word) == "directory" || word.ends_with('/');
        let resource_type = if is_directory { ResourceType::directory() } else { ResourceType::file() };
        Ok(Wanted { resource_type, name: word.to_owned(), is_path: true })
    }

    fn of_type(&self, resource_type: &ResourceType, name: &str) -> Result<Wanted, Failure> {
        match resource_type.as_str() {
            // What was claimed may be gone, or something else by now.
            _ if self.verb == "release" => {}
            "file" | "directory" => {
                self.refuse_pattern(name)?;
                let kind = if self.is_here(name) { self.kind_at(name) } else { resource_type.as_str() };
                if kind != resource_type.as_str() {
                    let reason = if kind == "file" { "is-file" } else { "is-directory" };
                    return Err(self.another_kind(resource_type, kind, name).reason(reason));
                }
            }
            _ if looks_like_path(name) && self.is_here(name) && !self.context.shared.original => {
                return Err(self.another_kind(resource_type, self.kind_at(name), name));
            }
            _ => {}
        }
        Ok(Wanted { resource_type: resource_type.clone(), name: name.to_owned(), is_path: false })
    }

    fn another_kind(&self, resource_type: &ResourceType, kind: &str, name: &str) -> Failure {
        let word = path_word(name);
        Failure::usage(format!("{} is a {kind}, not a {resource_type}.", quoted(name, 200)))
            .advise(format!("Did you mean: deconflict {} {kind} {word}", self.verb))
    }

    /// A shell leaves a pattern as it is where it matches nothing.
    fn refuse_pattern(&self, name: &str) -> Result<(), Failure> {
        if !name.contains(['*', '?']) || self.is_here(name) || self.context.shared.original || self.verb == "release" {
            return Ok(());
        }
        let folder = name.split(['*', '?']).next().and_then(|before| Some(before.rsplit_once('/')?.0));
        let folder = folder.filter(|folder| self.context.folder().join(folder).is_dir()).unwrap_or(".");
        Err(Failure::usage(format!("Nothing here is called {}, and claims don't take patterns.", quoted(name, 200)))
            .advise(format!("To name a whole folder: deconflict {} directory {}", self.verb, path_word(folder))))
    }
}

fn is_in_use(word: &ResourceType, registry: Option<&Registry>) -> Result<bool, Failure> {
    let Some(registry) = registry else { return Ok(false) };
    Ok(registry.claimed_names()?.iter().any(|claimed| claimed.resource_type() == word))
}

/// True for what nobody calls a task or a droplet.
fn looks_like_path(name: &str) -> bool {
    name.contains(['/', '.', '*', '?'])
}

/// The type that a word was probably meant to be.
fn slip(word: &str) -> Option<&'static str> {
    let word = word.to_lowercase();
    if FOR_DIRECTORY.contains(&word.as_str()) || is_one_slip_away(&word, "directory") {
        Some("directory")
    } else if FOR_FILE.contains(&word.as_str()) || is_one_slip_away(&word, "file") {
        Some("file")
    } else {
        None
    }
}

/// True for a word that one letter too many, too few, wrong or exchanged with its neighbour makes another.
fn is_one_slip_away(word: &str, other: &str) -> bool {
    let (word, other): (Vec<char>, Vec<char>) = (word.chars().collect(), other.chars().collect());
    let begin = word.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let (word, other) = (&word[begin..], &other[begin..]);
    let end = word.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
    match (&word[..word.len() - end], &other[..other.len() - end]) {
        ([] | [_], [] | [_]) => true,
        ([a, b], [c, d]) => (a, b) == (d, c),
        _ => false,
    }
}
