//! `deconflict resources`

use deconflict_protocol::text::one_line;
use deconflict_protocol::{Resource, Want};
use deconflict_registry::{Claim, PlaceInLine, Registry, Session, Store};
use deconflict_words::documents;
use deconflict_workspace::{DECLARATIONS, DeclaredResource, Scope};
use serde_json::{Value, json};

use super::context::Context;
use super::failure::{Exit, Failure};
use super::output::Output;
use super::style::NAME;
use super::{asked, held, scope, words};

/// List what is shared besides files, who has it and who is waiting
///
/// It is declared in `deconflict.toml` at the root of the repository. Anything else that somebody holds or waits for is
/// listed too.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

pub(super) fn run(_: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let declared = asked::declared(context)?;
    let mut shared: Vec<SharedResource<'_>> =
        declared.resources.iter().map(|known| SharedResource::declared(known, context)).collect::<Result<_, _>>()?;
    if let Some(registry) = context.existing_registry()? {
        add_those_of(&registry, Scope::Clone, &mut shared)?;
    }
    if let Some(registry) = context.existing_machine_registry()? {
        add_those_of(&registry, Scope::Machine, &mut shared)?;
    }
    if let Some(registry) = context.existing_team_registry()? {
        match add_those_of(&registry, Scope::Team, &mut shared) {
            Ok(()) => {}
            // What is here is worth showing all the same.
            Err(failure) if shared.iter().any(|one| one.scope != Scope::Team) => {
                Output::remark(&format!("{} So what the team shares is left out.", failure.message));
                shared.retain(|one| one.scope != Scope::Team);
            }
            Err(failure) => return Err(failure),
        }
    }
    context.output.answer(
        || {
            let wrong = declared.wrong.iter().map(|it| json!({ "line": it.line, "message": it.message }));
            json!({
                "resources": shared.iter().map(|one| one.document(context)).collect::<Vec<_>>(),
                "wrong": wrong.collect::<Vec<_>>(),
            })
        },
        || {
            if shared.is_empty() {
                return format!(
                    "Only files are shared here so far. To share a test database or a slot, declare it in {DECLARATIONS}:\n\n[resources.db]\ndescription = \"The test database\"\n"
                );
            }
            shared.iter().map(|one| one.in_words(context)).collect::<Vec<_>>().join("\n")
        },
    )?;
    if !context.output.is_json() {
        declared.wrong.iter().for_each(|wrong| Output::remark(&asked::wrong_line(wrong)));
    }
    Ok(Exit::Done)
}

/// Something that is shared, with those who have it and those who wait, in their order.
struct SharedResource<'a> {
    want: Want,
    declared: Option<&'a DeclaredResource>,
    scope: Scope,
    holders: Vec<(Claim, Option<Session>)>,
    waiting: Vec<PlaceInLine>,
}

/// Adds who has what and who waits in one registry, to what is listed of it and to what is not listed yet.
fn add_those_of<S: Store>(
    registry: &Registry<S>,
    scope: Scope,
    listed: &mut Vec<SharedResource<'_>>,
) -> Result<(), Failure> {
    let naming = registry.naming()?;
    let is_file = |resource: &Resource| resource.is_file() || resource.is_directory();
    let mut held: Vec<(Claim, Option<Session>)> = Vec::new();
    for claim in registry.claims()?.into_iter().filter(|claim| claim.stands_against(None) && !is_file(&claim.resource))
    {
        let holder = held::holder_of(registry, &claim);
        held.push((claim, holder));
    }
    let waiting = registry.places_in_line()?;
    let waited = waiting.iter().flat_map(|place| place.wants().to_vec());
    let waited = waited.filter(|want| !want.candidates().next().as_ref().is_some_and(is_file));
    for want in held.iter().map(|(claim, _)| Want::one(&claim.resource)).chain(waited) {
        let is_known = |one: &SharedResource<'_>| one.scope == scope && one.want.overlaps(&want, naming);
        if !listed.iter().any(is_known) {
            listed.push(SharedResource::of(want, scope));
        }
    }
    for one in listed.iter_mut().filter(|one| one.scope == scope) {
        let is_held = |(claim, _): &&(Claim, Option<Session>)| Want::one(&claim.resource).overlaps(&one.want, naming);
        one.holders = held.iter().filter(is_held).cloned().collect();
        let is_awaited = |place: &&PlaceInLine| place.wants().iter().any(|want| want.overlaps(&one.want, naming));
        one.waiting = waiting.iter().filter(is_awaited).cloned().collect();
    }
    Ok(())
}

