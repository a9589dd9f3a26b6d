//! Tampering with the audit log, by somebody who owns the catalog, and how it is found.

use holm_core::actor::PrincipalKind;
use holm_core::audit::chain::{Break, link};
use holm_engine::access::principal;
use holm_engine::audit::{self, Verdict};
use holm_engine::control::Control;
use tokio_postgres::Client;

use crate::support::{DEV, Setup, World};

/// A log of six entries: one of the environment that every world has, and five principals'.
async fn world() -> World {
    let world = World::without_cluster(Setup::default(), holm_testkit::new_server(&[]).await).await;
    more(&world.control, &["a", "b", "c", "d", "e"]).await;
    world
}

async fn more(control: &Control, names: &[&str]) {
    for name in names {
        principal::create(control, &DEV, &name.parse().unwrap(), PrincipalKind::Machine).await.unwrap();
    }
}

async fn broken(control: &Control) -> Option<Break> {
    audit::verify(control).await.unwrap().broken
}

/// Somebody who takes off the belt, changes something, and puts everything back afterwards.
struct Tamperer {
    client: Client,
}

impl Tamperer {
    async fn new(world: &World) -> Self {
        let client = world.catalog().await;
        client
            .batch_execute(
                "ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_append_only;
                 CREATE TABLE entry_before AS SELECT * FROM audit_entry;
                 CREATE TABLE head_before AS SELECT * FROM audit_head",
            )
            .await
            .unwrap();
        Self { client }
    }

