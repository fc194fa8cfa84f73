//! What a commit has, read from git's own files where that can be done: starting git takes longer than all the rest of what
//! an agent's hook does. What cannot be told here is unknown, and git is to be asked.

use std::cell::RefCell;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::rc::Rc;

use gix_hash::{Kind, ObjectId};
use gix_object::tree::EntryMode;
use gix_object::{CommitRefIter, Find, TreeRefIter};
use gix_odb::store::init::Options;
use gix_ref::file::ReferenceExt;

use super::Repository;

/// Where git keeps objects that stand for others.
const REPLACEMENTS: &str = "refs/replace/";

/// It is not known here.
#[derive(Debug, Clone, Copy)]
pub(super) struct AskGit;

/// The tree of a commit.
pub(super) struct CommittedTree {
    database: Rc<Database>,
    root: ObjectId,
}

/// What it has at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CommittedEntry {
    mode: EntryMode,
    id: ObjectId,
}

impl CommittedTree {
    /// Opens the tree of `HEAD` or of a commit that is given by its whole name. Objects above `largest` bytes are not read.
    pub(super) fn of(repository: &Repository, commit: &str, largest: usize) -> Option<Self> {
        let database = Database::of(repository, largest)?;
        let commit = match commit {
            "HEAD" => database.refs.find("HEAD").ok()?.peel_to_id(&database.refs, &database.objects).ok()?,
            name => ObjectId::from_hex(name.as_bytes()).ok()?,
        };
        let bytes = database.object(commit, gix_object::Kind::Commit).ok()?;
        let root = CommitRefIter::from_bytes(&bytes, Kind::Sha1).tree_id().ok()?;
        Some(Self { database, root })
    }

    /// What stands at a path from the root.
    pub(super) fn entry(&self, path: &str) -> Result<Option<CommittedEntry>, AskGit> {
        let mut entry = CommittedEntry { mode: gix_object::tree::EntryKind::Tree.into(), id: self.root };
        for name in path.split('/') {
            if !entry.mode.is_tree() {
                return Ok(None);
            }
            let tree = self.database.tree(entry.id)?;
            let mut found = None;
            for one in TreeRefIter::from_bytes(&tree, Kind::Sha1) {
                let one = one.map_err(|_| AskGit)?;
                if one.filename == name.as_bytes() {
                    found = Some(CommittedEntry { mode: one.mode, id: one.oid.to_owned() });
                    break;
                }
            }
            match found {
                Some(found) => entry = found,
                None => return Ok(None),
            }
        }
        Ok(Some(entry))
    }

    /// The content of a file or a link.
    pub(super) fn content(&self, entry: CommittedEntry) -> Result<Vec<u8>, AskGit> {
        self.database.object(entry.id, gix_object::Kind::Blob)
    }
}

/// As long as this lives, a thread keeps open what it opened of a repository's objects last: what a hook or a verb asks of them
/// follows one another within moments, and opening them takes longer than an answer.
#[derive(Debug)]
pub struct KeptOpen(PhantomData<Rc<()>>);

/// Keeps a repository's objects open for the questions that follow on this thread. For what runs for moments, not for a
/// server: it would keep what was read in memory.
#[must_use]
pub fn keep_open() -> KeptOpen {
    KEPT.with_borrow_mut(|kept| kept.times += 1);
    KeptOpen(PhantomData)
}

impl Drop for KeptOpen {
    fn drop(&mut self) {
        KEPT.with_borrow_mut(|kept| {
            kept.times -= 1;
            if kept.times == 0 {
                kept.database = None;
            }
        });
    }
}

#[derive(Default)]
struct OpenedLast {
    /// How many want it kept.
    times: usize,
    database: Option<Rc<Database>>,
}

thread_local! {
    static KEPT: RefCell<OpenedLast> = RefCell::default();
}

/// A repository's objects and refs.
struct Database {
    git_directory: PathBuf,
    largest: usize,
    objects: gix_odb::Handle,
    refs: gix_ref::file::Store,
    /// The trees that were read.
    trees: RefCell<HashMap<ObjectId, Rc<Vec<u8>>>>,
}

impl Database {
    fn of(repository: &Repository, largest: usize) -> Option<Rc<Self>> {
        let is_meant = |kept: &&Rc<Self>| kept.git_directory == repository.git_directory() && kept.largest == largest;
        if let Some(kept) = KEPT.with_borrow(|kept| kept.database.as_ref().filter(is_meant).cloned()) {
            return Some(kept);
        }
        let opened = Rc::new(Self::open(repository, largest)?);
        KEPT.with_borrow_mut(|kept| {
            if kept.times > 0 {
                kept.database = Some(Rc::clone(&opened));
            }
        });
        Some(opened)
    }

    fn open(repository: &Repository, largest: usize) -> Option<Self> {
        if !repository.names_by_sha1() {
            return None;
        }
        let (own, common) = (repository.git_directory().to_owned(), repository.common_directory().to_owned());
        let options = Options { alloc_limit_bytes: Some(largest), ..Options::default() };
        let objects = gix_odb::at_opts(common.join("objects"), Kind::Sha1, None, options).ok()?;
        let refs = if own == common {
            gix_ref::file::Store::at(own.clone(), Kind::Sha1)
        } else {
            gix_ref::file::Store::for_linked_worktree(own.clone(), common, Kind::Sha1)
        };
        let prefix = REPLACEMENTS.try_into().ok()?;
        if refs.iter().ok()?.prefixed(prefix).ok()?.next().is_some() {
            return None;
        }
        Some(Self { git_directory: own, largest, objects, refs, trees: RefCell::default() })
    }

    fn tree(&self, id: ObjectId) -> Result<Rc<Vec<u8>>, AskGit> {
        if let Some(known) = self.trees.borrow().get(&id) {
            return Ok(Rc::clone(known));
        }
        let tree = Rc::new(self.object(id, gix_object::Kind::Tree)?);
        self.trees.borrow_mut().insert(id, Rc::clone(&tree));
        Ok(tree)
    }

    fn object(&self, id: ObjectId, kind: gix_object::Kind) -> Result<Vec<u8>, AskGit> {
        let mut bytes = Vec::new();
        let found = self.objects.try_find(&id, &mut bytes).ok().flatten().filter(|found| found.kind == kind);
        found.map(|found| found.data.to_vec()).ok_or(AskGit)
    }
}

impl CommittedEntry {
    /// True for a file or a link.
    pub(super) fn is_content(self) -> bool {
        self.mode.is_blob_or_symlink()
    }

    /// What git calls it.
    pub(super) fn name(self) -> String {
        self.id.to_string()
    }

    /// Its mode as git prints it.
    pub(super) fn mode(self) -> String {
        format!("{:06o}", self.mode.value())
    }
}
