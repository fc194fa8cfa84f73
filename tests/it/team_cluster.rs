//! A team over a cluster and over a network that fails: members that are lost, and a gap in what was heard.

#![cfg(unix)]

use serde_json::json;

use crate::support::etcd::EtcdCluster;
use crate::support::proxy::Proxy;
use crate::support::team::{PATIENCE, Team};
use crate::support::{Terminal, Workspace, wait_within};

/// What the team holds stays held, and what is free can be had, while any one of three members is away.
#[test]
fn one_member_of_three_may_be_lost_at_any_time() {
    let Some(mut cluster) = EtcdCluster::newest() else { return };
    let workspace = Workspace::small();
    let (anna, _) = Terminal::with_named_session(&workspace, "Anna");
    let (berta, _) = Terminal::with_named_session(&workspace, "Berta");
    anna.run(["team", "set", &cluster.address()]).expect_code(0);
    // A busy machine may not answer within half a second, and a new leader is chosen first.
    let done = |prompt: &Terminal, words: &[&str], code: i32| {
        let done = || {
            let outcome = prompt.run(words.iter().copied());
            assert!(outcome.exit_code == code || outcome.exit_code == 3, "{words:?}: {outcome:?}");
            (outcome.exit_code == code).then_some(())
        };
        wait_within(PATIENCE, "an answer of the team", done);
    };
    for member in 0..cluster.len() {
        let task = format!("task-{member}");
        done(&anna, &["claim", "task", &task], 0);
        cluster.kill(member);
        done(&berta, &["claim", "task", &task], 1);
        done(&anna, &["release", "task", &task], 0);
        done(&berta, &["claim", "task", &task], 0);
        cluster.start(member);
        cluster.wait_until_it_answers();
    }
    // Of two members that are away nobody guesses.
    let leader = wait_within(PATIENCE, "a leader", || cluster.leader());
    let others: Vec<usize> = (0..cluster.len()).filter(|member| *member != leader).collect();
    for member in &others {
        cluster.cut_off(*member);
    }
    let told = anna.run(["claim", "task", "alone"]).expect_code(3).stderr;
    assert!(told.contains("no answer"), "{told}");
    for member in &others {
        cluster.join_again(*member);
    }
    done(&anna, &["claim", "task", "alone"], 0);
}

/// What happened while nothing was heard, and is no longer kept to be told, is found all the same.
#[test]
fn what_was_compacted_away_meanwhile_is_found_again() {
    let Some(team) = Team::meet() else { return };
    let port: u16 = team.node.address().split([':', '/']).find_map(|part| part.parse().ok()).unwrap();
    let network = Proxy::to(port);
    let by_network = team.node.address().replace(&port.to_string(), &network.port().to_string());
    team.anna.run(["team", "set", &by_network]).expect_code(0);
    team.berta.run(["claim", "src/lib.rs"]).expect_code(0);
    let knows = |file: &str| {
        let status = team.anna.run(["--json", "status"]).expect_code(0).json();
        let claims = status["claims"].as_array().unwrap().clone();
        claims.iter().any(|claim| claim["display_name"].as_str().is_some_and(|name| name.starts_with(file)))
    };
    wait_within(PATIENCE, "Anna to know of Berta's claim", || knows("src/lib.rs").then_some(()));

    network.cut();
    let is_noticed = || {
        let status = team.anna.run(["--json", "status"]).expect_code(0).json();
        status["team"]["known_at"].is_string().then_some(())
    };
    wait_within(PATIENCE, "Anna's clone to notice", is_noticed);
    for _ in 0..5 {
        team.berta.run(["release", "src/lib.rs"]).expect_code(0);
        team.berta.run(["claim", "src/lib.rs"]).expect_code(0);
    }
    team.berta.run(["release", "src/lib.rs"]).expect_code(0);
    team.berta.run(["claim", "src/main.rs"]).expect_code(0);
    let has_left = || {
        let held = team.berta.run(["--json", "status", "--scope", "team"]).json();
        let names = held["claims"].as_array().cloned().unwrap_or_default();
        let is = |file: &str| names.iter().any(|it| it["resource_name"].as_str().is_some_and(|it| it.ends_with(file)));
        (is("src/main.rs") && !is("src/lib.rs")).then_some(())
    };
    wait_within(PATIENCE, "Berta's clone to tell the team", has_left);
    let now = team.node.ask("/v3/kv/range", &json!({ "key": "AA==" }));
    let revision = now["header"]["revision"].clone();
    team.node.ask("/v3/kv/compaction", &json!({ "revision": revision, "physical": true }));
    network.join();
    wait_within(PATIENCE, "Anna to know it as it is", || (knows("src/main.rs") && !knows("src/lib.rs")).then_some(()));
}
