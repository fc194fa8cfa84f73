//! `deconflict commit`

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use deconflict_changes::{CommitPlan, FileHistory, PlannedFile, PlannedKind, author_of, named_for, owners_in};
use deconflict_journal::{Author, Commit, ContentId, FileLog, Journal, Settlement, text};
use deconflict_protocol::text::{count, one_line, shell_word};
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{Claim, Session};
use deconflict_workspace::committing::{
    Committing, NewContent, NewFile, NewKind, Published, Signing, StagedRules, TreeChange, Wording,
};
use deconflict_workspace::{Kind, Repository};
use serde_json::{Value, json};

use super::acting::Acting;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::output::Output;
use super::recording::{Recording, nothing_kept};
use super::style::{FAINT, GOOD};
use super::{guard, overlaps, upkeep};

/// Commit your own changes and nobody else's
///
/// Without PATH, commits everything that your session has changed in this worktree; without a session, everything of
/// the person's: what their editors saved and what their agents left. Files in which others changed other lines are committed
/// in part; where they overlap, nothing is committed. The files stay as they are, and what is staged
/// stays staged.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only changes in these files and folders
    #[arg(value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    paths: Vec<PathBuf>,
    /// The message; each further one is a paragraph of its own. Without it your editor opens
    #[arg(short, long, value_name = "TEXT")]
    message: Vec<String>,
    /// Sign the commit, as `git commit` does; with this key, if one is named
    #[arg(short = 'S', long, value_name = "KEY", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    gpg_sign: Option<String>,
    /// Do not sign the commit, even if git has it configured
    #[arg(long, conflicts_with = "gpg_sign")]
    no_gpg_sign: bool,
}

/// So many commits by others while this one is being made are too many.
const ATTEMPTS: usize = 20;

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let recording = context.recording_again()?;
    if !recording.has_directory() {
        return Err(nothing());
    }
    let root = context.location()?.repository.as_ref().map(Repository::root);
    let root = root.ok_or_else(|| Failure::usage("This folder is not in a git repository."))?.to_owned();
    Acting::run(context, None, |acting| {
        Making { arguments, context, recording: &recording, acting, root: &root }.make()
    })
}

/// A commit that is being made.
struct Making<'a> {
    arguments: &'a Arguments,
    context: &'a Context,
    recording: &'a Recording,
    acting: &'a Acting,
    root: &'a Path,
}

/// A commit that was made.
struct Made {
    id: String,
    message: String,
    plan: CommitPlan,
    changes: Vec<TreeChange>,
    /// The changes that are as they were planned, so that no hook had a say in them.
    as_planned: Vec<TreeChange>,
}

