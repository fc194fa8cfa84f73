//! Claims through the registry, beside what the file system alone takes to lock, write, link and unlock.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use deconflict::protocol::Resource;
use deconflict::registry::{ClaimOutcome, NewSession, Terms};

use crate::figures::{Figure, Goal, milliseconds, quantile};
use crate::populate::{Size, populate};

const ROUNDS: usize = 500;

pub(crate) fn measure(size: Size) -> Vec<Figure> {
    let folder = tempfile::tempdir().unwrap();
    let registry = populate(&folder.path().join("COORDINATION"), size);
    let session = registry.register(NewSession::default()).unwrap().id;
    let other = registry.register(NewSession::default()).unwrap().id;
    let (mut floor, mut claims, mut refusals, mut releases) = (vec![], vec![], vec![], vec![]);
    let terms = Terms::default();
    for round in 0..ROUNDS {
        let resource = Resource::file(&format!("src/module/free-{round}.rs")).unwrap();
        floor.push(milliseconds(|| bare_claim(registry.path(), round)));
        claims.push(milliseconds(|| {
            let outcome = registry.claim(&session, &resource, &terms).unwrap();
            assert!(matches!(outcome, ClaimOutcome::Granted { .. }));
        }));
        refusals.push(milliseconds(|| {
            let outcome = registry.claim(&other, &resource, &terms).unwrap();
            assert!(matches!(outcome, ClaimOutcome::Refused { .. }));
        }));
        releases.push(milliseconds(|| drop(registry.release(&session, &resource).unwrap())));
        fs::remove_file(registry.path().join(format!("claims/bare-{round}.claim"))).unwrap();
    }
    let floor = quantile(&mut floor, 0.5);
    let row = |name, samples: &mut [f64], goal| Figure {
        name,
        size,
        unit: "ms",
        value: quantile(samples, 0.5),
        floor: Some(floor),
        goal,
    };
    vec![
        row("claim in process, p50", &mut claims, Goal::TimesFloor(5.0)),
        row("refused claim in process, p50", &mut refusals, Goal::None),
        row("release in process, p50", &mut releases, Goal::None),
    ]
}

/// The least that a claim can be: take a lock, write a file, give it its name, free the lock.
fn bare_claim(directory: &Path, round: usize) {
    let lock = File::options().create(true).truncate(false).write(true).open(directory.join(".bare-lock")).unwrap();
    lock.lock().unwrap();
    let unfinished = directory.join("claims/.bare");
    let mut file = File::create_new(&unfinished).unwrap();
    file.write_all(&[b'x'; 480]).unwrap();
    drop(file);
    fs::hard_link(&unfinished, directory.join(format!("claims/bare-{round}.claim"))).unwrap();
    fs::remove_file(&unfinished).unwrap();
    lock.unlock().unwrap();
}
