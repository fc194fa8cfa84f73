//! How much the journal keeps, where, and what of it cannot be had back; and what the user's settings say wrongly.

use deconflict_journal::{Damage, Usage};
use deconflict_workspace::UserSettings;

use super::super::context::Context;
use super::super::failure::Failure;
use super::super::words;
use super::report::Report;

impl Report {
    pub(super) fn check_journal(&mut self, context: &Context) {
        let found = context.recording().and_then(|recording| {
            let usage = recording.journal.usage()?;
            let damage = if usage.files > 0 { recording.journal.damage()? } else { Damage::default() };
            Ok((usage, damage))
        });
        match found {
            Ok((usage, damage)) => self.tell_journal(&usage, &damage),
            Err(Failure { message, .. }) => self.problem(
                "journal",
                format!("The journal cannot be read. {message}"),
                "Check the permissions of its folder. Work goes on without it.",
            ),
        }
        self.check_settings();
    }

    fn tell_journal(&mut self, usage: &Usage, damage: &Damage) {
        let path = usage.path.display();
        self.fact("journal", "Journal", path.to_string());
        if usage.files == 0 {
            self.fact("journal_size", "It keeps", "nothing");
            return;
        }
        let kept = format!("{} of {}", size(usage.bytes), words::count(usage.files, "changed file"));
        self.fact("journal_size", "It keeps", kept);
        if damage.lines + damage.contents.len() == 0 {
            self.good("journal", "Everything the journal keeps can be restored.");
            return;
        }
        self.problem(
            "journal-damaged",
            format!(
                "In the journal, {} cannot be read, and {} cannot be restored.",
                words::count(damage.lines, "line"),
                words::count(damage.contents.len(), "content")
            ),
            "The rest is intact, and what is damaged will be cleared away. To delete what is kept of a file now: deconflict history --forget PATH",
        );
    }

    fn check_settings(&mut self) {
        let Some(path) = UserSettings::path() else { return };
        for problem in UserSettings::read().problems {
            let message = format!("In {}: {}", path.display(), deconflict_protocol::text::one_line(&problem, 300));
            self.problem("settings", message, "Correct it there.");
        }
    }
}

fn size(bytes: u64) -> String {
    let whole = |unit: u64| format!("{}.{}", bytes / unit, bytes % unit * 10 / unit);
    match bytes {
        0..=1023 => words::count(usize::try_from(bytes).unwrap_or(0), "byte"),
        1024..=1_048_575 => format!("{} KB", whole(1 << 10)),
        _ => format!("{} MB", whole(1 << 20)),
    }
}
