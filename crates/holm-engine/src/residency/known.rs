//! All that verdicts rest on, read from the catalog: facts, profiles, papers, exceptions, registered copies.
//!
//! Promises: it is of one epoch, and whoever holds that epoch shared judges by what is in force. Read once for each epoch, since
//! thousands of creations judge by the same.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::TenantId;
use holm_policy::evaluate::exception::{Exception, Request};
use holm_policy::evaluate::{Assessment, Paper, Placement, judge, verdict::Verdict};
use holm_policy::id::{Place, ProfileId, ProviderId};
use holm_policy::profile::Profile;
use holm_policy::registry::Registry;
use holm_store::residency::placed::Placed;
use holm_store::residency::{self, Epoch, exception, facts, paper, profile, registered};
use holm_store::tx::Tx;
use jiff::Timestamp;

use super::copies::Kept;
use crate::control::Control;

/// What Holm ships is read once.
static SHIPPED: OnceLock<Arc<Registry>> = OnceLock::new();

/// What a process read last.
#[derive(Default)]
pub(crate) struct Cache {
    last: Mutex<Option<Arc<Known>>>,
    /// Whoever reads; the others wait, and find what was read.
    reading: tokio::sync::Mutex<()>,
}

impl Cache {
    fn at(&self, epoch: Epoch) -> Option<Arc<Known>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|known| known.epoch == epoch).cloned()
    }
}

/// All that verdicts rest on, at one epoch.
pub struct Known {
    epoch: Epoch,
    registry: Arc<Registry>,
    profiles: BTreeMap<ProfileId, Profile>,
    /// Of one environment, or of all.
    papers: Vec<(Option<EnvironmentName>, OnFile)>,
    /// Each for a copy where it was when that was granted.
    exceptions: HashMap<TenantId, HashMap<Place, Vec<Exception>>>,
    /// Copies of everything in an environment that somebody registered.
    registered: Vec<(EnvironmentName, Kept)>,
}

/// What is signed, and what was assessed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Papers {
    /// Contracts and clauses.
    pub signed: Vec<Paper>,
    /// Transfers that were assessed.
    pub assessed: Vec<Assessment>,
}

/// A paper, by what it is for.
#[derive(Clone)]
enum OnFile {
    Signed(Paper),
    Assessed(Assessment),
}

/// Texts as they are kept, before anybody understood them.
struct Texts {
    facts: Vec<facts::Kept>,
    profiles: Vec<profile::Kept>,
    papers: Vec<paper::Paper>,
    exceptions: Vec<exception::Granted>,
    registered: Vec<registered::Registered>,
}

impl Known {
    /// What is in force until the transaction ends, and what time it is.
    ///
    /// # Errors
    /// The catalog does not answer, or holds what this Holm does not understand.
    ///
    /// # Cancel safety
    /// Safe: the transaction is rolled back.
    pub(crate) async fn within(control: &Control, tx: &mut Tx) -> Result<(Arc<Self>, Timestamp), Problem> {
        let (epoch, now) = residency::share(tx).await?;
        Ok((Self::of(control, tx, epoch).await?, now))
    }

    /// What is in force while nobody judges, since the caller is going to change something.
    ///
    /// # Errors
    /// As [`Known::within`].
    ///
    /// # Cancel safety
    /// Safe: the transaction is rolled back.
    pub(crate) async fn alone(control: &Control, tx: &mut Tx) -> Result<(Arc<Self>, Timestamp), Problem> {
        let (epoch, now) = residency::alone(tx).await?;
        Ok((Self::of(control, tx, epoch).await?, now))
    }

    /// What is in force now.
    ///
    /// # Errors
    /// The catalog does not answer, or holds what this Holm does not understand.
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    pub async fn now(control: &Control) -> Result<(Arc<Self>, Timestamp), Problem> {
        let mut tx = control.catalog().transaction().await?;
        // A question waits for nobody if what is in force was read before.
        let (epoch, now) = residency::epoch(&mut tx).await?;
        let known = match control.known().at(epoch) {
            Some(known) => (known, now),
            None => Self::within(control, &mut tx).await?,
        };
        tx.rollback().await?;
        Ok(known)
    }

