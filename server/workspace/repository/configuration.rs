//! Git's configuration format, as far as a few plain values need it (git-config(1), "CONFIGURATION FILE").

/// Values in the order in which git reads them.
#[derive(Debug, Default)]
pub(crate) struct Configuration {
    entries: Vec<Entry>,
}

/// One value. Names are in small letters, except a subsection's.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) section: String,
    pub(crate) subsection: Option<String>,
    pub(crate) key: String,
    pub(crate) value: String,
}

impl Configuration {
    /// Reads what is well-formed and skips the rest.
    pub(crate) fn parse(text: &str) -> Self {
        let mut entries = Vec::new();
        let (mut section, mut subsection) = (String::new(), None);
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let mut line = line.trim();
            if let Some(header) = line.strip_prefix('[') {
                let Some((name, named, rest)) = understand_header(header) else { continue };
                (section, subsection) = (name, named);
                line = rest.trim();
            }
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            let mut whole = line.to_owned();
            while whole.ends_with('\\') && !whole.ends_with("\\\\") {
                whole.pop();
                whole.push_str(lines.next().unwrap_or_default().trim_end());
            }
            let (key, value) = whole.split_once('=').unwrap_or((&whole, "true"));
            entries.push(Entry {
                section: section.clone(),
                subsection: subsection.clone(),
                key: key.trim().to_ascii_lowercase(),
                value: unquoted(value.trim()),
            });
        }
        Self { entries }
    }

    /// Adds a value, which counts more than those before it.
    pub(crate) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// The last value of a key, which is the one that counts. Names are in small letters.
    pub(crate) fn value(&self, section: &str, key: &str) -> Option<&str> {
        self.values(section, key).last()
    }

    /// All values of a key, in whichever subsection.
    pub(crate) fn values(&self, section: &str, key: &str) -> impl Iterator<Item = &str> {
        self.entries
            .iter()
            .filter(move |entry| entry.section == section && entry.key == key)
            .map(|entry| entry.value.as_str())
    }
}

impl IntoIterator for Configuration {
    type Item = Entry;
    type IntoIter = std::vec::IntoIter<Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

/// The section and subsection that a header names, and what follows it; `header` begins after the bracket.
fn understand_header(header: &str) -> Option<(String, Option<String>, &str)> {
    let name_end = header.find([']', '"', ' ', '\t', '.'])?;
    let section = header[..name_end].to_ascii_lowercase();
    let rest = header[name_end..].trim_start();
    let Some(quoted) = rest.strip_prefix('"') else {
        let (old_style, after) = rest.split_once(']')?;
        let subsection = old_style.strip_prefix('.').map(str::to_ascii_lowercase);
        return Some((section, subsection, after));
    };
    let mut subsection = String::new();
    let mut characters = quoted.char_indices();
    while let Some((position, character)) = characters.next() {
        match character {
            '\\' => subsection.push(characters.next()?.1),
            '"' => return Some((section, Some(subsection), quoted[position + 1..].trim_start().strip_prefix(']')?)),
            other => subsection.push(other),
        }
    }
    None
}

/// A value without its quotes, escapes and comment.
fn unquoted(raw: &str) -> String {
    let mut value = String::new();
    // Spaces outside of quotes count only if something follows them.
    let mut spaces = String::new();
    let mut quoted = false;
    let mut characters = raw.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                quoted = !quoted;
                value.push_str(&std::mem::take(&mut spaces));
            }
            '#' | ';' if !quoted => break,
            ' ' | '\t' if !quoted => spaces.push(character),
            _ => {
                value.push_str(&std::mem::take(&mut spaces));
                value.push(match character {
                    '\\' => match characters.next() {
                        Some('n') => '\n',
                        Some('t') => '\t',
                        Some('b') => '\u{8}',
                        Some(other) => other,
                        None => break,
                    },
                    other => other,
                });
            }
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_git_writes() {
        let text = "\u{20}# a comment\n[core]\n\tbare = false\n\tWorkTree = \"../../a \\\"b\\\" c\" ; where\n\
            [extensions] objectFormat = sha256\n[submodule \"one]two\"]\n\tpath = first\n[submodule \"b\"]\n\tpath = \
            second part\\\n of it\n[core]\n\tbare\n[broken\n= nothing\n";
        let read = Configuration::parse(text);
        assert_eq!(read.value("core", "worktree"), Some("../../a \"b\" c"));
        assert_eq!(read.value("core", "bare"), Some("true"));
        assert_eq!(read.value("extensions", "objectformat"), Some("sha256"));
        assert_eq!(read.values("submodule", "path").collect::<Vec<_>>(), ["first", "second part of it"]);
        assert_eq!(read.value("core", "missing"), None);
        let named = read.into_iter().filter(|entry| entry.section == "submodule").map(|entry| entry.subsection);
        assert_eq!(named.collect::<Vec<_>>(), [Some("one]two".to_owned()), Some("b".to_owned())]);
    }
}
