//! Master keys: proven before anything is written, rotated, and done with only when nothing names them.

use std::path::PathBuf;

use holm_core::environment::EnvironmentKind;
use holm_core::error::{ErrorCode, Problem};
use holm_core::route::RouteVersion;
use holm_core::secret::Secret;
use holm_engine::cluster::add::{self, NewServer};
use holm_engine::control::{Control, ControlConfig};
use holm_engine::doctor::{self, Verdict};
use holm_engine::environment::{self, NewEnvironment};
use holm_engine::key::rewrap::rewrap;
use holm_engine::key::rotate::rotate;
use holm_engine::key::{self, KeyState};
use holm_engine::operation::show;
use holm_engine::secret::master_keys::{KeySource, MasterKeys};
use holm_link::Publisher;
use holm_link::bundle::{self, Envelope, NodeId, PairKey};
use holm_store::catalog::Catalog;
use holm_testkit::{TestDatabase, database, new_server, server};

use crate::support::{DEV, KEY, PATIENCE, Setup, World, production, slug};

/// A catalog and a directory for key files; no cluster.
pub(crate) struct Place {
    database: TestDatabase<'static>,
    directory: tempfile::TempDir,
}

impl Place {
    pub(crate) async fn new() -> Self {
        Self { database: database(server().await).await, directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("master.key")
    }

    pub(crate) fn file(&self) -> KeySource {
        KeySource::file(self.path())
    }

    pub(crate) fn files(&self) -> Vec<String> {
        let mut names: Vec<_> =
            self.directory.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(crate) async fn open(&self, master_key: MasterKeys) -> Result<Control, Problem> {
        let catalog = Catalog::open(&self.database.url(), 4).unwrap();
        let _ = catalog.migrate().await.unwrap();
        Control::open(ControlConfig::new(catalog, master_key, Publisher::default())).await
    }

    /// Opens it, makes an environment, and with it something sealed.
    pub(crate) async fn used(&self, keys: MasterKeys) -> Control {
        let control = self.open(keys).await.unwrap();
        control.start();
        let new = NewEnvironment {
            name: production(),
            kind: EnvironmentKind::Production,
            domain: "localhost".parse().unwrap(),
            pool_size: 0,
            migrations: None,
            seed: None,
        };
        environment::ensure(&control, &DEV, new).await.unwrap();
        control
    }

    /// Everything about keys and secrets that the catalog has.
    pub(crate) async fn contents(&self) -> String {
        let sql = "SELECT (SELECT jsonb_agg(i) FROM installation i)::text, (SELECT jsonb_agg(m ORDER BY id) FROM master_key m)::text, \
                   (SELECT jsonb_agg(k ORDER BY id) FROM data_key k)::text, (SELECT jsonb_agg(e ORDER BY id) FROM environment e)::text";
        let row = self.database.connect().await.query_one(sql, &[]).await.unwrap();
        (0..4).map(|column| row.get::<_, Option<String>>(column).unwrap_or_default()).collect::<Vec<_>>().join("\n")
    }
}

pub(crate) fn given(keys: &[u8]) -> KeySource {
    let texts: Vec<_> = keys.iter().map(|key| Secret::new(format!("{key:02x}").repeat(32))).collect();
    KeySource::given(&texts).unwrap()
}

async fn check(control: &Control) -> (Verdict, String) {
    let findings = doctor::examine(control).await;
    let finding = findings.into_iter().find(|finding| finding.check == "master key").unwrap();
    (finding.verdict, finding.text)
}

async fn states(control: &Control) -> Vec<KeyState> {
    key::list(control).await.unwrap().iter().map(|seen| seen.state).collect()
}

#[tokio::test]
async fn a_catalog_that_was_used_never_gets_another_master_key_by_accident() {
    let place = Place::new().await;
    place.used(MasterKeys::new(place.file())).await.shutdown().await;
    let (right, before) = (std::fs::read(place.path()).unwrap(), place.contents().await);
    let refused = async |what: &str| {
        let problem = place.open(MasterKeys::new(place.file())).await.unwrap_err();
        assert_eq!(problem.code, ErrorCode::WrongMasterKey, "{what}: {problem:?}");
        assert!(!problem.next.is_empty(), "{what}");
        assert_eq!(place.contents().await, before, "{what}: the catalog was written");
    };
    std::fs::remove_file(place.path()).unwrap();
    refused("no file").await;
    assert_eq!(place.files(), Vec::<String>::new(), "a new key was made");
    for content in [&b""[..], &right[..31], &[9; 32], &[right.as_slice(), b"\n"].concat()] {
        std::fs::write(place.path(), content).unwrap();
        refused("another file").await;
        assert_eq!(std::fs::read(place.path()).unwrap(), content);
    }
    for other in [given(&[9]), given(&[9, 10])] {
        std::fs::remove_file(place.path()).unwrap();
        let problem = place.open(MasterKeys::new(other)).await.unwrap_err();
        assert_eq!(problem.code, ErrorCode::WrongMasterKey);
        assert_eq!(place.contents().await, before);
        std::fs::write(place.path(), [9; 32]).unwrap();
    }
    std::fs::write(place.path(), right).unwrap();
    place.open(MasterKeys::new(place.file())).await.unwrap();
    assert_eq!(place.files(), ["master.key"]);
}

#[tokio::test]
async fn controls_that_begin_at_once_agree_on_one_installation() {
    let place = Place::new().await;
    let opened = futures_util::future::join_all((0..4).map(|_| place.open(MasterKeys::new(place.file())))).await;
    let derived: Vec<_> = opened.into_iter().map(|control| control.unwrap().derived_key("test")).collect();
    assert!(derived.iter().all(|key| key.expose() == derived[0].expose()));
    assert_eq!(place.files(), ["master.key"]);
}

#[tokio::test]
async fn r59_a_rotated_file_leaves_the_former_key_beside_it_until_nothing_names_it() {
    let place = Place::new().await;
    let control = place.used(MasterKeys::new(place.file())).await;
    let derived = control.derived_key("test");
    let old = std::fs::read(place.path()).unwrap();
    let rotated = rotate(&control, &DEV).await.unwrap();
    let former = format!("master.key.{}", rotated.former);
    assert_eq!(place.files(), ["master.key", &*former]);
    assert_eq!(std::fs::read(place.directory.path().join(&former)).unwrap(), old);
    assert_ne!(std::fs::read(place.path()).unwrap(), old);
    assert_eq!(states(&control).await, [KeyState::Current, KeyState::Former]);
    assert_eq!(check(&control).await.0, Verdict::Warning, "the rotation is not finished");
    // Without the former key nothing starts yet, and it is found again where it lies.
    std::fs::rename(place.directory.path().join(&former), place.directory.path().join("elsewhere")).unwrap();
    assert_eq!(place.open(MasterKeys::new(place.file())).await.unwrap_err().code, ErrorCode::WrongMasterKey);
    std::fs::rename(place.directory.path().join("elsewhere"), place.directory.path().join(&former)).unwrap();
    let progress = rewrap(&control, &DEV).await.unwrap();
    assert_eq!((progress.done, progress.left), (2, 0), "the installation's and the environment's");
    assert_eq!(progress.retired, [rotated.former]);
    assert_eq!(rewrap(&control, &DEV).await.unwrap().done, 0, "again changes nothing");
    assert_eq!(states(&control).await, [KeyState::Current, KeyState::Retired]);
    assert_eq!(check(&control).await.0, Verdict::Good);
    control.shutdown().await;
    std::fs::remove_file(place.directory.path().join(&former)).unwrap();
    let control = place.open(MasterKeys::new(place.file())).await.unwrap();
    assert_eq!(control.derived_key("test").expose(), derived.expose(), "what was derived stays");
    rotate(&control, &DEV).await.unwrap();
}

/// The story: a catalog comes back from a backup that names a former key. Both keys lie there; a rotation brings it to today's.
#[tokio::test]
async fn a_restored_catalog_is_opened_with_the_key_of_its_time_and_rotated_to_the_one_of_today() {
    let place = Place::new().await;
    let control = place.used(MasterKeys::new(place.file())).await;
    let former = key::list(&control).await.unwrap().remove(0).id;
    control.shutdown().await;
    let kept = place.directory.path().join(format!("master.key.{former}"));
    std::fs::rename(place.path(), &kept).unwrap();
    std::fs::write(place.path(), [8; 32]).unwrap();
    let control = place.open(MasterKeys::new(place.file())).await.unwrap();
    assert_eq!(std::fs::read(place.path()).unwrap(), [8; 32], "the names stay as the operator gave them");
    assert!(check(&control).await.1.contains("newer"));
    assert_eq!(rotate(&control, &DEV).await.unwrap().former, former);
    assert_eq!(rewrap(&control, &DEV).await.unwrap().left, 0);
    std::fs::remove_file(kept).unwrap();
    place.open(MasterKeys::new(place.file())).await.unwrap();
}

#[tokio::test]
async fn r59_a_key_that_is_older_than_its_period_is_the_doctors_to_say() {
    let place = Place::new().await;
    let control = place.open(MasterKeys::new(place.file()).rotate_after(std::time::Duration::from_secs(3 * 24 * 60 * 60))).await.unwrap();
    assert_eq!(check(&control).await.0, Verdict::Good);
    let aged = "UPDATE master_key SET created_at = now() - interval '4 days'";
    place.database.connect().await.batch_execute(aged).await.unwrap();
    let (verdict, text) = check(&control).await;
    assert!(verdict == Verdict::Warning && text.contains("4 days old"), "{text}");
    assert!(jiff::Timestamp::now().duration_since(control.master_key_rotated_at()).as_hours() >= 95, "the metric says so too");
}

/// The story: the key comes from the environment. The new one is put beside the old one, everybody starts with both, then
/// the new one is made current while tenants are there, and the old one goes.
#[tokio::test]
async fn r59_tenants_and_clusters_outlive_their_master_key() {
    let world = World::start(Setup { pool_size: 2, ..Setup::default() }).await;
    world.create("goteborg").await.unwrap();
    world.settled().await;
    let problem = rotate(&world.control, &DEV).await.unwrap_err();
    assert_eq!(problem.code, ErrorCode::InvalidValue, "there is nowhere to put a new key");
    let next = world.control_from(MasterKeys::new(given(&[8, 7]))).await.unwrap();
    assert!(check(&next).await.1.contains("newer"), "{:?}", check(&next).await);
    let rotated = rotate(&next, &DEV).await.unwrap();
    assert_ne!(rotated.current, rotated.former);
    let wrapped = "data_key WHERE master_key_id <> (SELECT id FROM master_key WHERE current)";
    // Installation, environment, cluster, and three databases.
    assert_eq!(world.count(wrapped).await, 6);
    // Cut after one row: whoever comes next goes on.
    let some = world.count("data_key").await;
    assert!(some >= 6);
    let progress = rewrap(&next, &DEV).await.unwrap();
    assert_eq!((progress.done, progress.left, progress.retired), (6, 0, vec![rotated.former]));
    assert_eq!(world.count(wrapped).await, 0);
    let only = world.control_from(MasterKeys::new(given(&[8]))).await.unwrap();
    assert!(only.publisher().table().route(&production(), &slug("goteborg")).is_some());
    assert_eq!(world.control_with(KEY).await.unwrap_err().code, ErrorCode::WrongMasterKey);
}

/// The story: a server is asked for, and before anybody gets to it the master key is rotated and the former one retired.
#[tokio::test(flavor = "multi_thread")]
async fn r59_a_server_that_waits_to_be_added_outlives_the_master_key_that_its_password_was_sealed_with() {
    let place = Place::new().await;
    place.used(MasterKeys::new(place.file())).await.shutdown().await;
    let control = place.open(MasterKeys::new(place.file())).await.unwrap();
    let server = new_server(&[]).await;
    let url = crate::adding::server_url(&server.url("postgres"));
    let new = NewServer { name: "production-1".parse().unwrap(), environment: production(), url, connections_max: None, claim: None };
    let id = add::add(&control, &DEV, new, None).await.unwrap();
    let rotated = rotate(&control, &DEV).await.unwrap();
    assert_eq!(rewrap(&control, &DEV).await.unwrap().retired, vec![rotated.former]);
    control.start();
    show::succeeded(&control, id, PATIENCE).await.unwrap();
    assert_eq!(doctor::examine(&control).await.into_iter().filter(|finding| finding.verdict != Verdict::Good).collect::<Vec<_>>(), vec![]);
}

#[tokio::test]
async fn any_control_seals_a_route_table_that_only_its_node_opens() {
    let place = Place::new().await;
    let (one, other) = (place.open(MasterKeys::new(place.file())).await.unwrap(), place.open(MasterKeys::new(place.file())).await.unwrap());
    let (node, id) = (PairKey::from_bytes(&Secret::new([3; 32])), NodeId([4; 16]));
    let (installation, from) = key::bundle::sender(&other);
    let mine = Envelope { installation, node: id, version: RouteVersion(0) };
    let sealed = key::bundle::seal(&one, id, &node.public(), RouteVersion(7), b"routes").unwrap();
    let (version, plain) = bundle::open(&node, &from, &mine, &sealed).unwrap();
    assert_eq!((version, plain.expose().as_slice()), (RouteVersion(7), b"routes".as_slice()));
    let again = key::bundle::seal(&one, id, &node.public(), RouteVersion(7), b"routes").unwrap();
    assert_ne!(sealed, again);
    let stranger = PairKey::from_bytes(&Secret::new([5; 32]));
    assert_eq!(bundle::open(&stranger, &from, &mine, &sealed).unwrap_err(), bundle::Refused::Forged);
}