impl Making<'_> {
    fn make(&self) -> Result<Exit, Failure> {
        let committing = Committing::begin(self.root)?;
        let mut message = None;
        for _ in 0..ATTEMPTS {
            let head = committing.head()?;
            let (plan, sessions) = self.plan(head.as_deref())?;
            overlaps::refuse(&plan.overlaps, "nothing was committed")?;
            let contents: Vec<NewContent> = plan.files.iter().map(new_content).collect();
            committing.stage(head.as_deref(), &contents)?;
            let (tree, as_planned) = committing.tree(head.as_deref())?;
            if as_planned.is_empty() {
                return Err(self.nothing_to_commit(&plan));
            }
            let is_committed = |path: &Path, staged: Option<&[u8]>| self.is_committed(&plan, &sessions, path, staged);
            let rules = StagedRules { is_committed: &is_committed, merge: &merged };
            committing.check_staged(head.as_deref(), &tree, &as_planned, rules)?;
            committing.run_pre_commit(self.arguments.message.is_empty())?;
            let (tree, changes) = committing.tree(head.as_deref())?;
            if changes.is_empty() {
                return Err(self.nothing_to_commit(&plan));
            }
            if committing.head()? != head {
                continue;
            }
            let text = match message.take() {
                Some(text) => text,
                None => self.message(&committing, &plan, &changes)?,
            };
            let published = committing.publish(head.as_deref(), &tree, &changes, &text, &self.signing(), rules)?;
            match published {
                Published::Done(id) => {
                    let made = Made { id, message: text, plan, changes, as_planned };
                    self.remember(&made, &sessions);
                    committing.run_post_commit()?;
                    return self.tell(&made, &sessions);
                }
                Published::HeadMoved => message = Some(text),
            }
        }
        Err(Failure::failed("head-moved", "Others keep committing here, so nothing was committed. Try again.")
            .advise("Try again."))
    }

    /// What is committed on top of a commit, and of whom.
    fn plan(&self, head: Option<&str>) -> Result<(CommitPlan, BTreeSet<SessionId>), Failure> {
        let recorder = self.recording.recorder();
        let files = self.files()?;
        let mut logs: Vec<(&Resource, FileLog)> = Vec::new();
        for file in &files {
            logs.push((file, self.recording.journal.log(file)?));
        }
        let mut sessions = BTreeSet::new();
        let owners = |log: &FileLog| owners_in(log).into_iter().flatten().collect::<Vec<_>>();
        for owner in logs.iter().flat_map(|(_, log)| owners(log)) {
            if !sessions.contains(&owner.session) && self.acting.speaks_for(&owner)? {
                sessions.insert(owner.session);
            }
        }
        let is_meant = |author: &Author| sessions.contains(&author.session);
        let mut wanted = Vec::new();
        for (file, log) in &logs {
            let has_own = owners(log).iter().any(is_meant);
            let is_unknown = log.entries().last().is_some_and(|newest| newest.author.is_none());
            let is_here = || recorder.root_of(file).is_some_and(|root| root == self.root);
            if (has_own || is_unknown || !self.arguments.paths.is_empty()) && is_here() {
                // What happened to it since somebody looked last is nobody's.
                recorder.look(file, self.context.now())?;
                wanted.push((*file).clone());
            }
        }
        let plan = CommitPlan::of_authors(&recorder, &wanted, head.unwrap_or("HEAD"), &is_meant)?;
        Ok((plan, sessions))
    }

    /// True if what is staged of a file, `None` if that it goes, is what it was on the way to what is committed. Where nothing
    /// can be told, it is none of the commit's.
    fn is_committed(
        &self,
        plan: &CommitPlan,
        sessions: &BTreeSet<SessionId>,
        path: &Path,
        staged: Option<&[u8]>,
    ) -> bool {
        let is_own = |author: &Author| sessions.contains(&author.session);
        // What was renamed may have stood under its old name alone.
        let may_have_it =
            |file: &&PlannedFile| Path::new(&file.path) == path || (staged.is_some() && file.content.is_none());
        plan.files.iter().filter(may_have_it).any(|file| {
            let history = FileHistory::read(&self.recording.journal, &file.resource);
            let committed = file.committed.as_deref().unwrap_or_default();
            history.is_ok_and(|history| history.is_some_and(|it| it.has_only(staged, committed, &is_own)))
        })
    }

    /// The files that are meant, as far as the journal knows them.
    fn files(&self) -> Result<Vec<Resource>, Failure> {
        if self.arguments.paths.is_empty() {
            return Ok(self.recording.journal.files()?);
        }
        let mut files: Vec<Resource> = Vec::new();
        for path in &self.arguments.paths {
            let found = self.recording.files_at(path, self.context.now())?;
            if found.is_empty() {
                return Err(nothing_kept(path));
            }
            files.extend(found);
        }
        files.sort();
        files.dedup();
        Ok(files)
    }

    fn message(&self, committing: &Committing, plan: &CommitPlan, changes: &[TreeChange]) -> Result<String, Failure> {
        let paragraphs = &self.arguments.message;
        if !paragraphs.is_empty() {
            return Ok(committing.message(Wording::Given(&paragraphs.join("\n\n")))?);
        }
        let mut listing = "Changes to be committed:\n".to_owned();
        for change in changes {
            listing.push_str(&format!("\t{}: {}\n", deed(change), shown(&change.path())));
        }
        let left = self.left(plan);
        if !left.is_empty() {
            listing.push_str(&format!("\nNot committed:\n\t{}\n", left.join("\n\t")));
        }
        Ok(committing.message(Wording::Edited(&listing))?)
    }

    fn signing(&self) -> Signing {
        match &self.arguments.gpg_sign {
            _ if self.arguments.no_gpg_sign => Signing::Never,
            None => Signing::AsConfigured,
            Some(key) => Signing::Sign(Some(key.clone()).filter(|key| !key.is_empty())),
        }
    }

    /// Writes into the journal what was committed, and releases what needs no claims. The commit stands, whatever
    /// fails here.
    fn remember(&self, made: &Made, sessions: &BTreeSet<SessionId>) {
        if let Err(failure) = self.write_to_journal(made, sessions) {
            Output::remark(&format!("The commit could not be noted in the journal: {}", failure.message));
        }
        let committed: Vec<(Resource, PathBuf)> = made.resources(self).into_iter().map(|(_, pair)| pair).collect();
        let is_own = |claim: &Claim, holder: Option<&Session>| {
            claim.held_by(&self.acting.session.id)
                || holder.is_some_and(|holder| self.acting.speaks_for(&author_of(holder)).unwrap_or(false))
        };
        match guard::release_committed(&self.acting.registry, self.root, &committed, &HashMap::new(), &is_own) {
            Ok(released) if !released.is_empty() => upkeep::refresh_board(&self.acting.registry),
            Ok(_) => {}
            Err(failure) => Output::remark(&format!("Claims could not be released: {}", failure.message)),
        }
        let files: Vec<Resource> = committed.into_iter().map(|(resource, _)| resource).collect();
        self.acting.note("committed", &files);
    }

    fn write_to_journal(&self, made: &Made, sessions: &BTreeSet<SessionId>) -> Result<(), Failure> {
        let journal = &self.recording.journal;
        let now = self.context.now();
        for (change, (resource, _)) in made.resources(self) {
            if journal.tip(&resource)?.is_none() {
                continue;
            }
            for commit in made.commits_of(change, &resource) {
                journal.committed(&resource, commit, now)?;
            }
            for loss in journal.log(&resource)?.losses() {
                if loss.settled.is_none() && sessions.contains(&loss.owner.session) {
                    journal.settle(&loss.entry, Some(&loss.owner.session), Settlement::Committed, now)?;
                }
            }
        }
        Ok(())
    }

    fn tell(&self, made: &Made, sessions: &BTreeSet<SessionId>) -> Result<Exit, Failure> {
        let file = |change: &TreeChange| json!({"path": change.path().display().to_string(), "change": deed(change)});
        self.context.output.answer(
            || {
                json!({
                    "commit": made.id,
                    "files": made.changes.iter().map(file).collect::<Vec<_>>(),
                    "left": left_documents(&made.plan),
                    "sessions": sessions.iter().filter(|session| made.has_some_of(session)).map(SessionId::as_str).collect::<Vec<_>>(),
                })
            },
            || self.in_words(made),
        )?;
        Ok(Exit::Done)
    }

    fn in_words(&self, made: &Made) -> String {
        /// More would hide what is left.
        const MOST: usize = 20;
        let short = &made.id[..made.id.len().min(8)];
        let branch = self.context.branch().ok().flatten();
        let place = branch.map_or_else(|| "a detached HEAD".to_owned(), |branch| one_line(&branch, 60));
        let subject = one_line(made.message.lines().next().unwrap_or_default(), 100);
        let mut words = format!("{GOOD}Committed{GOOD:#} {short} on {place}: {subject}\n");
        for change in made.changes.iter().take(MOST) {
            words.push_str(&format!("  {} {}\n", deed(change), shown(&change.path())));
        }
        if made.changes.len() > MOST {
            words.push_str(&format!("  and {} more\n", made.changes.len() - MOST));
        }
        for line in self.left(&made.plan) {
            words.push_str(&format!("{FAINT}Not committed: {line}{FAINT:#}\n"));
        }
        if let Some(line) = self.way_with_git(&made.plan) {
            words.push_str(&format!("{FAINT}{line}{FAINT:#}\n"));
        }
        words
    }

    fn left(&self, plan: &CommitPlan) -> Vec<String> {
        left_in_words(plan, self.context.person_who_looks().as_deref())
    }

    fn nothing_to_commit(&self, plan: &CommitPlan) -> Failure {
        let left = self.left(plan).into_iter().map(|line| format!("Left: {line}"));
        let failure = left.chain(self.way_with_git(plan)).fold(nothing(), Failure::advise);
        failure.fact("left", left_documents(plan))
    }

    /// How to commit what nobody is known to have changed: whoever works in a shell knows that it was they.
    fn way_with_git(&self, plan: &CommitPlan) -> Option<String> {
        const MOST: usize = 5;
        if !(1..=MOST).contains(&plan.unknown.len()) {
            return None;
        }
        // From the top of the worktree, wherever this is typed.
        let from_top = if self.context.folder() == self.root { "" } else { ":/" };
        let files: Vec<String> =
            plan.unknown.iter().map(|file| shell_word(&format!("{from_top}{}", file.display_name()))).collect();
        Some(format!("What you changed there yourself, commit with git: git add {}; git commit", files.join(" ")))
    }
}

