//! What a data directory lets a node serve, and what not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use holm_core::id::InstallationId;
use holm_core::placement::Authority;
use holm_core::route::{RouteChange, RouteTable, RouteVersion};
use holm_core::secret::Secret;
use holm_engine::node::SERVES_ALONE;
use holm_link::Publisher;
use holm_link::bundle::{self, Envelope, NodeId, PairKey, PublicKey};
use holm_link::kept::{Moment, Uptime};
use uuid::Uuid;

use super::{Store, publish_after};

const HOUR: Duration = Duration::from_secs(3600);

fn control() -> PairKey {
    PairKey::from_bytes(&Secret::new([1; 32]))
}

fn installation(n: u128) -> InstallationId {
    InstallationId::from_uuid(Uuid::from_u128(n))
}

fn seal(node: NodeId, to: &PublicKey, version: RouteVersion, plain: &[u8]) -> Result<Vec<u8>, Problem> {
    let envelope = Envelope { installation: installation(1), node, version };
    Ok(bundle::seal(&control(), to, &Secret::new([9; 32]), &envelope, plain).unwrap())
}

/// At an hour by the wall, and of a start of the machine.
fn at(hour: u32, boot: u8) -> Moment {
    Moment { wall: HOUR * hour, uptime: Some(Uptime { boot: [boot; 16], since: HOUR * hour }) }
}

fn store(directory: &Path) -> Store {
    let mut store = Store::open(directory).unwrap();
    store.identify(installation(1), control().public()).unwrap();
    store
}

fn keep(store: &Store, version: u64, now: &Moment) {
    let table = RouteTable::default().with(RouteVersion(version), []);
    store.keep(now, now, &table, seal).unwrap();
}

/// A directory in which version 5 was kept at hour 1000.
fn kept() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    keep(&store(directory.path()), 5, &at(1000, 1));
    let routes = directory.path().join("routes");
    (directory, routes)
}

/// Refused by name, and untouched.
fn assert_refused(directory: &Path, why: &str) {
    let content = || fs::read(directory.join("routes")).unwrap();
    let before = content();
    let refused = Store::open(directory).and_then(|store| store.read()).unwrap_err();
    assert_eq!(refused.code, ErrorCode::KeptRoutesRefused);
    assert!(refused.why.as_deref().unwrap_or_default().contains(why) && !refused.next.is_empty(), "{refused:?}");
    assert_eq!(content(), before);
}

#[test]
fn what_was_kept_is_read_by_the_next_process_and_only_its_owner_may() {
    let (directory, routes) = kept();
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(store.installation(), Some(installation(1)));
    let read = store.read().unwrap().unwrap();
    assert_eq!((read.table.version(), read.heard), (RouteVersion(5), at(1000, 1)));
    for file in [routes, directory.path().join("node.key"), directory.path().join("seen")] {
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
    let fresh = tempfile::tempdir().unwrap();
    assert!(Store::open(fresh.path()).unwrap().read().unwrap().is_none());
}

#[test]
fn a_file_that_was_cut_or_changed_anywhere_is_refused() {
    let (directory, routes) = kept();
    let whole = fs::read(&routes).unwrap();
    for length in [0, 1, 79, 80, whole.len() - 1] {
        fs::write(&routes, &whole[..length]).unwrap();
        assert_refused(directory.path(), "bundle");
    }
    for place in 0..whole.len() {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        fs::write(&routes, changed).unwrap();
        assert_refused(directory.path(), "bundle");
    }
}

#[test]
fn an_older_copy_that_was_put_back_is_refused() {
    let (directory, routes) = kept();
    let older = fs::read(&routes).unwrap();
    let store = Store::open(directory.path()).unwrap();
    keep(&store, 6, &at(1001, 1));
    drop(store);
    fs::write(&routes, older).unwrap();
    assert_refused(directory.path(), "go back to route version 5 after 6");
}

#[test]
fn what_was_kept_by_another_node_or_of_another_installation_is_refused() {
    let (mine, routes) = kept();
    let (_other, foreign) = kept();
    fs::copy(&foreign, &routes).unwrap();
    assert_refused(mine.path(), "another node");

    let elsewhere = tempfile::tempdir().unwrap();
    let mut store = Store::open(elsewhere.path()).unwrap();
    store.identify(installation(2), control().public()).unwrap();
    drop(store);
    fs::copy(&foreign, elsewhere.path().join("routes")).unwrap();
    assert_refused(elsewhere.path(), "another installation");
    let refused = Store::open(elsewhere.path()).unwrap().identify(installation(1), control().public()).unwrap_err();
    assert_eq!((refused.code, refused.why.as_deref()), (ErrorCode::KeptRoutesRefused, Some("they are of another installation")));
}

#[test]
fn what_somebody_else_sealed_for_this_node_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path());
    let forged = |node, to: &PublicKey, version, plain: &[u8]| {
        let (forger, envelope) = (PairKey::from_bytes(&Secret::new([66; 32])), Envelope { installation: installation(1), node, version });
        Ok(bundle::seal(&forger, to, &Secret::new([9; 32]), &envelope, plain).unwrap())
    };
    store.keep(&at(1000, 1), &at(1000, 1), &RouteTable::default().with(RouteVersion(5), []), forged).unwrap();
    drop(store);
    assert_refused(directory.path(), "sealed by somebody else");
}

