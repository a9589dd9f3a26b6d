//! Mails to whoever runs Holm, about what needs a person.
//!
//! Promises: what is in the audit log and needs a person is mailed at least once, by one process, within the time that is
//! gathered for; a storm is one mail with counts, and the next is minutes later. Once a day the chain of the audit log and
//! the age of the master key are looked at as well. Addresses are in the configuration and nowhere else.

mod config;
mod letter;
mod send;

use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use holm_store::audit;
use holm_store::mail::{self as store, Leased, Turn};
use jiff::Timestamp;

pub use config::{MailConfig, Relay};

use crate::audit::verify;
use crate::control::Control;
use crate::doctor::{Verdict, master_key};
use crate::notices::Counters;
use crate::pulse::{UNHEARD, heard};
use crate::reconcile::backoff::jittered;
use letter::Letter;

/// To look at the whole log takes longest, and sending 30 s at the most.
const LEASE: Duration = Duration::from_secs(120);

/// After a failure: 5 s, doubled up to this.
const FAILED_WAIT_MAX: Duration = Duration::from_secs(900);

/// What is older is counted and not told one by one: mail was off, or the mail server was away.
const NEWS: Duration = Duration::from_secs(24 * 3600);

/// Writes until it is stopped; at once over if there is nobody to write to.
pub(crate) async fn run(control: Control) {
    let Some(config) = control.mail().cloned() else { return };
    let (mut signal, mut looks) = (control.signal(), control.looks());
    loop {
        let wait = match store::claim(control.catalog(), control.runner(), LEASE).await {
            Ok(Some(leased)) => take_turn(&control, &config, &leased).await,
            Ok(None) => UNHEARD,
            Err(error) => {
                tracing::debug!(%error, "mails wait for the catalog");
                UNHEARD
            }
        };
        // What wakes nobody is found by the pulse.
        heard(&mut signal, &mut looks, wait, |found| found.mails).await;
    }
}

/// Gives the mails back, so that another process goes on at once.
pub(crate) async fn leave(control: &Control) {
    if control.mail().is_some()
        && let Err(error) = store::leave(control.catalog(), control.runner()).await
    {
        tracing::debug!(%error, "mails wait until their lease is over");
    }
}

/// Returns when the next turn may be.
async fn take_turn(control: &Control, config: &MailConfig, leased: &Leased) -> Duration {
    let turn = match write(control, config, leased).await {
        Ok(turn) => turn,
        Err(problem) => {
            tracing::warn!(code = %problem.code, why = problem.why, "{}", problem.what);
            let wait = jittered(Duration::from_secs(5 << leased.failures.min(10)).min(FAILED_WAIT_MAX));
            Turn { seq: leased.seq, wait, failures: leased.failures + 1, looked: false }
        }
    };
    if let Err(error) = store::end(control.catalog(), leased, turn).await {
        tracing::debug!(%error, "what was mailed may be mailed again");
    }
    if turn.wait.is_zero() { UNHEARD } else { turn.wait.min(UNHEARD) }
}

/// Reads on, and writes a letter if there is something to tell and enough was gathered.
async fn write(control: &Control, config: &MailConfig, leased: &Leased) -> Result<Turn, Problem> {
    let mut letter = Letter::default();
    let (mut seq, now) = (leased.seq, Timestamp::now());
    loop {
        let entries = audit::walk(control.catalog(), seq).await?;
        let Some(last) = entries.last() else { break };
        seq = last.seq;
        for entry in &entries {
            letter.add(entry, now.duration_since(entry.at()).unsigned_abs() > NEWS);
        }
    }
    if leased.look {
        look(control, &mut letter).await?;
    }
    let done = |seq, wait| Turn { seq, wait, failures: 0, looked: leased.look };
    if letter.is_empty() {
        return Ok(done(seq, Duration::ZERO));
    }
    let age = letter.oldest().map_or(config.gather, |oldest| now.duration_since(oldest).unsigned_abs());
    if let Some(wait) = config.gather.checked_sub(age).filter(|wait| !wait.is_zero()) {
        // Not looked: what was found is told with the rest.
        return Ok(Turn { seq: leased.seq, wait, failures: 0, looked: false });
    }
    let sent = send::send(config, &letter.subject(), &letter.text()).await;
    let counters = control.notices();
    Counters::count(if sent.is_ok() { &counters.mail_sent } else { &counters.mail_failed });
    sent?;
    tracing::info!(what = letter.subject(), "a mail was sent");
    Ok(done(seq, config.interval))
}

/// What no entry tells of.
async fn look(control: &Control, letter: &mut Letter) -> Result<(), Problem> {
    if let Some(broken) = verify(control).await?.broken {
        letter.condition(
            "the audit log is broken",
            &format!("{broken}"),
            "see what is wrong: `holm audit verify`; keep a copy of the catalog first",
        );
    }
    let finding = master_key(control).await;
    if finding.verdict != Verdict::Good {
        letter.condition("the master key needs a look", &finding.text, finding.next.as_deref().unwrap_or("see `holm doctor`"));
    }
    Ok(())
}

/// Sends a mail that means nothing, to see that it arrives.
///
/// # Errors
/// [`ErrorCode::MailNotSent`]; [`ErrorCode::InvalidConfig`] where no mail is set up.
///
/// # Cancel safety
/// The mail may have been sent.
pub async fn test(control: &Control) -> Result<usize, Problem> {
    let Some(config) = control.mail() else {
        return Err(Problem::new(ErrorCode::InvalidConfig, "there is nobody to write to: mail is not set up")
            .next("set `HOLM_SMTP_URL`, `HOLM_MAIL_FROM` and `HOLM_MAIL_TO`, and start Holm again"));
    };
    let text = "This mail was asked for, to see that it arrives. Nothing needs to be done.\n";
    send::send(config, "[Holm] a test", text).await?;
    Ok(config.to.len())
}
