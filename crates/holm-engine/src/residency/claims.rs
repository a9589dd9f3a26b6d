//! Where a cluster was said to be, at a time, by what Holm had been told by another.
//!
//! Promises: a claim is of the machine and not of the moment: a later one about the same machine corrects an earlier one, also for
//! the time before it, if it counts by then. Another machine (`holm cluster set-server`) begins anew. Refuses to fill in: a claim
//! that is in no entry and in no row is told as not kept.

use holm_store::residency::past::{Said, What};
use holm_store::residency::placed::Placed;
use jiff::Timestamp;

use super::placed::said;

/// A cluster, as far as this is about it.
pub(super) struct Of<'a> {
    /// What was said of it, in order.
    pub(super) said: &'a [Said],
    /// Where it is said to be now.
    pub(super) now: Option<&'a Placed>,
    /// When it was registered.
    pub(super) created_at: Timestamp,
}

/// The claim that counts; or since when what is known of it is kept.
pub(super) fn at(of: &Of<'_>, about: Timestamp, told: Timestamp) -> Result<Option<Placed>, Timestamp> {
    // The machine of then: from the last time that the cluster became another to the next.
    let others: Vec<Timestamp> = of
        .said
        .iter()
        .enumerate()
        .filter(|(i, said)| said.what == What::Change && after(of, *i).is_none())
        .map(|(_, said)| said.at)
        .collect();
    let since = others.iter().copied().rfind(|at| *at <= about);
    let next = others.iter().copied().find(|at| *at > about);
    let of_machine = |at: Timestamp| since.is_none_or(|since| at > since) && next.is_none_or(|next| at < next);
    let claims: Vec<(Timestamp, &str, Option<&str>)> = of
        .said
        .iter()
        .filter_map(|said| match &said.what {
            What::Claim { place, before } if of_machine(said.at) => Some((said.at, place.as_str(), before.as_deref())),
            _ => None,
        })
        .collect();
    if let Some((at, place, _)) = claims.iter().rfind(|(at, ..)| *at <= told) {
        return Ok(Some(of.claim(*at, place)));
    }
    match (claims.first(), next) {
        // What was said when it was registered, is what the first correction took the place of.
        (Some((_, _, before)), _) => Ok(before.filter(|_| since.is_none()).map(|place| of.claim(of.created_at, place))),
        (None, None) => Ok(of.now.filter(|now| now.placed_at <= told).cloned()),
        (None, Some(_)) if since.is_some() => Ok(None),
        (None, Some(next)) => Err(next),
    }
}

/// Where it was said to be after what was said with a number, before anything else was said of that.
fn after(of: &Of<'_>, number: usize) -> Option<String> {
    let next = of.said[number + 1..].iter().find_map(|said| match &said.what {
        What::Claim { before, .. } => Some(before.clone()),
        What::Change => None,
    });
    match next {
        Some(before) => before,
        None => of.now.filter(|now| now.placed_at <= of.said[number].at).map(said),
    }
}

impl Of<'_> {
    /// What it rested on is kept of the last one only.
    fn claim(&self, at: Timestamp, place: &str) -> Placed {
        let is_last = self.said.iter().rfind(|said| said.what != What::Change).is_none_or(|last| last.at <= at);
        match self.now {
            Some(now) if is_last && said(now) == place => now.clone(),
            _ => {
                let (place, plan) = place.split_once('@').map_or((place, None), |(place, plan)| (place, Some(plan)));
                Placed { place: place.to_owned(), plan: plan.map(str::to_owned), evidence: None, placed_at: at }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use holm_core::id::ClusterId;

    use super::*;

    fn second(at: i64) -> Timestamp {
        Timestamp::from_second(at).unwrap()
    }

    fn entry(at: i64, what: What) -> Said {
        Said { cluster: ClusterId::from_uuid(uuid::Uuid::nil()), at: second(at), what }
    }

    fn claim(at: i64, place: &str, before: Option<&str>) -> Said {
        entry(at, What::Claim { place: place.to_owned(), before: before.map(str::to_owned) })
    }

    fn placed(at: i64, place: &str) -> Placed {
        let (place, plan) = place.split_once('@').map_or((place, None), |(place, plan)| (place, Some(plan.to_owned())));
        Placed { place: place.to_owned(), plan, evidence: Some("an invoice".to_owned()), placed_at: second(at) }
    }

    /// Place, and whether its evidence is known; `?` where it is not kept.
    fn check(all: &[Said], now: Option<&Placed>, about: i64, told: i64) -> String {
        let of = Of { said: all, now, created_at: second(10) };
        match at(&of, second(about), second(told)) {
            Ok(Some(placed)) => said(&placed) + if placed.evidence.is_some() { "!" } else { "" },
            Ok(None) => "nowhere".to_owned(),
            Err(_) => "?".to_owned(),
        }
    }

    #[test]
    fn a_claim_that_is_corrected_is_what_was_known_then_and_another_what_is_known_now() {
        let now = placed(30, "b/b");
        let all = [claim(20, "a/a", None), claim(30, "b/b", Some("a/a"))];
        let ask = |about, told| check(&all, Some(&now), about, told);
        assert_eq!([ask(25, 25), ask(25, 40), ask(15, 15), ask(15, 25)], ["a/a", "b/b!", "nowhere", "a/a"]);
    }

    #[test]
    fn what_was_said_when_it_was_registered_is_what_the_first_correction_took_the_place_of() {
        let first = placed(10, "a/a");
        assert_eq!(check(&[], Some(&first), 15, 15), "a/a!");
        let now = placed(30, "b/b");
        assert_eq!(check(&[claim(30, "b/b", Some("a/a"))], Some(&now), 15, 20), "a/a");
        assert_eq!(check(&[], None, 15, 20), "nowhere");
    }

    #[test]
    fn another_machine_begins_anew_and_says_nothing_of_the_one_before() {
        let now = placed(50, "b/b");
        let all = [claim(20, "a/a", None), entry(40, What::Change), claim(50, "b/b", None)];
        let ask = |about, told| check(&all, Some(&now), about, told);
        assert_eq!([ask(30, 60), ask(45, 45), ask(45, 60), ask(60, 60)], ["a/a", "nowhere", "b/b!", "b/b!"]);
        // A changed password is no other machine: the claim stayed.
        let now = placed(20, "a/a");
        assert_eq!(check(&[claim(20, "a/a", None), entry(40, What::Change)], Some(&now), 45, 60), "a/a!");
        // What was said when the first machine was registered, nobody wrote down.
        assert_eq!(check(&[entry(40, What::Change), claim(50, "b/b", None)], Some(&placed(50, "b/b")), 30, 60), "?");
    }

    #[test]
    fn r17_the_plan_of_then_is_told_with_the_place_of_then() {
        let now = placed(30, "a/a@pro");
        let all = [claim(20, "a/a@hobby", None), claim(30, "a/a@pro", Some("a/a@hobby"))];
        let ask = |about, told| check(&all, Some(&now), about, told);
        assert_eq!([ask(25, 25), ask(25, 40), ask(35, 40)], ["a/a@hobby", "a/a@pro!", "a/a@pro!"]);
    }
}
