//! Copies that are interrupted while content is on its way: the next attempt begins with an empty target, and nothing of the
//! former one lands in it, however late it comes to life.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use holm_core::error::ErrorCode;
use holm_core::id::OperationId;
use holm_core::operation::OperationState;
use holm_engine::cluster;
use holm_engine::operation::people::{self, Word};
use holm_engine::operation::show;
use holm_engine::tenant;
use holm_engine::tenant::copy::{self, NewTenantCopy};
use holm_store::tenant::Tenant;
use holm_testkit::{TestServer, eventually, new_server};
use rustix::process::{Pid, Signal, kill_process};

use crate::child::Runner;
use crate::snapshot::differences;
use crate::world::{PATIENCE, World, by, new_cluster, production, slug};

/// Far more than is on its way between two servers. In a copy, its 500th row waits for a role that the test makes: rows are
/// there before it, and no transaction is over.
const CONTENT: &str = "\
CREATE FUNCTION public.passes(i int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    WHILE i = 500 AND current_database() <> 'SOURCE' AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'go_on') LOOP
        PERFORM pg_catalog.pg_sleep(0.02);
    END LOOP;
    RETURN true;
END $$;
CREATE TABLE public.a_first (attempt text);
INSERT INTO public.a_first VALUES ('old');
CREATE TABLE public.flow (id int CHECK (public.passes(id)), attempt text, pad text);
INSERT INTO public.flow SELECT i, 'old', repeat('x', 500) FROM generate_series(1, 20000) i";

/// What somebody does in the source between two attempts.
const LATER: &str = "\
DELETE FROM public.a_first;
UPDATE public.flow SET attempt = 'new';
DELETE FROM public.flow WHERE id > 19000;
CREATE TABLE public.z_last AS SELECT 'new'::text AS attempt";

/// A copy that was asked for and that nobody carries out yet.
struct Flow {
    world: World,
    /// Where the copy goes, if it goes elsewhere.
    other: Option<TestServer>,
    source: Tenant,
    id: OperationId,
}

impl Flow {
    async fn begin(elsewhere: bool) -> Self {
        Self::begin_in(World::with_short_lease().await, elsewhere).await
    }

    async fn begin_in(mut world: World, elsewhere: bool) -> Self {
        let source = world.create(1).await;
        let other = if elsewhere { Some(new_server(&[]).await) } else { None };
        if let Some(other) = &other {
            cluster::register(world.control(), &by(), new_cluster("production-2", other)).await.unwrap();
            world.until_count("template WHERE state = 'ready'", 2).await;
        }
        world.settled().await;
        world.open(None).await;
        let name = source.database.as_ref().unwrap();
        let inside = world.cluster.connect(name.as_str()).await;
        let content = CONTENT.replace("SOURCE", name.as_str());
        inside.batch_execute(&format!("SET ROLE {name}_owner; {content}")).await.unwrap();
        let cluster = other.as_ref().map(|_| "production-2".parse().unwrap());
        let new = NewTenantCopy { slug: "copy".parse().unwrap(), cluster, ttl: None, reason: None };
        let id = copy::copy(world.control(), &by(), &production(), &slug(1), new).await.unwrap();
        Self { world, other, source, id }
    }

    fn target(&self) -> &TestServer {
        self.other.as_ref().unwrap_or(&self.world.cluster)
    }

    async fn source_is_changed(&self) {
        let name = self.source.database.as_ref().unwrap();
        let inside = self.world.cluster.connect(name.as_str()).await;
        inside.batch_execute(&format!("SET ROLE {name}_owner; {LATER}")).await.unwrap();
    }