    /// What was in force at a time, by what Holm had been told by another.
    ///
    /// # Errors
    /// The catalog does not answer, or what it has of then cannot be understood by this Holm.
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    pub(super) async fn then(control: &Control, in_force: Timestamp, told: Timestamp, is_past: bool) -> Result<Arc<Self>, Problem> {
        let catalog = control.catalog();
        let texts = Texts {
            facts: facts::at(catalog, told).await?,
            profiles: profile::at(catalog, in_force).await?,
            papers: paper::at(catalog, told).await?,
            exceptions: exception::at(catalog, in_force).await?,
            registered: registered::at(catalog, in_force).await?,
        };
        let reading = move || -> Result<Self, Problem> {
            let known = read(Epoch::default(), texts)?;
            if !is_past {
                return Ok(known);
            }
            let day = told.to_zoned(jiff::tz::TimeZone::UTC).date();
            let registry = known.registry.as_known(day).map_err(|problems| kept_wrong("what was known then", &problems))?;
            Ok(known.with_registry(registry))
        };
        Ok(Arc::new(tokio::task::spawn_blocking(reading).await.expect("reading texts does not panic")?))
    }

    async fn of(control: &Control, tx: &mut Tx, epoch: Epoch) -> Result<Arc<Self>, Problem> {
        let cache = control.known();
        if let Some(known) = cache.at(epoch) {
            return Ok(known);
        }
        let _turn = cache.reading.lock().await;
        if let Some(known) = cache.at(epoch) {
            return Ok(known);
        }
        let texts = Texts {
            facts: facts::in_force_within(tx).await?,
            profiles: profile::newest_within(tx).await?,
            papers: paper::on_file_within(tx).await?,
            exceptions: exception::granted_within(tx).await?,
            registered: registered::there_within(tx).await?,
        };
        let known = Arc::new(tokio::task::spawn_blocking(move || read(epoch, texts)).await.expect("reading texts does not panic")?);
        *cache.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
        Ok(known)
    }

    /// What is known of providers, companies and law, the installation's own facts included.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The same facts, with others over them: what if?
    pub fn with_registry(&self, registry: Registry) -> Self {
        Self {
            epoch: self.epoch,
            registry: Arc::new(registry),
            profiles: self.profiles.clone(),
            papers: self.papers.clone(),
            exceptions: self.exceptions.clone(),
            registered: self.registered.clone(),
        }
    }

    /// The profiles in force, by name.
    pub fn profiles(&self) -> impl Iterator<Item = &Profile> {
        self.profiles.values()
    }

    /// The profile of a name.
    ///
    /// # Errors
    /// [`ErrorCode::ProfileNotFound`].
    pub fn profile(&self, name: &str) -> Result<&Profile, Problem> {
        let found = name.parse::<ProfileId>().ok().and_then(|id| self.profiles.get(&id));
        found.ok_or_else(|| {
            let problem = Problem::new(ErrorCode::ProfileNotFound, format!("no profile `{}` is in force here", name.escape_debug()));
            let shipped = Profile::SHIPPED.iter().any(|(file, _)| file.trim_end_matches(".toml") == name);
            if shipped {
                problem
                    .because("it comes with Holm, and nobody has put it in force")
                    .next(format!("do so: `holm residency profile add {name}`"))
            } else {
                problem.next("see which are: `holm residency profile in-force`")
            }
        })
    }

    /// What is on file for an environment; without one, what is for every environment.
    pub fn papers(&self, environment: Option<&EnvironmentName>) -> Papers {
        let mut papers = Papers::default();
        for (_, paper) in self.papers.iter().filter(|(of, _)| of.is_none() || of.as_ref() == environment) {
            match paper {
                OnFile::Signed(paper) => papers.signed.push(paper.clone()),
                OnFile::Assessed(assessment) => papers.assessed.push(assessment.clone()),
            }
        }
        papers
    }

    /// What somebody registered of an environment.
    pub fn registered(&self, environment: &EnvironmentName) -> Vec<Kept> {
        self.registered.iter().filter(|(of, _)| of == environment).map(|(_, kept)| kept.clone()).collect()
    }

    /// Whether anything does not count for a tenant, wherever.
    pub fn has_exceptions(&self, tenant: TenantId) -> bool {
        self.exceptions.contains_key(&tenant)
    }

    /// What does not count for a tenant's copies at a place.
    pub fn exceptions(&self, tenant: TenantId, place: &Place) -> &[Exception] {
        self.exceptions.get(&tenant).and_then(|at| at.get(place)).map_or(&[], Vec::as_slice)
    }

    /// Judges a copy of a tenant, or of one that is to be.
    pub fn judge(&self, profile: &Profile, placement: &Placement, tenant: Option<TenantId>, now: Timestamp) -> Verdict {
        judge(&self.registry, profile, placement, tenant.map_or(&[], |tenant| self.exceptions(tenant, &placement.place)), now)
    }

    pub(crate) const fn epoch(&self) -> Epoch {
        self.epoch
    }
}

