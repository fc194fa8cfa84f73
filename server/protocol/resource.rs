//! What can be claimed, and the name of the file that records the claim.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{NameError, ResourceType, text};

/// A thing that one session at a time may hold.
///
/// The name of a file or a directory is its path relative to the coordination directory's parent, with `/`;
/// in a linked worktree `//{worktree}/{path}`, and where several repositories share a directory
/// `//{main worktree}//{worktree}/{path}` (protocol page, "What a resource is called").
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Resource {
    resource_type: ResourceType,
    #[serde(rename = "resource_name")]
    name: String,
}

/// The longest name that is accepted, in bytes.
const LONGEST_NAME: usize = 8192;

/// A name is shown with at most so many characters.
const LONGEST_SHOWN: usize = 200;

/// The longest name that file systems give to a file, in bytes.
const LONGEST_FILE_NAME: usize = 255;

/// The longest encoded name, in bytes. A longer one is cut and ends with a hash.
const LONGEST_ENCODED_NAME: usize = 200;

/// Stands before the hash of a cut name. The encoding never produces it.
const CUT_MARK: &str = "%~";

/// The name of the directory that holds everything: the coordination directory's parent.
const ROOT: &str = ".";

impl Resource {
    /// Makes a resource of any type.
    pub fn new(resource_type: ResourceType, name: &str) -> Result<Self, NameError> {
        if name.is_empty() || name.len() > LONGEST_NAME || name.contains('\0') {
            return Err(NameError::Resource(name.to_owned()));
        }
        Ok(Self { resource_type, name: name.to_owned() })
    }

    /// Makes a file.
    pub fn file(name: &str) -> Result<Self, NameError> {
        Self::new(ResourceType::file(), name)
    }

    /// Makes a directory. The coordination directory's parent itself is called `.`.
    pub fn directory(name: &str) -> Result<Self, NameError> {
        Self::new(ResourceType::directory(), name)
    }

    /// What kind of thing it is.
    pub fn resource_type(&self) -> &ResourceType {
        &self.resource_type
    }

    /// What it is called, as records spell it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// True for a file.
    pub fn is_file(&self) -> bool {
        self.resource_type.as_str() == "file"
    }

    /// True for a directory.
    pub fn is_directory(&self) -> bool {
        self.resource_type.as_str() == "directory"
    }

    /// Reads `{type}/{name}`, as messages and menus spell a resource.
    pub fn parse(text: &str) -> Option<Self> {
        let (resource_type, name) = text.split_once('/')?;
        Self::new(ResourceType::foreign(resource_type).ok()?, name).ok()
    }

    /// The same spelling, which [`Resource::parse`] reads.
    pub fn spelled(&self) -> String {
        format!("{}/{}", self.resource_type, self.name)
    }

    /// What people see: the name, for a file or directory in a linked worktree `src/a.rs (worktree feature-x)`.
    pub fn display_name(&self) -> String {
        match self.worktree() {
            Some(worktree) => {
                let path = if self.relative().is_empty() { ROOT } else { self.relative() };
                format!("{path} (worktree {worktree})")
            }
            None => self.name.clone(),
        }
    }

    /// What a sentence calls it, quoted: `"src/a.rs"`, `the directory "src"`, `"task deploy"`.
    pub fn in_a_sentence(&self) -> String {
        let name = self.display_name();
        match self.resource_type.as_str() {
            "file" => text::quoted(&name, LONGEST_SHOWN),
            "directory" => format!("the directory {}", text::quoted(&name, LONGEST_SHOWN)),
            other => text::quoted(&format!("{other} {name}"), LONGEST_SHOWN),
        }
    }

    /// Git's name of the linked worktree that a file or directory is in.
    pub fn worktree(&self) -> Option<&str> {
        let root = self.root();
        (!root.is_empty()).then(|| root.rsplit('/').next().unwrap_or(root))
    }

    /// The path below the worktree's root, or below the coordination directory's parent. Empty for a worktree's root.
    pub fn relative(&self) -> &str {
        self.name[self.root().len()..].trim_start_matches('/')
    }

    /// The same path in whichever worktree: resources that are equal in this may conflict when branches are merged.
    /// It is `None` for what is neither a file nor a directory.
    pub fn path_in_any_worktree(&self) -> Option<&str> {
        (self.is_file() || self.is_directory()).then(|| self.relative())
    }

