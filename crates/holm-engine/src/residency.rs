//! Where data may lie, enforced: what an installation judges by, what it placed where and why, and what came of it since.
//!
//! Promises: no copy of a tenant that has a profile is made where the profile denies or cannot say, by what is in force at the
//! moment when the copy's row is committed; what is changed later has every copy judged anew, and what no longer satisfies is
//! told. Refuses to guess: a cluster of which nobody said where it is, satisfies nothing. Judging itself is `holm-policy`'s.

pub mod answer;
pub mod as_of;
pub mod assigned;
pub mod breach_scope;
pub(crate) mod certificate;
pub mod certified;
pub mod choose;
mod claims;
pub mod copies;
pub mod decision;
pub mod decision_record;
pub mod exception;
pub mod facts;
pub mod known;
pub mod lies;
pub mod markdown;
pub mod matrix;
pub mod merits;
pub(crate) mod near;
pub mod observed;
pub mod paper;
pub mod placed;
pub mod places;
pub mod processing_record;
pub mod profile;
pub mod registered;
pub mod rests_on;
pub mod sub_processors;
pub mod watch;
pub mod what_if;
