//! Two environments compared: what could work in one and fail in the other (R20).
//!
//! Promises: every cluster is asked when somebody asks for the report, each for a bounded time, and one that does not answer is named;
//! a waiver covers a difference while both sides have what they had when it was granted, until its end, and is shown. Databases that
//! somebody brought are compared like any other server; of their migrations Holm knows nothing, and says so. Refuses to ask by itself:
//! nothing is asked while nobody compares.

pub mod waiver;

use std::time::Duration;

use futures_util::{StreamExt, stream};
use holm_core::capability::Capability;
use holm_core::cluster::ClusterName;
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::parity::{self, DifferenceId, Finding, Kind, Seen, Server, Side, Value, Verdict};
use holm_store::cluster::Cluster;
use holm_store::parity::Waiver;
use holm_store::template::{self, TemplateState};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::show;
use crate::cluster::{identity, parity as look};
use crate::control::Control;

/// The longest that one cluster may take: a login takes milliseconds, and whoever waits for the report waits for the slowest.
const CLUSTER_PATIENCE: Duration = Duration::from_secs(10);

/// Clusters that are asked at the same time.
const AT_ONCE: usize = 16;

/// Reports that this process makes at the same time: each costs every cluster of two environments a few of its connections.
static REPORTS: Semaphore = Semaphore::const_new(1);

/// What is not compared, and why not: said in every report, so that nobody takes it for alike.
pub const NOT_COMPARED: &[(&str, &str)] = &[
    ("object storage", "Holm knows no buckets yet, so that what an S3-compatible store can do is not seen"),
    (
        "settings of single roles and databases",
        "what `ALTER ROLE … SET` and `ALTER DATABASE … SET` say holds for one tenant and not for a server",
    ),
    ("tenants' own databases", "Holm enters none: which migrations each has run is in its own ledger"),
];

/// A cluster of a report.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The cluster, as the catalog has it.
    pub cluster: Cluster,
    /// What was seen just now, or why nobody could look.
    pub seen: Result<Capability, Problem>,
}

/// A difference, and who answers for it, if somebody does.
#[derive(Clone, Debug)]
pub struct Told {
    /// What was found.
    pub finding: Finding,
    /// The waiver that covers it and ends last.
    pub waiver: Option<Waiver>,
}

/// What two environments have that could make something work in one and fail in the other.
#[derive(Clone, Debug)]
pub struct Report {
    /// The first.
    pub environment: EnvironmentName,
    /// The second.
    pub with: EnvironmentName,
    /// When the clusters were asked, by the catalog's clock.
    pub asked_at: Timestamp,
    /// Their clusters.
    pub compared: Vec<Compared>,
    /// Every difference, and whatever nobody can say, what may break first.
    pub told: Vec<Told>,
}

impl Report {
    /// What it comes to without what is waived.
    pub fn verdict(&self) -> Verdict {
        Verdict::of(self.told.iter().filter(|told| told.waiver.is_none()).map(|told| &told.finding))
    }
}

/// Asks every cluster of two environments, and compares.
///
/// # Errors
/// No such environment; [`ErrorCode::InvalidValue`]: it is the same twice; the catalog does not answer. A cluster that does not is in
/// the report.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn report(control: &Control, environment: &EnvironmentName, with: &EnvironmentName) -> Result<Report, Problem> {
    if environment == with {
        return Err(Problem::new(ErrorCode::InvalidValue, format!("`{environment}` cannot be compared with itself"))
            .next("name two environments: `holm env list`"));
    }
    show(control, environment).await?;
    show(control, with).await?;
    let _turn = REPORTS.acquire().await.expect("it is never closed");
    let asked_at = identity::now(control).await?;
    let all = holm_store::cluster::list(control.catalog()).await?;
    let clusters = all.into_iter().filter(|cluster| cluster.environment == *environment || cluster.environment == *with);
    let asked = clusters.map(|cluster| async {
        let seen = one(control, &cluster, asked_at).await;
        (cluster, seen)
    });
    let asked: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    let findings = parity::compare(&side(environment, &asked), &side(with, &asked));
    let waivers = holm_store::parity::list(control.catalog()).await?;
    let told = findings.into_iter().map(|finding| Told { waiver: waiver::of(&waivers, environment, with, &finding), finding }).collect();
    let compared = asked.into_iter().map(|(cluster, seen)| Compared { cluster, seen: seen.map(|(capability, _)| capability) }).collect();
    Ok(Report { environment: environment.clone(), with: with.clone(), asked_at, compared, told })
}

/// What one cluster said, or why it did not.
type Looked = Result<(Capability, Seen), Problem>;

async fn one(control: &Control, cluster: &Cluster, now: Timestamp) -> Looked {
    let access = control.access(cluster).await?;
    let looked = timeout(CLUSTER_PATIENCE, look::look(cluster, &access, now)).await.unwrap_or_else(|_| Err(too_slow(&cluster.name)));
    let (capability, mut seen) = looked?;
    seen.insert(DifferenceId::of(Kind::DatabaseMigrations), migrations(control, cluster).await?);
    Ok((capability, seen))
}

fn too_slow(cluster: &ClusterName) -> Problem {
    Problem::new(ErrorCode::ClusterUnreachable, format!("cluster `{cluster}` did not say what it has"))
        .because(format!("it took longer than {} s", CLUSTER_PATIENCE.as_secs()))
        .next("see what is wrong with it: `holm doctor`")
}

/// Of what a new tenant's database is made there.
async fn migrations(control: &Control, cluster: &Cluster) -> Result<Value, Problem> {
    if cluster.adopted.is_some() {
        return Ok(Value::Unknown("somebody brought that database, and Holm does not look into its ledger".to_owned()));
    }
    if !cluster.state.keeps_pool() {
        return Ok(Value::Nothing);
    }
    let templates = template::list(control.catalog(), cluster.id).await?;
    let serving = templates.into_iter().rev().find(|template| template.state == TemplateState::Ready);
    let Some(serving) = serving else { return Ok(Value::Unknown("there is no template there yet".to_owned())) };
    // Before it stand how a template is made, and the server's major version, which is compared by itself.
    let of_migrations = serving.fingerprint.rsplit('-').next().unwrap_or_default();
    Ok(Value::known(of_migrations.chars().take(FINGERPRINT_LENGTH).collect::<String>()))
}

/// As much as people compare by eye; 16^12 sets of migrations are told apart.
const FINGERPRINT_LENGTH: usize = 12;

fn side(environment: &EnvironmentName, asked: &[(Cluster, Looked)]) -> Side {
    let why = |problem: &Problem| match &problem.why {
        Some(why) => format!("{}: {why}", problem.what),
        None => problem.what.clone(),
    };
    let server = |(cluster, seen): &(Cluster, Looked)| Server {
        cluster: cluster.name.clone(),
        seen: seen.as_ref().map(|(_, seen)| seen.clone()).map_err(why),
    };
    let servers = asked.iter().filter(|(cluster, _)| cluster.environment == *environment).map(server).collect();
    Side { environment: environment.clone(), servers }
}