    /// What the same path is called in the repository's main worktree. It is `None` for what is neither a file nor a
    /// directory.
    pub fn path_in_main_worktree(&self) -> Option<String> {
        self.path_in_any_worktree().map(|relative| match self.root()[self.root().len().min(2)..].split_once("//") {
            Some((main_worktree, _)) => format!("{main_worktree}/{relative}"),
            None => relative.to_owned(),
        })
    }

    /// The directories that cover this file or directory, nearest first. Other types have none.
    pub fn covering_directories(&self) -> Vec<Resource> {
        if !self.is_file() && !self.is_directory() {
            return Vec::new();
        }
        let root = self.root();
        let mut covering = Vec::new();
        let mut end = self.name.len();
        while let Some(slash) = self.name[..end].rfind('/').filter(|slash| *slash > root.len()) {
            covering.push(directory_named(&self.name[..slash]));
            end = slash;
        }
        let outermost = if root.is_empty() { ROOT } else { root };
        if self.name != outermost {
            covering.push(directory_named(outermost));
        }
        covering
    }

    /// True if this is a directory that contains the other, at any depth.
    pub fn covers(&self, other: &Resource) -> bool {
        if !self.is_directory() || !(other.is_file() || other.is_directory()) || self.root() != other.root() {
            return false;
        }
        let (above, below) = (self.relative(), other.relative());
        if above.is_empty() || above == ROOT {
            return !below.is_empty() && below != ROOT;
        }
        below.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
    }

    /// True if holding one excludes holding the other: the same resource, or one covers the other.
    pub fn overlaps(&self, other: &Resource) -> bool {
        self == other || self.covers(other) || other.covers(self)
    }

    /// The same type under another name; used when a file moves.
    pub fn renamed(&self, name: &str) -> Result<Self, NameError> {
        Self::new(self.resource_type.clone(), name)
    }

    /// The name of the file that records a claim of this.
    pub fn claim_file_name(&self) -> ClaimFileName {
        let kind = self.resource_type.as_str();
        // Another program's type may be so long that it leaves less room.
        let room = LONGEST_FILE_NAME.saturating_sub(kind.len() + "-".len() + ClaimFileName::ENDING.len());
        let name = encode(&self.name, room.min(LONGEST_ENCODED_NAME));
        ClaimFileName(format!("{kind}-{name}{}", ClaimFileName::ENDING).into())
    }

    /// The worktree prefix (`//{worktree}` or `//{main worktree}//{worktree}`), or nothing.
    fn root(&self) -> &str {
        if !self.is_file() && !self.is_directory() {
            return "";
        }
        let Some(rest) = self.name.strip_prefix("//") else { return "" };
        let worktree_start = rest.find("//").map_or(2, |inner| 2 + inner + 2);
        let worktree_length = self.name[worktree_start..].find('/').unwrap_or(self.name.len() - worktree_start);
        &self.name[..worktree_start + worktree_length]
    }
}

fn directory_named(name: &str) -> Resource {
    Resource { resource_type: ResourceType::directory(), name: name.to_owned() }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.resource_type, self.display_name())
    }
}

/// The name of a claim file. Exclusion follows it: two claims with one file name are claims of one resource,
/// whatever the records say inside.
///
/// Clones share the text, because a server keeps thousands of these names and looks them up in several ways.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimFileName(Arc<str>);

impl ClaimFileName {
    /// What every claim file's name ends with.
    pub const ENDING: &'static str = ".claim";

