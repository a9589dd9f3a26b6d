//! Looks for copies of everything on a server: who receives its log, who has kept a place in it, and where it is archived.
//!
//! Promises: a copy is seen whether or not Holm made it (DESIGN 5.2). A slot that nobody uses now is one: somebody has received
//! up to there. Of a command that archives only a digest is kept, since secrets stand in such commands; another command is
//! another archive. Cannot see what leaves no trace in PostgreSQL: a copy of the disk, a dump over an ordinary login; and leaves out a base backup
//! that is being taken, which is there for minutes and would be somebody else each time.

use aws_lc_rs::digest::{SHA256, digest};
use holm_store::residency::observed::Seen;

use super::connect::Connection;
use super::trouble::ClusterError;

/// Longer names are cut: what follows tells nothing apart that people would.
const NAME_MAX: usize = 200;

/// One that uses a slot is seen as that slot: its name stays when its address changes.
const SENDERS: &str = "\
SELECT coalesce(nullif(r.application_name, ''), 'unnamed') AS name, coalesce(host(r.client_addr), 'this machine') AS address
FROM pg_stat_replication r
WHERE r.state <> 'backup'
    AND NOT EXISTS (SELECT FROM pg_replication_slots s WHERE s.active_pid = r.pid AND NOT s.temporary)
GROUP BY 1, 2
ORDER BY 1, 2";
const SLOTS: &str = "\
SELECT s.slot_name::text AS name, s.slot_type, s.database::text AS database,
    coalesce((SELECT coalesce(host(r.client_addr), 'this machine') FROM pg_stat_replication r WHERE r.pid = s.active_pid), 'nobody') AS address
FROM pg_replication_slots s
WHERE NOT s.temporary
ORDER BY 1";
const ARCHIVE: &str = "\
SELECT s.name, s.setting
FROM pg_settings s
WHERE s.name IN ('archive_command', 'archive_library') AND s.setting NOT IN ('', '(disabled)')
    AND (SELECT m.setting FROM pg_settings m WHERE m.name = 'archive_mode') <> 'off'
ORDER BY 1";

/// Everything that is seen there now.
pub(crate) async fn look(session: &Connection) -> Result<Vec<Seen>, ClusterError> {
    let mut seen = Vec::new();
    for row in session.query("look for standbys", SENDERS, &[]).await? {
        let (name, address): (&str, &str) = (row.get("name"), row.get("address"));
        seen.push(of("standby", format!("{name}@{address}"), format!("receives the log at {address}")));
    }
    for row in session.query("look for slots", SLOTS, &[]).await? {
        let (kind, database): (&str, Option<&str>) = (row.get("slot_type"), row.get("database"));
        let of_what = database.map_or_else(|| "of everything".to_owned(), |database| format!("of database {database}"));
        let address: &str = row.get("address");
        seen.push(of("slot", row.get::<_, &str>("name").to_owned(), format!("{kind}, {of_what}, received by {address}")));
    }
    for row in session.query("look for an archive", ARCHIVE, &[]).await? {
        let (name, setting): (&str, &str) = (row.get("name"), row.get("setting"));
        let hash = digest(&SHA256, setting.as_bytes());
        let short: String = hash.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        seen.push(of("archive", format!("{name}-{short}"), format!("`{name}` is set")));
    }
    Ok(seen)
}

fn of(kind: &str, name: String, seen: String) -> Seen {
    let cut = |text: String| text.chars().filter(|c| !c.is_control()).take(NAME_MAX).collect();
    Seen { kind: kind.to_owned(), name: cut(name), seen: cut(seen) }
}
