use diffy::{ConflictStyle, IncompleteHunkStyle, MergeOptions};

/// What came of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The text; where both sides changed the same lines, both stand between git's conflict markers.
    pub text: Vec<u8>,
    /// True if nothing is left to be decided.
    pub is_clean: bool,
}

/// Puts the changes that two sides made to one text together. `None` for contents that are not text and that both changed.
pub fn merge(base: &[u8], ours: &[u8], theirs: &[u8]) -> Option<Merged> {
    let clean = |text: &[u8]| Some(Merged { text: text.to_vec(), is_clean: true });
    if ours == theirs || base == theirs {
        return clean(ours);
    }
    if base == ours {
        return clean(theirs);
    }
    if [base, ours, theirs].iter().any(|text| super::lines(text).first().is_some_and(|line| line.contains(&0))) {
        return None;
    }
    let mut options = MergeOptions::new();
    options.set_conflict_style(ConflictStyle::Merge).set_incomplete_hunk_style(IncompleteHunkStyle::Git);
    Some(match options.merge_bytes(base, ours, theirs) {
        Ok(text) => Merged { text, is_clean: true },
        Err(text) => Merged { text, is_clean: false },
    })
}
