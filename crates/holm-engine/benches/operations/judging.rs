//! A company turns out to have an owner outside the EEA: each of 10,000 tenants with a database on its machines is judged anew, denied,
//! and, since their profile blocks at once, withheld from the data plane; and given back when the company is sold again.
//!
//! From the request that changes the fact to the table that the data plane is given, everything between included: reading the catalog,
//! judging 20,000 copies, writing what each came to, the audit log, signing what is given back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use holm_core::placement::{Allows, Placement, Withheld};
use holm_core::route::RouteTable;
use holm_engine::residency::paper::{Of, Wanted};
use holm_engine::residency::placed::{Claim, set_place};
use holm_engine::residency::{facts, paper, profile};
use tokio::time::timeout;

use crate::table::Table;
use crate::{Bench, Outcome, PATIENCE, by, sampled};

const TENANTS: usize = 10_000;
const ROUNDS: usize = 5;

const NORDLYS: &str = include_str!("../../../../demo/facts/nordlys.toml");
const SKYLINE: &str = include_str!("../../../../demo/facts/skyline.toml");
/// Laid over both, by its name.
const SALE: &str = r#"
[[source]]
id = "register"
what = "the register of companies"
on = @today@
certainty = "verified"
valid_until = @until@

[[fact]]
id = "entity:nordlys-as.parents"
is = @owners@
from = "register"
"#;
const JUDGED: &str = "SELECT count(*) FROM residency_standing WHERE outcome = $1";

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Outcome<()> {
    let control = &bench.control;
    for (name, text) in [("nordlys", NORDLYS), ("skyline", SKYLINE)] {
        facts::keep(control, &by(), name.parse()?, today(text)?).await?;
    }
    paper::keep(control, &by(), contract()).await?;
    profile::keep(control, &by(), that_blocks_at_once()?).await?;
    let claim = Claim { provider: "nordlys".to_owned(), region: "no-osl".to_owned(), plan: None, evidence: None };
    set_place(control, &by(), &"production-1".parse()?, claim).await?;
    sampled::make(bench, "judged", TENANTS).await?;
    let client = bench.client().await;
    client
        .batch_execute("UPDATE tenant SET profile = 'eea-jurisdiction' WHERE slug LIKE 'judged-%'; UPDATE residency SET epoch = epoch + 1")
        .await?;
    // Before anything is timed, they are all served, and looked at.
    all(bench, Instant::now(), |allows| allows == Some(Allows::All)).await?;
    let copies = 2 * i64::try_from(TENANTS)?;
    let [mut first_away, mut all_away, mut all_back, mut looked] = [const { Vec::new() }; 4];
    for _ in 0..ROUNDS {
        for (owners, outcome, wanted) in [("[\"skyline-inc\"]", "deny", None), ("[]", "allow", Some(Allows::All))] {
            let text = today(&SALE.replace("@owners@", owners))?;
            let begun = Instant::now();
            facts::keep(control, &by(), "the-sale".parse()?, text).await?;
            let (first, last) = all(bench, begun, |allows| allows == wanted).await?;
            let noted = noted(bench, begun, outcome, copies).await?;
            if wanted.is_none() {
                first_away.push(first);
                all_away.push(last);
                looked.push(noted);
            } else {
                all_back.push(last);
            }
        }
    }
    table.add_times("a fact changes: the first of 10,000 tenants is withheld", &first_away, "<= 1000 ms");
    table.add_times("  all of them are", &all_away, "<= 1000 ms");
    table.add_times("  what each copy came to is noted, and told", &looked, "");
    table.add_times("  all are given back", &all_back, "");
    Ok(())
}

/// When the first, and when all of them, were as they should be in a table that was published.
async fn all(bench: &Bench, begun: Instant, is: impl Fn(Option<Allows>) -> bool) -> Outcome<(Duration, Duration)> {
    let mut feed = bench.control.publisher().subscribe();
    let mut first = None;
    loop {
        let table: Arc<RouteTable> = timeout(PATIENCE, feed.next()).await?.ok_or("nothing is published any more")?;
        feed.acknowledge(table.version());
        let at = begun.elapsed();
        let there = table.routes().filter(|route| route.slug.as_str().starts_with("judged-"));
        let so = there.filter(|route| is(allowed(&route.placement))).count();
        if so > 0 {
            first.get_or_insert(at);
        }
        if so == TENANTS {
            return Ok((first.unwrap_or(at), at));
        }
    }
}

fn allowed(placement: &Placement) -> Option<Allows> {
    match placement {
        Placement::Certified(certificate) => Some(certificate.claims.allows),
        Placement::Withheld(Withheld::Blocked) => None,
        Placement::Withheld(why) => panic!("nobody judged: {why:?}"),
    }
}

async fn noted(bench: &Bench, begun: Instant, outcome: &str, copies: i64) -> Outcome<Duration> {
    let client = bench.client().await;
    holm_testkit::eventually(PATIENCE, "each copy is judged", async || {
        let noted: i64 = client.query_one(JUDGED, &[&outcome]).await.map_err(|error| error.to_string())?.get(0);
        if noted >= copies { Ok(()) } else { Err(format!("{noted} of {copies}")) }
    })
    .await;
    Ok(begun.elapsed())
}

fn contract() -> Wanted {
    Wanted {
        kind: "dpa".to_owned(),
        of: Of::Company("nordlys-as".to_owned()),
        signed_on: jiff::civil::date(2026, 1, 10),
        ends_on: None,
        edition: None,
        document_sha256: None,
        environment: None,
    }
}

/// Facts that are known today, and for a year.
fn today(text: &str) -> Outcome<String> {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let until = today.checked_add(jiff::Span::new().days(365))?;
    Ok(text.replace("@today@", &today.to_string()).replace("@until@", &until.to_string()))
}

/// The shipped profile with one step, on the first day.
fn that_blocks_at_once() -> Outcome<String> {
    let (before, rest) = profile::shipped("eea-jurisdiction")?.split_once("[[on_breach]]").ok_or("it has no steps")?;
    let (_, cases) = rest.split_once("[[case]]").ok_or("it has no cases")?;
    Ok(format!("{before}[[on_breach]]\nafter_days = 0\nstep = \"block\"\n\n[[case]]{cases}"))
}