    /// Waits until rows of an attempt after `former` are in the target and the next one waits; returns whose attempt it is.
    async fn flows(&self, former: u64) -> u64 {
        let postgres = self.target().connect("postgres").await;
        let sql = "SELECT split_part(application_name, ' ', 3) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        eventually(PATIENCE, "content on its way", async || {
            let rows = postgres.query(sql, &[]).await.map_err(|error| error.to_string())?;
            let epochs: Vec<u64> = rows.iter().map(|row| row.get::<_, String>(0).parse().unwrap()).collect();
            if let [epoch] = epochs[..]
                && epoch > former
            {
                return Ok(epoch);
            }
            Err(format!("{epochs:?}"))
        })
        .await
    }

    /// Sessions of former runners, on both servers.
    async fn sessions_before(&self, epoch: u64) -> Vec<String> {
        let mut found = Vec::new();
        for server in std::iter::once(&self.world.cluster).chain(&self.other) {
            let postgres = server.connect("postgres").await;
            let sql = "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'holm op%' AND application_name NOT LIKE '% ' || $1";
            found.extend(postgres.query(sql, &[&epoch.to_string()]).await.unwrap().iter().map(|row| row.get::<_, String>(0)));
        }
        found
    }

    async fn go_on(&self) {
        self.target().connect("postgres").await.batch_execute("CREATE ROLE go_on").await.unwrap();
    }

    async fn until_over(&self) {
        let sql = format!("operation WHERE id = '{}' AND finished_at IS NOT NULL", self.id.as_uuid());
        self.world.until_count(&sql, 1).await;
    }

    /// The copy has what the source has now, and nothing else; everything is whole.
    async fn is_whole(&self) {
        let over = show::wait(self.world.control(), self.id, None, PATIENCE).await.unwrap();
        assert_eq!(over.state, OperationState::Succeeded, "{:?}", over.problem);
        let copy = tenant::show(self.world.control(), &production(), &"copy".parse().unwrap()).await.unwrap();
        let (of_copy, of_source) = (copy.database.unwrap(), self.source.database.clone().unwrap());
        let content = async |server: &TestServer, name: &str| {
            let seen = crate::snapshot::on_server(server, &[name]).await.into_iter();
            seen.filter_map(|(key, rows)| Some((key.strip_prefix(name)?.to_owned(), rows))).collect::<Vec<_>>()
        };
        let expected = content(&self.world.cluster, of_source.as_str()).await;
        assert!(expected.len() > 3, "{expected:?}");
        assert_eq!(content(self.target(), of_copy.as_str()).await, expected);
        if self.other.is_some() {
            assert_eq!(self.world.on_cluster(&of_copy).await, Vec::<String>::new(), "made where it does not belong");
        }
        assert_eq!(self.sessions_before(0).await, Vec::<String>::new(), "sessions that are left");
        self.world.assert_whole().await;
    }
}