fn read(epoch: Epoch, texts: Texts) -> Result<Known, Problem> {
    let registry = overlaid(&texts.facts)?;
    let mut profiles = BTreeMap::new();
    for kept in &texts.profiles {
        let file = format!("profile `{}` version {}", kept.name, kept.version);
        let profile = Profile::parse(&file, &kept.text, &registry).map_err(|problems| kept_wrong(&file, &problems))?;
        profiles.insert(profile.metadata().id.clone(), profile);
    }
    let papers = texts.papers.into_iter().map(read_paper).collect::<Result<_, Problem>>()?;
    let mut exceptions: HashMap<TenantId, HashMap<Place, Vec<Exception>>> = HashMap::new();
    for granted in texts.exceptions {
        let tenant = granted.exception.tenant;
        let place: Option<Place> = granted.exception.place.as_deref().and_then(|place| place.parse().ok());
        if let Some((place, exception)) = place.zip(read_exception(granted)?) {
            exceptions.entry(tenant).or_default().entry(place).or_default().push(exception);
        }
    }
    let registered = texts.registered.into_iter().map(read_registered).collect::<Result<_, Problem>>()?;
    Ok(Known { epoch, registry, profiles, papers, exceptions, registered })
}

/// Whether a provider is one of those that everybody knows of.
pub(crate) fn comes_with_holm(provider: &ProviderId) -> bool {
    SHIPPED.get_or_init(|| Arc::new(Registry::shipped())).provider(provider).is_some()
}

/// What Holm ships, with an installation's own facts over it.
///
/// # Errors
/// What was kept cannot be understood any more.
pub(crate) fn overlaid(facts: &[facts::Kept]) -> Result<Arc<Registry>, Problem> {
    let shipped = SHIPPED.get_or_init(|| Arc::new(Registry::shipped()));
    let mut registry = shipped.clone();
    for kept in facts {
        let over =
            registry.overlaid((&kept.name, &kept.text)).map_err(|problems| kept_wrong(&format!("facts `{}`", kept.name), &problems))?;
        registry = Arc::new(over);
    }
    Ok(registry)
}

/// Nothing is kept that could not be read; another Holm may have kept it, or facts that were taken away.
pub(super) fn kept_wrong(what: &str, problems: &dyn std::fmt::Display) -> Problem {
    Problem::new(ErrorCode::InForceUnreadable, format!("what is in force cannot be understood: {what}"))
        .because(problems.to_string().replace('\n', "; "))
        .next("put a version in force that this Holm understands, or take it away; until then nothing is placed")
}

fn read_paper(kept: paper::Paper) -> Result<(Option<EnvironmentName>, OnFile), Problem> {
    let wrong = |error: holm_policy::id::InvalidId| kept_wrong(&format!("paper {}", kept.id), &error);
    let paper = match &kept.of {
        paper::Of::Company(with) => OnFile::Signed(Paper {
            kind: kept.kind.parse().map_err(wrong)?,
            with: with.parse().map_err(wrong)?,
            signed_on: kept.signed_on,
            ends_on: kept.ends_on,
        }),
        paper::Of::Country(country) => {
            let country = country.parse().map_err(|error| kept_wrong(&format!("paper {}", kept.id), &error))?;
            OnFile::Assessed(Assessment { country, done_on: kept.signed_on })
        }
    };
    Ok((kept.environment, paper))
}

fn read_registered(kept: registered::Registered) -> Result<(EnvironmentName, Kept), Problem> {
    let what = format!("the copy `{}` of {}", kept.copy, kept.environment);
    let placed = Placed { place: kept.place, plan: kept.plan, placed_at: kept.kept_at, evidence: kept.evidence };
    let read = Kept {
        copy: kept.copy.parse().map_err(|error| kept_wrong(&what, &error))?,
        role: kept.role.parse().map_err(|error| kept_wrong(&what, &error))?,
        place: placed.place.parse().map_err(|error| kept_wrong(&what, &error))?,
        plan: super::placed::plan(&placed),
        key_holder: kept.key_holder.parse().map_err(|error| kept_wrong(&what, &error))?,
        placed,
    };
    Ok((kept.environment, read))
}

/// One that ended is none.
fn read_exception(kept: exception::Granted) -> Result<Option<Exception>, Problem> {
    let exception::Granted { exception: kept, granted_at } = kept;
    let what = format!("exception {}", kept.id);
    let request = Request {
        copy: kept.copy.parse().map_err(|error: holm_policy::id::InvalidId| kept_wrong(&what, &error))?,
        rule: kept.rule.parse().map_err(|error: holm_policy::word::UnknownWord| kept_wrong(&what, &error))?,
        owner: kept.owner,
        reason: kept.reason,
        measure: kept.measure,
        until: kept.until,
    };
    Ok(Exception::grant(request, granted_at).ok())
}