#[test]
fn routes_without_their_key_or_with_a_key_that_others_may_read_are_refused() {
    let (directory, _) = kept();
    let key = directory.path().join("node.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    assert_refused(directory.path(), "others than its owner may read `node.key`");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let whole = fs::read(&key).unwrap();
    fs::write(&key, &whole[..whole.len() - 1]).unwrap();
    assert_refused(directory.path(), "`node.key` was cut or changed");
    fs::remove_file(&key).unwrap();
    assert_refused(directory.path(), "`node.key`, which opens them, is not there");
    fs::write(&key, whole).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(directory.path().join("seen"), "5 36").unwrap();
    assert_refused(directory.path(), "`seen` was cut or changed");
    fs::remove_file(directory.path().join("seen")).unwrap();
    assert_refused(directory.path(), "`seen` cannot be read");
}

#[test]
fn routes_are_served_for_95_hours_after_the_catalogs_last_word_whatever_the_clock_says() {
    let (directory, _) = kept();
    let store = Store::open(directory.path()).unwrap();
    let heard = store.read().unwrap().unwrap().heard;
    let left = |now: Moment| store.time_left(&heard, store.newest_time().unwrap(), &now);
    assert_eq!(left(at(1094, 1)).unwrap(), HOUR);
    assert_eq!(left(at(1094, 2)).unwrap(), HOUR, "after a start of the machine");
    for now in [at(1095, 1), at(1095, 2), at(5000, 2)] {
        let refused = left(now).unwrap_err();
        assert_eq!(refused.code, ErrorCode::KeptRoutesRefused);
        assert!(refused.why.as_deref().unwrap().contains("h ago, and after 95 h"), "{refused:?}");
    }
    // Set back while the machine runs: its own clock knows better.
    let set_back = Moment { wall: HOUR * 1001, ..at(1100, 1) };
    assert!(left(set_back).unwrap_err().why.unwrap().contains("100 h ago"));
    // Set back and started anew, after a node that was alone had seen a later time.
    store.note_time(&at(1060, 2)).unwrap();
    assert!(left(at(1001, 3)).unwrap_err().why.unwrap().contains("moved back"));
    assert_eq!(left(at(1061, 3)).unwrap(), SERVES_ALONE - HOUR * 61);
}

/// R2: certificates expire by the control plane's time, which goes on while a node is away, whatever its clock says.
#[tokio::test]
async fn routes_from_the_disk_say_what_time_it_is_by_now_where_certificates_are_signed() {
    let told_at = jiff::Timestamp::from_second(1_700_000_000).unwrap();
    let authority = Authority { key: [1; 32], told_at };
    let table = RouteTable::default().with(RouteVersion(5), [RouteChange::Authority(authority)]);
    let directory = tempfile::tempdir().unwrap();
    store(directory.path()).keep(&at(1000, 1), &at(1000, 1), &table, seal).unwrap();
    let store = Store::open(directory.path()).unwrap();
    let kept = store.read().unwrap().unwrap();
    // Its wall clock was set a year ahead meanwhile; the machine has been up for 61 hours more.
    let now = Moment { wall: HOUR * 9760, ..at(1061, 1) };
    let left = store.time_left(&kept.heard, store.newest_time().unwrap(), &now).unwrap();
    let publisher = Publisher::default();
    publish_after(&publisher, kept.table, SERVES_ALONE - left);
    let since = publisher.routes().now().duration_since(told_at);
    assert_eq!(since.as_hours(), 61);
}

#[test]
fn with_the_catalog_at_hand_what_cannot_be_believed_is_put_aside_and_what_can_stays() {
    let (directory, routes) = kept();
    let files = || fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let aside = || files().filter(|name| name.starts_with("routes.refused-")).count();
    let store = Store::open(directory.path()).unwrap();
    store.take_stock(RouteVersion(5)).unwrap();
    assert!(routes.exists() && aside() == 0);
    // A catalog that never heard of version 5.
    store.take_stock(RouteVersion(4)).unwrap();
    assert!(!routes.exists() && aside() == 1);
    keep(&store, 4, &at(1001, 1));
    assert_eq!(store.read().unwrap().unwrap().table.version(), RouteVersion(4));
    fs::write(&routes, "rubbish").unwrap();
    store.take_stock(RouteVersion(9)).unwrap();
    assert_eq!(aside(), 2);
    store.discard().unwrap();
    store.discard().unwrap();
    assert!(store.read().unwrap().is_none());
}

#[test]
fn a_directory_has_one_process_and_nobody_else_writes_to_it_and_what_a_cut_write_left_is_swept() {
    let (directory, _) = kept();
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(Store::open(directory.path()).unwrap_err().code, ErrorCode::DirectoryInUse);
    drop(store);
    fs::write(directory.path().join("routes.new-4711"), "half").unwrap();
    fs::write(directory.path().join("node.new-4711"), "half").unwrap();
    drop(Store::open(directory.path()).unwrap());
    assert!(!directory.path().join("routes.new-4711").exists() && !directory.path().join("node.new-4711").exists());
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o770)).unwrap();
    let refused = Store::open(directory.path()).unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidConfig);
    assert!(refused.next.iter().any(|next| next.starts_with("`chmod 700")), "{refused:?}");
}
