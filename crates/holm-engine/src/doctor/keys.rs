//! The master key: that it can be used, how old it is (R59), whether a rotation was finished.

use std::time::Duration;

use holm_core::error::Problem;
use jiff::Timestamp;

use super::Finding;
use crate::control::Control;
use crate::key::{self, KeyState};

const CHECK: &str = "master key";

/// Younger than this by the catalog's clock is today.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) async fn examine(control: &Control) -> Finding {
    look(control).await.unwrap_or_else(|problem| Finding::of(CHECK, &problem))
}

async fn look(control: &Control) -> Result<Finding, Problem> {
    let keys = control.keys();
    let current = keys.current().await?;
    let preferred = keys.masters().preferred().await?;
    let uses = key::list(control).await?;
    let unfinished: u64 =
        uses.iter().map(|seen| seen.sealed_directly + if seen.state == KeyState::Former { seen.data_keys } else { 0 }).sum();
    if preferred.as_ref().is_some_and(|preferred| *preferred != current && uses.iter().all(|seen| seen.id != *preferred)) {
        let text = format!("`{current}` is used, and a newer one is there");
        return Ok(Finding::warning(CHECK, text, "use it: `holm key rotate`, then `holm key rewrap`"));
    }
    if unfinished > 0 {
        let text = format!("{unfinished} keys and secrets still need a former master key");
        return Ok(Finding::warning(CHECK, text, "wrap them anew: `holm key rewrap`"));
    }
    let (age, due) = (age(keys.rotated_at()), keys.masters().rotation_period());
    let text = format!("`{current}` ({}) is {} days old", keys.masters().kind(), age.as_secs() / DAY.as_secs());
    Ok(if age < due {
        Finding::good(CHECK, text)
    } else {
        let text = format!("{text}, and is to be replaced after {}", due.as_secs() / DAY.as_secs());
        Finding::warning(CHECK, text, "replace it: `holm key rotate`, then `holm key rewrap`")
    })
}

/// How long ago something was; a clock that was set back counts as now.
pub(crate) fn age(since: Timestamp) -> Duration {
    Duration::try_from(Timestamp::now().duration_since(since)).unwrap_or_default()
}
