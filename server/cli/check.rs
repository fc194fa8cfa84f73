//! `deconflict check PATH…`

use std::path::PathBuf;

use deconflict_protocol::Resource;
use deconflict_protocol::text::one_line;
use deconflict_registry::{Claim, Registry};
use deconflict_words::documents;
use deconflict_workspace::NamingError;
use serde_json::{Value, json};

use super::context::Context;
use super::failure::{Exit, Failure};
use super::style::GOOD;
use super::{held, identity, words};

/// Check whether you may edit files, for scripts and hooks
///
/// Exits with 0 if you may edit all of them, 1 if another session holds one, 3 if it could not tell. Anything that
/// nobody has claimed may be edited. Without a session of your own, every claim counts as someone else's.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files or directories
    #[arg(required = true, value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    paths: Vec<PathBuf>,
}

struct Verdict {
    path: PathBuf,
    resource: Option<Resource>,
    answer: Answer,
}

enum Answer {
    May,
    /// This claim of another session stands against it.
    HeldBy(Box<Claim>),
    Unknown(Failure),
}

pub(super) fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    context.check_joined()?;
    let Some(registry) = context.existing_registry()? else {
        // Nobody coordinates here, so nobody holds anything.
        return answer(context, None, &arguments.paths.into_iter().map(free).collect::<Vec<_>>());
    };
    let session = identity::find(context, &registry)?;
    let own = session.as_ref().map(|session| &session.id);
    let namer = context.namer()?;
    let verdict = |path: PathBuf| match namer.resource_at(&path) {
        // What cannot be claimed here is held by nobody here: a check must not stand in the way of other work.
        Err(NamingError::Outside { .. }) => free(path),
        Err(error) => Verdict { path, resource: None, answer: Answer::Unknown(error.into()) },
        Ok(resource) => {
            let answer = match registry.claims_on(&resource) {
                Ok(claims) => claims
                    .into_iter()
                    .find(|claim| claim.stands_against(own))
                    .map_or(Answer::May, |claim| Answer::HeldBy(Box::new(claim))),
                Err(error) => Answer::Unknown(error.into()),
            };
            Verdict { path, resource: Some(resource), answer }
        }
    };
    let verdicts: Vec<Verdict> = arguments.paths.into_iter().map(verdict).collect();
    answer(context, Some(&registry), &verdicts)
}

fn free(path: PathBuf) -> Verdict {
    Verdict { path, resource: None, answer: Answer::May }
}

fn answer(context: &Context, registry: Option<&Registry>, verdicts: &[Verdict]) -> Result<Exit, Failure> {
    let holder = |claim: &Claim| registry.and_then(|registry| held::holder_of(registry, claim));
    let document = |verdict: &Verdict| {
        let mut facts = verdict.resource.as_ref().map_or_else(|| json!({}), documents::resource);
        facts["path"] = verdict.path.display().to_string().into();
        match &verdict.answer {
            Answer::May => facts["may_edit"] = true.into(),
            Answer::HeldBy(claim) => {
                facts["may_edit"] = false.into();
                facts["claim"] = documents::claim(claim, holder(claim).as_ref());
            }
            Answer::Unknown(failure) => {
                facts["may_edit"] = Value::Null;
                facts["message"] = failure.message.clone().into();
            }
        }
        facts
    };
    let documents = || Value::from(verdicts.iter().map(document).collect::<Vec<_>>());
    let sentence = |verdict: &Verdict| match &verdict.answer {
        Answer::May => None,
        Answer::HeldBy(claim) => {
            let wanted = verdict.resource.as_ref().unwrap_or(&claim.resource);
            Some(words::held(claim, holder(claim).as_ref(), wanted, context.now()))
        }
        Answer::Unknown(failure) => Some(failure.message.clone()),
    };
    let sentences: Vec<String> = verdicts.iter().filter_map(sentence).collect();
    let message = sentences.join("\n");
    let is_held = |verdict: &Verdict| matches!(verdict.answer, Answer::HeldBy(_));
    if verdicts.iter().any(is_held) {
        // Held is what the caller must know first, even if something else could not be told.
        return Err(Failure::refused("claimed", message).fact("paths", documents()));
    }
    if !sentences.is_empty() {
        return Err(Failure::failed("could-not-tell", message).fact("paths", documents()));
    }
    context.output.answer(
        || json!({"paths": documents()}),
        || match verdicts {
            [one] => format!("{GOOD}You may edit{GOOD:#} {}.", one_line(&one.path.display().to_string(), 200)),
            all => format!("{GOOD}You may edit{GOOD:#} all {} of them.", all.len()),
        },
    )?;
    Ok(Exit::Done)
}