impl Made {
    /// What was changed, with what it is called and where it is.
    fn resources(&self, making: &Making) -> Vec<(&TreeChange, (Resource, PathBuf))> {
        let Ok(namer) = making.context.namer() else { return Vec::new() };
        let found = |change: &TreeChange| {
            let path = making.root.join(change.path());
            Some((namer.resource_as_spelled(&path, Kind::File).ok()?, path))
        };
        self.changes.iter().filter_map(|change| Some((change, found(change)?))).collect()
    }

    /// What the journal is told of a file: whose changes were committed, one session after the other.
    fn commits_of(&self, change: &TreeChange, resource: &Resource) -> Vec<Commit> {
        let commit = |session, before, after| Commit { session, id: self.id.clone(), before, after };
        let planned = self.plan.files.iter().find(|file| file.resource == *resource);
        let planned = planned.filter(|file| !file.sessions.is_empty() && self.as_planned.contains(change));
        let Some(planned) = planned else {
            // A hook has put something else there.
            return vec![commit(None, None, change.content().and_then(|id| id.parse::<ContentId>().ok()))];
        };
        let mut before = planned.committed.as_deref().and_then(Journal::name_of);
        let mut commits = Vec::new();
        for (position, (session, text)) in planned.sessions.iter().enumerate() {
            let is_gone = planned.content.is_none() && position + 1 == planned.sessions.len();
            let after = if is_gone { None } else { Journal::name_of(text) };
            commits.push(commit(Some(session.clone()), before, after));
            before = after;
        }
        commits
    }