impl<'a> SharedResource<'a> {
    fn of(want: Want, scope: Scope) -> Self {
        Self { want, declared: None, scope, holders: Vec::new(), waiting: Vec::new() }
    }

    fn declared(known: &'a DeclaredResource, context: &Context) -> Result<Self, Failure> {
        let scope = known.scope.unwrap_or_else(|| scope::by_default(&known.kind, context));
        Ok(Self { declared: Some(known), ..Self::of(asked::want_of(known, 1)?, scope) })
    }
}

impl SharedResource<'_> {
    fn name(&self) -> String {
        self.declared.map_or_else(|| self.want.called(), |known| known.name.clone())
    }

    fn document(&self, context: &Context) -> Value {
        let holder = |(claim, holder): &(Claim, Option<Session>)| documents::claim(claim, holder.as_ref());
        let waiter = |(at, place): (usize, &PlaceInLine)| {
            let mut here = place.clone();
            here.number = at + 1;
            documents::place_in_line(&here, context.now())
        };
        let declared = self.declared;
        json!({
            "name": self.name(),
            "type": self.want.kind(),
            "scope": self.scope.as_str(),
            "declared": declared.is_some(),
            "count": declared.map_or(1, |known| known.count),
            "ports": declared.and_then(|known| known.ports).map(|(from, to)| format!("{from}-{to}")),
            "description": declared.and_then(|known| known.description.clone()),
            "match": declared.and_then(|known| known.command.clone()),
            "holders": self.holders.iter().map(holder).collect::<Vec<_>>(),
            "waiting": self.waiting.iter().enumerate().map(waiter).collect::<Vec<_>>(),
        })
    }

    fn in_words(&self, context: &Context) -> String {
        let mut text = format!("{NAME}{}{NAME:#}", one_line(&self.name(), words::PHRASE));
        let facts = self.facts();
        if !facts.is_empty() {
            text.push_str(&format!(" ({})", facts.join(", ")));
        }
        if let Some(description) = self.declared.and_then(|known| known.description.as_deref()) {
            text.push_str(&format!("  {}", one_line(description, 200)));
        }
        if self.holders.is_empty() {
            text.push_str("\n  free");
        }
        for (claim, holder) in &self.holders {
            let who = claim.holder().map_or_else(|| "somebody".to_owned(), |id| words::who(holder.as_ref(), id));
            let which = if self.is_one() { String::new() } else { format!("{}: ", claim.resource.name()) };
            text.push_str(&format!("\n  {which}held by {who} {}", words::term(claim, context.now())));
        }
        for (at, place) in self.waiting.iter().enumerate() {
            let Some(id) = place.id() else { continue };
            let since = words::moment(place.since(context.now()), context.now());
            text.push_str(&format!(
                "\n  number {} in line: {} since {since}",
                at + 1,
                words::who(place.session.as_ref(), id)
            ));
        }
        text
    }

    /// What tells one kind of thing from another.
    fn facts(&self) -> Vec<String> {
        let mut facts = Vec::new();
        match self.scope {
            Scope::Clone => {}
            Scope::Machine => facts.push("of this machine".to_owned()),
            Scope::Team => facts.push("of the team".to_owned()),
        }
        let Some(known) = self.declared else { return facts };
        match known.ports {
            Some((from, to)) if from == to => facts.push(format!("port {from}")),
            Some((from, to)) => facts.push(format!("ports {from}-{to}")),
            None if known.count > 1 => facts.push(format!("{} places", known.count)),
            None => {}
        }
        facts
    }

    fn is_one(&self) -> bool {
        self.declared.is_none_or(|known| known.count == 1 && known.ports.is_none())
    }
}