    /// Accepts the name of a claim file found in the directory; `None` for anything else.
    pub fn from_file_name(name: &str) -> Option<Self> {
        let stem = name.strip_suffix(Self::ENDING)?;
        (!stem.is_empty() && !stem.starts_with('.') && !name.contains(['/', '\\'])).then(|| Self(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The resource that this file stands for, as far as the name alone tells; the record's own words
    /// (`type`, `name`) decide where the name was cut or comes from another program's spelling.
    pub fn resource(&self, recorded: Option<(&str, &str)>) -> Resource {
        if let Some(said) =
            recorded.and_then(|(kind, name)| Resource::new(ResourceType::foreign(kind).ok()?, name).ok())
            && said.claim_file_name() == *self
        {
            return said;
        }
        let stem = self.0.strip_suffix(Self::ENDING).unwrap_or(&self.0);
        let (kind, name) = stem.split_once('-').unwrap_or(("unknown", stem));
        let resource_type = ResourceType::foreign(kind).unwrap_or_else(|_| ResourceType::unknown());
        let name = decode(name).unwrap_or_else(|| name.to_owned());
        Resource { resource_type, name: if name.is_empty() { stem.to_owned() } else { name } }
    }

    /// How the names of all claims below a directory start, for both types that it can cover.
    /// A cut name keeps its beginning, so it starts so too unless the directory's own name was cut.
    pub fn prefixes_below(directory: &Resource) -> [String; 2] {
        let encoded = match directory.name() {
            ROOT => String::new(),
            name => encode_whole(&format!("{name}/")),
        };
        let mut start = encoded.as_str();
        if start.len() > LONGEST_ENCODED_NAME - HASH_LENGTH {
            let mut end = LONGEST_ENCODED_NAME - HASH_LENGTH - 12;
            while !start.is_char_boundary(end) {
                end -= 1;
            }
            start = &start[..end];
        }
        ["file", "directory"].map(|kind| format!("{kind}-{start}"))
    }
}

impl Borrow<str> for ClaimFileName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClaimFileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The length of the cut mark and a 128-bit hash in hexadecimal digits.
const HASH_LENGTH: usize = CUT_MARK.len() + 32;

/// Encodes a name into at most `room` bytes, which is more than a hash needs.
fn encode(name: &str, room: usize) -> String {
    let whole = encode_whole(name);
    if whole.len() <= room {
        return whole;
    }
    let mut end = room.saturating_sub(HASH_LENGTH);
    // A cut must fall neither into a character nor into an escape.
    while !whole.is_char_boundary(end) || whole[..end].bytes().rev().take(2).any(|b| b == b'%') {
        end -= 1;
    }
    let digest = Sha256::digest(name.as_bytes());
    let hash = text::hex(&digest[..16]);
    format!("{}{CUT_MARK}{hash}", &whole[..end])
}

fn encode_whole(name: &str) -> String {
    let last = name.chars().count().saturating_sub(1);
    let mut encoded = String::with_capacity(name.len() + 8);
    for (position, c) in name.chars().enumerate() {
        let at_an_end = position == 0 || position == last;
        let must_go = matches!(c, '%' | '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
            || c.is_control()
            || (at_an_end && matches!(c, '.' | ' '));
        if must_go {
            let mut buffer = [0; 4];
            for byte in c.encode_utf8(&mut buffer).bytes() {
                encoded.push('%');
                encoded.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0').to_ascii_uppercase());
                encoded.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0').to_ascii_uppercase());
            }
        } else {
            encoded.push(c);
        }
    }
    encoded
}

/// Undoes the encoding; `None` if the text is no encoding of a whole name.
fn decode(encoded: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = after;
            continue;
        }
        let digits = std::str::from_utf8(after.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after.get(2..)?;
    }
    String::from_utf8(bytes).ok().filter(|name| !name.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> Resource {
        Resource::file(name).unwrap()
    }

    fn directory(name: &str) -> Resource {
        Resource::directory(name).unwrap()
    }

    #[test]
    fn plain_names_are_the_originals() {
        let cases = [
            ("file", "CONSCIOUSNESS.md", "file-CONSCIOUSNESS.md.claim"),
            ("droplet", "church-guidance", "droplet-church-guidance.claim"),
            ("file", "src/a b.rs", "file-src%2Fa b.rs.claim"),
            ("file", ".gitignore", "file-%2Egitignore.claim"),
            ("file", "a. ", "file-a.%20.claim"),
            ("file", "50%/é\u{7}", "file-50%25%2Fé%07.claim"),
            ("task", "a:b*c?\"<>|\\", "task-a%3Ab%2Ac%3F%22%3C%3E%7C%5C.claim"),
            ("file", "//feature-x/src/a.rs", "file-%2F%2Ffeature-x%2Fsrc%2Fa.rs.claim"),
        ];
        for (kind, name, expected) in cases {
            let resource = Resource::new(ResourceType::new(kind).unwrap(), name).unwrap();
            let file_name = resource.claim_file_name();
            assert_eq!(file_name.as_str(), expected);
            assert_eq!(file_name.resource(None), resource, "decodes again");
        }
    }

    #[test]
    fn long_names_are_cut_on_a_boundary_and_stay_distinct() {
        for filler in ["a", "é", "/", "a/"] {
            let names: Vec<String> = (150..420).map(|n| filler.repeat(n)).collect();
            let files: std::collections::HashSet<_> = names.iter().map(|name| file(name).claim_file_name()).collect();
            assert_eq!(files.len(), names.len());
            for (name, file_name) in names.iter().map(|name| (name, file(name).claim_file_name())) {
                assert!(file_name.as_str().len() <= "file-.claim".len() + 200);
                assert_eq!(file_name.resource(Some(("file", name))), file(name));
            }
        }
    }

    #[test]
    fn no_type_of_another_program_makes_a_name_too_long_for_a_file() {
        for length in [1, 40, 48, 49, 100, 200] {
            let kind = ResourceType::foreign(&"t-".repeat(100)[..length]).unwrap();
            let files = ["x".repeat(300), "x".repeat(301), "é/".repeat(150)]
                .map(|name| Resource::new(kind.clone(), &name).unwrap().claim_file_name());
            assert!(files.iter().all(|file| file.as_str().len() <= 255), "{files:?}");
            assert!(files[0] != files[1], "{files:?}");
        }
    }

    #[test]
    fn a_record_that_says_something_else_does_not_change_what_is_excluded() {
        let file_name = file("src/a.rs").claim_file_name();
        assert_eq!(file_name.resource(Some(("file", "src/b.rs"))), file("src/a.rs"));
    }

    #[test]
    fn directories_cover_what_is_below_them_but_no_worktree() {
        let cases = [
            (".", "src/a.rs", true),
            ("src", "src/a.rs", true),
            ("src", "src/deep/er/a.rs", true),
            ("src", "srcs/a.rs", false),
            ("src", "src", false),
            (".", "//feature/src/a.rs", false),
            ("//feature", "//feature/src/a.rs", true),
            ("//feature/src", "//feature/src/a.rs", true),
            ("//feature", "//other/src/a.rs", false),
            ("//repo//feature", "//repo//feature/src/a.rs", true),
            ("//repo", "//repo//feature/src/a.rs", false),
        ];
        for (above, below, expected) in cases {
            let below = file(below);
            assert_eq!(directory(above).covers(&below), expected, "{above} and {below}");
            assert_eq!(below.covering_directories().contains(&directory(above)), expected, "{above} above {below}");
        }
        assert_eq!(
            file("a/b/c.rs").covering_directories(),
            [directory("a/b"), directory("a"), directory(".")],
            "nearest first"
        );
        assert_eq!(directory(".").covering_directories(), []);
        assert_eq!(directory("//feature").covering_directories(), []);
    }

    #[test]
    fn names_for_people_tell_the_worktree() {
        assert_eq!(file("//feature-x/src/a.rs").display_name(), "src/a.rs (worktree feature-x)");
        assert_eq!(file("//code/main//feature-x/src/a.rs").display_name(), "src/a.rs (worktree feature-x)");
        assert_eq!(file("src/a.rs").display_name(), "src/a.rs");
        assert_eq!(file("//x/src/a.rs").path_in_any_worktree(), file("src/a.rs").path_in_any_worktree());
        for (name, in_main) in [("//x/src/a", "src/a"), ("//code/main//x/src/a", "code/main/src/a"), ("src/a", "src/a")]
        {
            assert_eq!(file(name).path_in_main_worktree().as_deref(), Some(in_main));
        }
    }

    #[test]
    fn claims_below_a_directory_are_found_by_the_start_of_their_names() {
        let deep = format!("src/{}", "x".repeat(300));
        for (above, below) in
            [("src", "src/a.rs"), ("src", deep.as_str()), (".", "a"), (deep.as_str(), &format!("{deep}/y"))]
        {
            let [files, _] = ClaimFileName::prefixes_below(&directory(above));
            let claim_file = file(below).claim_file_name();
            assert!(claim_file.as_str().starts_with(&files), "{files} {claim_file}");
        }
    }
}