async fn killed(elsewhere: bool) {
    let flow = Flow::begin(elsewhere).await;
    let mut first = Runner::start(&flow.world);
    let epoch = flow.flows(0).await;
    first.signal(Signal::KILL);
    eventually(PATIENCE, "the end of a child", async || first.ended()).await;
    flow.source_is_changed().await;
    let second = Runner::start(&flow.world);
    let next = flow.flows(epoch).await;
    assert_eq!(flow.sessions_before(next).await, Vec::<String>::new(), "sessions of the attempt that was killed");
    flow.go_on().await;
    flow.until_over().await;
    second.end().await;
    flow.world.control().start();
    flow.is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_whose_process_is_killed_while_content_flows_begins_anew_and_mixes_nothing() {
    killed(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_does_a_copy_to_another_cluster() {
    killed(true).await;
}

/// Every process that a process started, and theirs.
fn descendants(of: u32) -> Vec<Pid> {
    let parent_of = |pid: u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    let all = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parents: Vec<(u32, u32)> = all.filter_map(|pid| Some((pid, parent_of(pid)?))).collect();
    let (mut found, mut looked) = (vec![of], 0);
    while let Some(parent) = found.get(looked).copied() {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        looked += 1;
    }
    found[1..].iter().map(|pid| Pid::from_raw(i32::try_from(*pid).unwrap()).unwrap()).collect()
}

/// The first process stands still, alone or with its programs, while the second one copies; then it goes on.
async fn stopped(elsewhere: bool, programs_too: bool) {
    let flow = Flow::begin(elsewhere).await;
    let first = Runner::start(&flow.world);
    let epoch = flow.flows(0).await;
    first.signal(Signal::STOP);
    let programs = if programs_too { descendants(first.pid()) } else { Vec::new() };
    assert!(!programs_too || programs.len() >= 2, "{programs:?}");
    for program in &programs {
        kill_process(*program, Signal::STOP).unwrap();
    }
    flow.source_is_changed().await;
    let second = Runner::start(&flow.world);
    let next = flow.flows(epoch).await;
    assert_eq!(flow.sessions_before(next).await, Vec::<String>::new(), "sessions of the attempt that stands still");
    flow.go_on().await;
    flow.until_over().await;
    second.end().await;
    flow.world.control().start();
    flow.world.settled().await;
    let before = flow.world.snapshot().await;
    for program in &programs {
        kill_process(*program, Signal::CONT).unwrap();
    }
    learns_that_it_is_late(&flow, first).await;
    assert_eq!(differences(&before, &flow.world.snapshot().await), Vec::<String>::new(), "changed by a runner that was late");
    flow.is_whole().await;
}

async fn learns_that_it_is_late(flow: &Flow, stale: Runner) {
    stale.signal(Signal::CONT);
    eventually(PATIENCE, "a stale runner to learn that it is late", async || {
        let log = stale.log();
        if log.lines().any(|line| line.contains("was lost") && line.contains(&flow.id.to_string())) { Ok(()) } else { Err(log) }
    })
    .await;
    stale.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copier_that_stood_still_while_content_flowed_changes_nothing_when_it_goes_on() {
    stopped(true, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copier_that_was_frozen_with_its_programs_changes_nothing_when_all_go_on() {
    stopped(false, true).await;
}

/// The programs, of which the first `pg_restore` stands still before it begins; returns where its process id will be.
fn programs_that_hold(world: &World) -> PathBuf {
    let (real, own, at) = (world.cluster.installation().bin.clone(), world.own_programs(), world.directory.path().join("held"));
    fs::create_dir(&own).unwrap();
    let hold = format!("if mkdir '{0}' 2>&-; then echo $$ > '{0}/pid.new'; mv '{0}/pid.new' '{0}/pid'; kill -STOP $$; fi\n", at.display());
    for (program, first) in [("pg_dump", ""), ("pg_restore", hold.as_str())] {
        let script = format!("#!/bin/sh\n{first}exec '{}/{program}' \"$@\"\n", real.display());
        fs::write(own.join(program), script).unwrap();
        fs::set_permissions(own.join(program), fs::Permissions::from_mode(0o755)).unwrap();
    }
    at.join("pid")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_begins_after_the_takeover_is_not_let_in() {
    let mut world = World::with_short_lease().await;
    let held = programs_that_hold(&world);
    world.open(None).await;
    world.control().start();
    let flow = Flow::begin_in(world, false).await;
    let first = Runner::start(&flow.world);
    let pid = eventually(PATIENCE, "a restore that stands still", async || {
        fs::read_to_string(&held).ok().and_then(|text| Pid::from_raw(text.trim().parse().ok()?))
    });
    let pid = pid.await;
    // A restore connects when it has read what it is to restore.
    let fed = format!("operation WHERE id = '{}' AND (progress ->> 'done')::bigint > 0", flow.id.as_uuid());
    flow.world.until_count(&fed, 1).await;
    first.signal(Signal::STOP);
    flow.source_is_changed().await;
    let second = Runner::start(&flow.world);
    flow.flows(1).await;
    let refused = || flow.world.cluster.log().matches("password authentication failed").count();
    let before = refused();
    kill_process(pid, Signal::CONT).unwrap();
    eventually(PATIENCE, "the late restore is refused", async || (refused() > before).then_some(())).await;
    flow.go_on().await;
    flow.until_over().await;
    second.end().await;
    flow.world.control().start();
    learns_that_it_is_late(&flow, first).await;
    flow.is_whole().await;
}

/// More than the buffers of two sockets: what a server that is gone has sent is not all that there is.
const MUCH_MORE: &str = "INSERT INTO public.flow SELECT i, 'old', repeat('x', 1000) FROM generate_series(20001, 50000) i";

/// A server goes away and comes back while content flows; the process stays.
async fn restarted(of: fn(&Flow) -> &TestServer) {
    let flow = Flow::begin_in(World::start().await, true).await;
    let source = flow.world.cluster.connect(flow.source.database.as_ref().unwrap().as_str()).await;
    source.batch_execute(MUCH_MORE).await.unwrap();
    flow.world.control().start();
    flow.flows(0).await;
    // The attempt that is under way reads what was there when it began.
    flow.source_is_changed().await;
    of(&flow).restart().await;
    flow.go_on().await;
    flow.is_whole().await;
    let over = show::show(flow.world.control(), flow.id).await.unwrap();
    assert!(over.epoch > 1, "nothing broke");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_restarted_while_content_flows_is_copied_anew() {
    restarted(|flow| &flow.world.cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_restarted_while_content_flows_is_filled_anew() {
    restarted(|flow| flow.target()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_whose_cluster_is_drained_before_it_begins_is_undone_with_the_reason() {
    let flow = Flow::begin(true).await;
    let drained = "UPDATE cluster SET state = 'draining' WHERE name = 'production-2'";
    flow.world.catalog().await.batch_execute(drained).await.unwrap();
    flow.world.control().start();
    let over = show::wait(flow.world.control(), flow.id, None, PATIENCE).await.unwrap();
    assert_eq!((over.state, over.problem.unwrap().code), (OperationState::Undone, ErrorCode::ClusterClosed));
    flow.world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_calls_itself_a_runners_with_a_number_beyond_all_is_in_nobodys_way() {
    let flow = Flow::begin(false).await;
    let mut config = flow.world.cluster.config("postgres");
    config.application_name(format!("holm {} 99999999999999999999999", flow.id));
    let (pretender, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    flow.go_on().await;
    flow.world.control().start();
    let over = show::wait(flow.world.control(), flow.id, None, PATIENCE).await.unwrap();
    assert_eq!(over.state, OperationState::Succeeded, "{:?}", over.problem);
    drop(pretender);
}

/// Nothing of the copy is left, and its name is free.
async fn is_gone(flow: &Flow) {
    flow.world.until_count("tenant WHERE slug = 'copy' AND state = 'creating'", 0).await;
    flow.world.settled().await;
    assert_eq!(flow.world.count("database WHERE state = 'claimed'").await, 1, "the source's");
    flow.go_on().await;
    let new = NewTenantCopy { slug: "copy".parse().unwrap(), cluster: None, ttl: None, reason: None };
    let id = copy::copy(flow.world.control(), &by(), &production(), &slug(1), new).await.unwrap();
    show::succeeded(flow.world.control(), id, PATIENCE).await.unwrap();
}

async fn abandon(flow: &Flow) {
    let word = Word::Abandon { reason: "it is in the way".parse().unwrap() };
    people::tell(flow.world.control(), &by(), flow.id, word).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_abandoned_while_content_flows_leaves_nothing_and_its_name_is_free() {
    let flow = Flow::begin(false).await;
    flow.world.control().start();
    flow.flows(0).await;
    abandon(&flow).await;
    is_gone(&flow).await;
    flow.world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_does_one_that_is_abandoned_while_its_process_stands_still() {
    let flow = Flow::begin(false).await;
    let first = Runner::start(&flow.world);
    flow.flows(0).await;
    first.signal(Signal::STOP);
    abandon(&flow).await;
    flow.world.control().start();
    is_gone(&flow).await;
    learns_that_it_is_late(&flow, first).await;
    flow.world.assert_whole().await;
}
