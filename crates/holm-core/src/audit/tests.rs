//! What an entry may say, and that its bytes say it unambiguously.

use std::collections::BTreeSet;

use super::*;
use crate::actor::SystemActor;

fn content() -> Content {
    let entry = NewEntry::new(
        &Actor::Principal { id: PrincipalId::from_uuid(Uuid::from_u128(1)), name: "anna".parse().unwrap() },
        AuditAction::TenantSuspend,
        Some(&"production".parse().unwrap()),
        Subject::Tenant(TenantId::from_uuid(Uuid::from_u128(2))),
    );
    Content::from(&entry.because(&"ticket 4711".parse().unwrap()))
}

#[test]
fn the_encoding_is_what_entries_of_years_ago_were_hashed_with() {
    let hex: String = content().digest().iter().map(|byte| format!("{byte:02x}")).collect();
    insta::assert_snapshot!(hex);
}

#[test]
fn a_change_of_any_column_and_a_shift_between_two_is_another_digest() {
    let with = |change: fn(&mut Content)| {
        let mut changed = content();
        change(&mut changed);
        changed.digest()
    };
    let digests = [
        content().digest(),
        with(|c| c.actor_kind = "system".into()),
        with(|c| c.actor_id = None),
        with(|c| c.actor_id = Some(Uuid::nil())),
        with(|c| c.actor_name = "anne".into()),
        with(|c| c.action = "tenant.resume".into()),
        with(|c| c.environment = None),
        with(|c| c.environment = Some(String::new())),
        with(|c| c.subject_kind = "cluster".into()),
        with(|c| c.subject_id.push('0')),
        with(|c| c.reason = None),
        with(|c| c.reason = Some(String::new())),
        with(|c| c.detail = "{} ".into()),
        // The same bytes, cut elsewhere.
        with(|c| (c.subject_kind, c.subject_id) = ("tenantt".into(), c.subject_id[1..].to_owned())),
    ];
    assert_eq!(digests.iter().collect::<BTreeSet<_>>().len(), digests.len());
}

#[test]
fn a_reason_is_one_bounded_line() {
    assert_eq!(" ticket 1 ".parse::<Reason>().unwrap().as_str(), "ticket 1");
    for bad in ["", "   ", "a\nb", "a\u{1b}[2J", &"a".repeat(301)] {
        assert_eq!(bad.parse::<Reason>(), Err(InvalidReason));
    }
}

#[test]
fn details_are_small_json_objects() {
    let entry = |detail| {
        Content::from(&NewEntry::new(&Actor::system(SystemActor::Dev), AuditAction::TokenIssue, None, Subject::Installation).with(detail))
    };
    assert_eq!(entry(Detail::None).detail, "{}");
    assert_eq!(entry(Detail::Role { role: Role::Admin, until: None }).detail, r#"{"role":"admin","until":null}"#);
    assert_eq!(entry(Detail::Denied { permission: "read tenants" }).detail, r#"{"permission":"read tenants"}"#);
    let statistics = Detail::Statistics { by: Some(By::Region), at_least: 5, tenants: 12 };
    assert_eq!(entry(statistics).detail, r#"{"by":"region","at_least":5,"tenants":12}"#);
}

#[test]
fn every_action_is_a_noun_and_a_verb_of_its_own() {
    let words: BTreeSet<&str> = AuditAction::ALL.iter().map(|action| action.as_str()).collect();
    assert_eq!(words.len(), AuditAction::ALL.len());
    for word in words {
        assert_eq!(word.split('.').count(), 2, "{word}");
        assert_eq!(word.parse::<AuditAction>().unwrap().as_str(), word);
    }
}
