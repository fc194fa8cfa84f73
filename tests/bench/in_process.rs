//! Claims through the registry, each beside what the file system alone takes for it. The directories of all sizes are
//! worked on in turns, so that what disturbs one disturbs all.

use chrono::TimeDelta;
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{ClaimOutcome, NewSession, Registry, ReleaseOutcome, RenewOutcome, Terms};

use crate::figures::{Figure, Goal, milliseconds, quantile};
use crate::floors;
use crate::populate::{Size, populate};

const ROUNDS: usize = 500;

/// What each round does, with its floor.
const VERBS: [&str; 4] =
    ["claim in process, p50", "refused claim in process, p50", "renewal in process, p50", "release in process, p50"];

struct Place {
    size: Size,
    _folder: tempfile::TempDir,
    registry: Registry,
    session: SessionId,
    other: SessionId,
    /// For each verb.
    values: [Vec<f64>; VERBS.len()],
    floors: [Vec<f64>; VERBS.len()],
}

pub(crate) fn measure() -> Vec<Figure> {
    let mut places = Size::ALL.map(Place::new);
    for round in 0..ROUNDS {
        for place in &mut places {
            place.work(round);
        }
    }
    places.iter_mut().flat_map(Place::figures).collect()
}

impl Place {
    fn new(size: Size) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let registry = populate(&folder.path().join("COORDINATION"), size);
        let session = registry.register(NewSession::default()).unwrap().id;
        let other = registry.register(NewSession::default()).unwrap().id;
        let [values, floors] = [(); 2].map(|()| Default::default());
        Self { size, _folder: folder, registry, session, other, values, floors }
    }

    fn work(&mut self, round: usize) {
        let Self { registry, session, other, .. } = self;
        let resource = Resource::file(&format!("src/module/free-{round}.rs")).unwrap();
        let terms = Terms::default();
        let directory = registry.path();
        let bare = [floors::claim, floors::refusal, floors::renewal, floors::release];
        for (samples, floor) in self.floors.iter_mut().zip(bare) {
            samples.push(milliseconds(|| floor(directory, round)));
        }
        let mut holding = None;
        self.values[0].push(milliseconds(|| {
            let Ok(ClaimOutcome::Granted { claim, .. }) = registry.claim(session, &resource, &terms) else {
                panic!("{resource:?} is free");
            };
            holding = claim.holding();
        }));
        self.values[1].push(milliseconds(|| {
            let outcome = registry.claim(other, &resource, &terms).unwrap();
            assert!(matches!(outcome, ClaimOutcome::Refused { .. }));
        }));
        // A renewal by less would write nothing.
        let lease = terms.lease + TimeDelta::minutes(6);
        self.values[2].push(milliseconds(|| {
            let outcome = registry.renew(holding.as_ref().unwrap(), lease).unwrap();
            assert!(matches!(outcome, RenewOutcome::Renewed(_)));
        }));
        self.values[3].push(milliseconds(|| {
            let outcome = registry.release(session, &resource).unwrap();
            assert!(matches!(outcome, ReleaseOutcome::Released(_)));
        }));
    }

    fn figures(&mut self) -> Vec<Figure> {
        let samples = VERBS.into_iter().zip(&mut self.values).zip(&mut self.floors);
        samples
            .map(|((name, values), floors)| Figure {
                name,
                size: self.size,
                unit: "ms",
                value: quantile(values, 0.5),
                floor: Some(quantile(floors, 0.5)),
                goal: Goal::TimesFloor(3.0),
            })
            .collect()
    }
}
