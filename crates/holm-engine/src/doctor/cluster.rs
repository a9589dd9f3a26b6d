//! One cluster: whether it can be worked with, its pool, and whether what is on it is what the catalog says.

use holm_core::capability::Suits;
use holm_core::error::Problem;
use holm_store::cluster::Cluster;
use holm_store::database::DatabaseState;
use holm_store::template::{self, TemplateState};
use jiff::{SignedDuration, Timestamp};

use super::{Finding, isolation, names};
use crate::cluster::client_certificate::{self, Particulars};
use crate::cluster::inventory::Inventory;
use crate::cluster::trouble::ClusterError;
use crate::cluster::{capability, identity, observe, strangers};
use crate::control::Control;

/// A difference that nothing is wrong with is news for a week.
const TOLD_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

pub(super) async fn examine(control: &Control, cluster: &Cluster) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = |part: &str| format!("cluster {}: {part}", cluster.name);
    findings.extend(difference(cluster));
    findings.extend(shown(control, cluster).await);
    if cluster.adopted.is_some() {
        findings.push(match adopted(control, cluster).await {
            Ok(finding) => finding,
            Err(problem) => Finding::of(name("database"), &problem),
        });
        return findings;
    }
    if cluster.state.keeps_pool() {
        match pool(control, cluster).await {
            Ok(finding) => findings.push(finding),
            Err(problem) => findings.push(Finding::of(name("pool"), &problem)),
        }
    }
    match compare(control, cluster).await {
        Ok(compared) => findings.extend(compared),
        Err(problem) => findings.push(Finding::of(name("server"), &problem)),
    }
    findings
}

/// What is not as it was seen before; told as long as it is the last that is known to have changed.
fn difference(cluster: &Cluster) -> Option<Finding> {
    let (now, (before, since)) = (cluster.capability.as_ref()?, cluster.changed.as_ref()?);
    let told = now.facts.differences(&before.facts);
    let check = format!("cluster {}: capability", cluster.name);
    let text = format!("since {since}: {}", told.join("; "));
    let fits = if cluster.adopted.is_some() { now.suits != Suits::Nothing } else { now.suits == Suits::Pool };
    match (told.is_empty(), fits) {
        (true, _) => None,
        (false, true) if now.observed_at.duration_since(*since) > TOLD_FOR => None,
        (false, true) => Some(Finding::warning(check, text, "see whether that was meant: `holm cluster show`")),
        (false, false) => Some(Finding::bad(check, format!("{text}; {}", now.because.join("; ")), "undo that on the server")),
    }
}

/// What its server is shown, and for how long that is good.
async fn shown(control: &Control, cluster: &Cluster) -> Option<Finding> {
    let stored = cluster.access.client_certificate.as_ref()?;
    let check = format!("cluster {}: client certificate", cluster.name);
    let now = match identity::now(control).await {
        Ok(now) => now,
        Err(problem) => return Some(Finding::of(check, &problem)),
    };
    Some(match client_certificate::particulars(&stored.chain) {
        Ok(told) => ends(check, &told, renew(cluster), now),
        Err(why) => Finding::bad(check, format!("it cannot be read: {why}"), renew(cluster)),
    })
}

fn ends(check: String, told: &Particulars, renew: String, now: Timestamp) -> Finding {
    let (until, left) = (told.valid_until, told.valid_until.duration_since(now));
    if left <= SignedDuration::ZERO {
        let text = format!("`{}` was good until {until}: a server that asks for it lets nobody in", told.subject);
        return Finding::bad(check, text, renew);
    }
    let text = format!("`{}` is good until {until}, {} days from now", told.subject, left.as_hours() / 24);
    match left {
        left if left <= client_certificate::AT_LAST => Finding::bad(check, text, renew),
        left if left <= client_certificate::SOON => Finding::warning(check, text, renew),
        _ => Finding::good(check, text),
    }
}

fn renew(cluster: &Cluster) -> String {
    let Cluster { name, environment, .. } = cluster;
    format!("have another one issued: `holm cluster set-client-cert {name} --env {environment} --client-cert FILE --client-key FILE`")
}

/// A database that somebody brought: whether the role that came with it still gets in, and sees the same database.
async fn adopted(control: &Control, cluster: &Cluster) -> Result<Finding, Problem> {
    let check = format!("cluster {}: database", cluster.name);
    let access = control.access(cluster).await?;
    let now = identity::now(control).await?;
    let seen = capability::observe(&access, now).await.map_err(|unseen| identity::unseen(&unseen, &access))?;
    let same = identity::met(cluster, &seen, &access) != identity::Met::Another;
    let capability = seen.capability;
    seen.session.close().await;
    if !same {
        return Ok(Finding::bad(
            check,
            "another database answers at its address",
            format!(
                "start the right server; if it was made anew with what was in the database, say so: \
                 `holm cluster set-server {} --env {} --server … --replaced --reason …`",
                cluster.name, cluster.environment
            ),
        ));
    }
    if capability.suits == Suits::Nothing {
        return Ok(Finding::bad(check, capability.because.join("; "), "undo that on the server"));
    }
    Ok(Finding::good(check, format!("PostgreSQL {} answers at {}", capability.facts.version(), cluster.access.address)))
}