    async fn run(&self, sql: &str) {
        self.client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    async fn restore(&self) {
        self.run(
            "DELETE FROM audit_entry; INSERT INTO audit_entry SELECT * FROM entry_before;
             DELETE FROM audit_head; INSERT INTO audit_head SELECT * FROM head_before",
        )
        .await;
    }

    async fn found(&self, world: &World, sql: &str) -> Option<Break> {
        self.run(sql).await;
        let found = broken(&world.control).await;
        self.restore().await;
        found
    }
}

#[tokio::test]
async fn an_edit_of_any_column_is_found_and_the_entry_named() {
    let world = world().await;
    assert_eq!(
        audit::verify(&world.control).await.unwrap(),
        Verdict { entries: 6, checkpoints: 0, checkpoints_unreadable: 0, broken: None }
    );
    let tamperer = Tamperer::new(&world).await;
    for seq in [1, 3, 6] {
        for edit in [
            "at = at + interval '1 microsecond'",
            "at = 'infinity'",
            "version = 2",
            "actor_kind = 'principal'",
            "actor_id = gen_random_uuid()",
            "actor_name = 'nobody'",
            "action = 'tenant.create'",
            "environment = coalesce(environment, '') || 'x'",
            "subject_kind = 'x'",
            "subject_id = subject_id || ' '",
            "reason = ''",
            "detail = '{ }'",
            "previous_hash = sha256('x')",
            "previous_hash = ''",
            "hash = sha256('x')",
        ] {
            let found = tamperer.found(&world, &format!("UPDATE audit_entry SET {edit} WHERE seq = {seq}")).await;
            assert_eq!(found, Some(Break::Edited { seq }), "{edit}");
        }
        let found = tamperer.found(&world, &format!("UPDATE audit_entry SET seq = 99 WHERE seq = {seq}")).await;
        assert_eq!(found, Some(Break::Reordered { seq, now_at: 99 }));
    }
    assert_eq!(broken(&world.control).await, None);
    // The log goes on, and is whole.
    more(&world.control, &["f"]).await;
    assert_eq!(audit::verify(&world.control).await.unwrap().entries, 7);
}

#[tokio::test]
async fn removals_insertions_and_moves_are_found_and_named() {
    let world = world().await;
    let tamperer = Tamperer::new(&world).await;
    for seq in [1, 3] {
        let found = tamperer.found(&world, &format!("DELETE FROM audit_entry WHERE seq = {seq}")).await;
        assert_eq!(found, Some(Break::Removed { seq, to: seq }));
    }
    let found = tamperer.found(&world, "DELETE FROM audit_entry WHERE seq = 6").await;
    assert_eq!(found, Some(Break::Truncated { seq: 6, to: 6 }));
    let found = tamperer.found(&world, "DELETE FROM audit_entry").await;
    assert_eq!(found, Some(Break::Truncated { seq: 1, to: 6 }));
    let found = tamperer.found(&world, "DELETE FROM audit_entry WHERE seq = 3; UPDATE audit_entry SET seq = -seq WHERE seq > 3; UPDATE audit_entry SET seq = -seq - 1 WHERE seq < 0").await;
    assert_eq!(found, Some(Break::Removed { seq: 3, to: 3 }), "the hole is closed");
    let insert = "UPDATE audit_entry SET seq = -seq WHERE seq >= 3; UPDATE audit_entry SET seq = 1 - seq WHERE seq < 0;
        INSERT INTO audit_entry SELECT 3, at, version, actor_kind, actor_id, 'forged', action, environment, subject_kind, subject_id, reason,
            detail, hash, sha256('x') FROM audit_entry WHERE seq = 2";
    assert_eq!(tamperer.found(&world, insert).await, Some(Break::Inserted { seq: 3 }));
    for (one, two) in [(1, 2), (2, 5), (5, 6)] {
        let swap = format!(
            "UPDATE audit_entry SET seq = -seq WHERE seq IN ({one}, {two});
             UPDATE audit_entry SET seq = CASE seq WHEN -{one} THEN {two} ELSE {one} END WHERE seq < 0"
        );
        assert_eq!(tamperer.found(&world, &swap).await, Some(Break::Reordered { seq: one, now_at: two }));
    }
    let found = tamperer.found(&world, "DELETE FROM audit_head").await;
    assert_eq!(found, Some(Break::HeadEdited { seq: 6 }));
    assert_eq!(broken(&world.control).await, None);
}

/// Writes the chain anew from a place on, with hashes that fit, as somebody would who has read this code.
async fn write_anew(world: &World, tamperer: &Tamperer, from: i64) {
    let entries = holm_store::audit::walk(world.control.catalog(), 0).await.unwrap();
    let mut previous: Vec<u8> = vec![0; 32];
    for mut entry in entries {
        if entry.seq >= from {
            entry.content.actor_name = "somebody else".to_owned();
            let hash = link(entry.version, &previous, entry.seq, entry.at_micros, &entry.content.digest());
            let sql = "UPDATE audit_entry SET actor_name = $2, previous_hash = $3, hash = $4 WHERE seq = $1";
            let (client, now) = (&tamperer.client, hash.as_slice());
            client.execute(sql, &[&entry.seq, &entry.content.actor_name, &previous.as_slice(), &now]).await.unwrap();
            client.execute("UPDATE audit_head SET hash = $1", &[&now]).await.unwrap();
            entry.hash = hash.into();
        }
        previous = entry.hash.to_vec();
    }
}

/// The story: the owner of the catalog writes history anew; then cuts off its end; then forges the checkpoints as well.
#[tokio::test]
async fn a_chain_written_anew_or_cut_off_with_its_end_is_found_by_the_signed_checkpoints() {
    let world = world().await;
    let control = world.control_with_checkpoints().await;
    assert_eq!(audit::checkpoint(&control).await.unwrap().unwrap().seq, 6);
    audit::checkpoint(&control).await.unwrap();
    assert_eq!(std::fs::read_to_string(world.checkpoints()).unwrap().lines().count(), 1, "the same is not written twice");
    more(&control, &["f", "g"]).await;
    assert_eq!(audit::checkpoint(&control).await.unwrap().unwrap().seq, 8);
    assert_eq!(audit::verify(&control).await.unwrap(), Verdict { entries: 8, checkpoints: 2, checkpoints_unreadable: 0, broken: None });

    let tamperer = Tamperer::new(&world).await;
    for (from, named) in [(1, (1, 6)), (6, (1, 6)), (7, (7, 8)), (8, (7, 8))] {
        write_anew(&world, &tamperer, from).await;
        assert_eq!(broken(&world.control).await, None, "without checkpoints it cannot be known");
        assert_eq!(broken(&control).await, Some(Break::Rewritten { seq: named.0, to: named.1 }), "from {from}");
        tamperer.restore().await;
    }
    tamperer
        .run("DELETE FROM audit_entry WHERE seq > 6; UPDATE audit_head SET seq = 6, hash = (SELECT hash FROM audit_entry WHERE seq = 6)")
        .await;
    assert_eq!(broken(&world.control).await, None);
    assert_eq!(broken(&control).await, Some(Break::Truncated { seq: 7, to: 8 }));
    tamperer.restore().await;

    let file = world.checkpoints();
    let kept = std::fs::read_to_string(&file).unwrap();
    write_anew(&world, &tamperer, 7).await;
    let row = tamperer.client.query_one("SELECT encode(hash, 'hex') FROM audit_entry WHERE seq = 8", &[]).await.unwrap();
    let mut lines: Vec<serde_json::Value> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines[1]["hash"] = row.get::<_, String>(0).into();
    std::fs::write(&file, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let verdict = audit::verify(&control).await.unwrap();
    assert_eq!((verdict.checkpoints, verdict.checkpoints_unreadable), (1, 1), "a line that somebody else wrote is none");
}

#[tokio::test]
async fn lines_of_another_key_and_cut_off_lines_are_counted_and_spoil_no_other() {
    let world = world().await;
    let control = world.control_with_checkpoints().await;
    std::fs::write(world.checkpoints(), "{\"version\":1,\"seq\":9").unwrap();
    audit::checkpoint(&control).await.unwrap();
    let verdict = audit::verify(&control).await.unwrap();
    assert_eq!((verdict.checkpoints, verdict.checkpoints_unreadable, verdict.broken), (1, 1, None));
    std::fs::remove_file(world.checkpoints()).unwrap();
    std::fs::create_dir(world.checkpoints()).unwrap();
    assert!(audit::verify(&control).await.is_err(), "a file that cannot be read is no proof");
    assert!(audit::checkpoint(&control).await.is_err());
    assert_eq!(audit::checkpoint(&world.control).await.unwrap(), None, "no file, no checkpoint");
}

#[tokio::test]
async fn a_copy_is_whole_and_that_it_was_taken_is_told() {
    let world = world().await;
    let copied = audit::export(&world.control, &DEV, 0).await.unwrap();
    assert_eq!(copied.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!((copied[6].content.action.as_str(), copied[6].content.actor_name.as_str()), ("audit.export", "dev"));
    assert_eq!(audit::export(&world.control, &DEV, 7).await.unwrap(), []);
    assert_eq!(world.count("audit_entry").await, 7);
}