    fn has_some_of(&self, session: &SessionId) -> bool {
        self.plan.files.iter().flat_map(|file| &file.sessions).any(|(other, _)| other == session)
    }
}

fn new_content(planned: &PlannedFile) -> NewContent {
    let file = planned.content.as_ref().map(|content| {
        let kind = match content.kind {
            PlannedKind::File { executable } => NewKind::File { executable },
            PlannedKind::Link => NewKind::Link,
        };
        NewFile { bytes: content.bytes.clone(), kind }
    });
    NewContent { path: planned.path.clone(), file }
}

/// Puts what is staged and what is committed together.
fn merged(base: &[u8], ours: &[u8], theirs: &[u8]) -> Option<Vec<u8>> {
    text::merge(base, ours, theirs).filter(|merged| merged.is_clean).map(|merged| merged.text)
}

fn nothing() -> Failure {
    Failure::refused("nothing", "You have nothing to commit.")
}

/// What is not committed, a line for each file and owner; cut where there are many.
fn left_in_words(plan: &CommitPlan, person: Option<&str>) -> Vec<String> {
    const MOST: usize = 20;
    let unknown = plan.unknown.iter().map(|file| format!("{}, changed by somebody unknown", file.in_a_sentence()));
    let others = plan
        .others
        .iter()
        .map(|(file, owner)| format!("{}, changes of {}", file.in_a_sentence(), named_for(owner, person)));
    let mut lines: Vec<String> = unknown.chain(others).collect();
    if lines.len() > MOST {
        let more = lines.len() - MOST;
        lines.truncate(MOST);
        lines.push(format!("and {} more", count(more, "change")));
    }
    lines
}

fn left_documents(plan: &CommitPlan) -> Vec<Value> {
    let unknown = plan.unknown.iter().map(|file| json!({"path": file.name(), "reason": "unknown"}));
    let others = plan.others.iter().map(|(file, owner)| {
        json!({"path": file.name(), "reason": "others", "session": owner.session.as_str(), "label": owner.label})
    });
    unknown.chain(others).collect()
}

fn deed(change: &TreeChange) -> &'static str {
    if change.is_removed() {
        "deleted"
    } else if change.is_new() {
        "added"
    } else {
        "changed"
    }
}

fn shown(path: &Path) -> String {
    one_line(&path.display().to_string(), 200)
}