async fn pool(control: &Control, cluster: &Cluster) -> Result<Finding, Problem> {
    let check = format!("cluster {}: pool", cluster.name);
    let catalog = control.catalog();
    let wanted = holm_store::environment::by_name(catalog, &cluster.environment).await?.map_or(0, |environment| environment.pool_size);
    let templates = template::list(catalog, cluster.id).await?;
    let serving = templates.iter().rev().find(|template| template.state == TemplateState::Ready);
    if let Some(trouble) = &cluster.trouble {
        let mut finding = Finding::of(check, trouble);
        if serving.is_some() {
            finding.text += "; tenants get databases of the migrations before";
        }
        return Ok(finding);
    }
    let Some(serving) = serving else {
        return Ok(Finding::warning(check, "there is no template yet", "wait a moment; if it stays so, look at Holm's log"));
    };
    let ready = holm_store::database::ready_count(catalog, serving.id).await?;
    let text = format!("{ready} of {wanted} databases are ready");
    Ok(if ready >= u64::from(wanted) { Finding::good(check, text) } else { Finding::warning(check, text, "more are being made") })
}

async fn compare(control: &Control, cluster: &Cluster) -> Result<Vec<Finding>, Problem> {
    let refused = |error: ClusterError| error.problem(&cluster.name);
    let admin = control.access(cluster).await?.maintenance().await.map_err(refused)?;
    let server = observe::server(&admin).await.map_err(refused)?;
    server.usable(&cluster.name)?;
    if server.system_identifier != cluster.system_identifier {
        return Err(identity::another_server(cluster));
    }
    let text = format!("PostgreSQL {} answers at {}", server.version_num / 10_000, cluster.access.address);
    let mut findings = vec![Finding::good(format!("cluster {}: server", cluster.name), text)];
    let inventory = Inventory::take(control, cluster, &admin, &DatabaseState::ALL).await?;
    let strangers = strangers::look(&admin, server.major()).await.map_err(refused)?;
    admin.close().await;
    let of = |part: &str, good: &str, bad: Vec<String>, next: &str| {
        let check = format!("cluster {}: {part}", cluster.name);
        match bad.len() {
            0 => Finding::good(check, good),
            count => Finding::bad(check, format!("{count}: {}", names(bad.into_iter())), next),
        }
    };
    findings.push(of(
        "orphans",
        "every database and role of Holm's making is in the catalog",
        inventory.orphans(),
        "they are on the server and not in the catalog, and Holm touches nothing that it does not know; drop them by hand",
    ));
    findings.push(of(
        "databases",
        "every database in the catalog is on the server",
        inventory.missing(),
        "they are in the catalog and not on the server; restore them from a backup",
    ));
    let open = inventory.open_doors();
    let (no_door, strangers) = (open.is_empty(), isolation::told(control, cluster, &strangers).await?);
    if !no_door || strangers.is_empty() {
        findings.push(of(
            "isolation",
            "no role can connect to a database that is not its own, or act as another's",
            open,
            "revoke `CONNECT` there from `PUBLIC` and from roles of other databases",
        ));
    }
    findings.extend(strangers);
    findings.push(of(
        "roles",
        "no role of a tenant has more than was given to it",
        inventory.grown_roles(),
        "take the attributes and memberships from these roles with `ALTER ROLE` and `REVOKE`",
    ));
    let drifted = inventory.drifted_logins(control).await?;
    findings.push(of(
        "logins",
        "every role has the login that Holm gave it",
        drifted,
        "somebody changed the passwords of these roles, or forbade them to log in, so that the proxy cannot log in as them",
    ));
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn a_certificate_near_its_end_is_told_of_a_month_before_and_bad_in_its_last_week_and_after() {
        let now: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        for (days, expected) in
            [(31, Verdict::Good), (30, Verdict::Warning), (8, Verdict::Warning), (7, Verdict::Bad), (0, Verdict::Bad), (-9, Verdict::Bad)]
        {
            let valid_until = now + SignedDuration::from_hours(days * 24);
            let (subject, issuer, sha256) = ("CN=holm".to_owned(), "CN=x".to_owned(), String::new());
            let told = Particulars { subject, issuer, sha256, valid_from: now - SignedDuration::from_hours(24 * 365), valid_until };
            let finding = ends("c".to_owned(), &told, "renew it".to_owned(), now);
            assert_eq!(finding.verdict, expected, "{days}: {}", finding.text);
            assert_eq!(finding.next.is_some(), expected != Verdict::Good);
        }
    }
}
