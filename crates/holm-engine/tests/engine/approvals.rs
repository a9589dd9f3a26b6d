//! What two must agree to.

use std::time::Duration;

use holm_core::actor::{Actor, PrincipalKind};
use holm_core::approval::{ApprovalKind, ContentHash};
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::ApprovalId;
use holm_engine::access::principal;
use holm_engine::approval::{self, Request};

use crate::support::{DEV, Setup, World, production};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn person(world: &World, name: &str) -> Actor {
    let made = principal::create(&world.control, &DEV, &name.parse().unwrap(), PrincipalKind::Person).await.unwrap();
    Actor::Principal { id: made.id, name: made.name }
}

fn kind() -> ApprovalKind {
    "tenant.delete".parse().unwrap()
}

fn wish(content: &[u8]) -> Request {
    Request {
        kind: kind(),
        hash: ContentHash::of(content),
        environment: Some(production()),
        reason: "the contract has ended".parse().unwrap(),
        lifetime: DAY,
    }
}

/// As an act does that needs one.
async fn apply(world: &World, environment: Option<&EnvironmentName>, content: &[u8]) -> Result<ApprovalId, Problem> {
    let mut tx = world.control.catalog().transaction().await?;
    let allowed = approval::require(&mut tx, &kind(), environment, &ContentHash::of(content)).await?;
    tx.commit().await?;
    Ok(allowed)
}

/// The story: a deletion is asked for, the author tries to agree with herself, another agrees, and exactly that may be done.
#[tokio::test]
async fn r23_r30_what_was_approved_by_another_may_be_done_and_nothing_else() {
    let world = World::without_cluster(Setup::default(), holm_testkit::new_server(&[]).await).await;
    let (anna, ben) = (person(&world, "anna").await, person(&world, "ben").await);
    let here = production();
    let refusal = async |environment, content| apply(&world, environment, content).await.unwrap_err();
    assert_eq!(refusal(Some(&here), b"goteborg").await.code, ErrorCode::ApprovalMissing);
    let asked = approval::request(&world.control, &anna, wish(b"goteborg")).await.unwrap();
    let undecided = refusal(Some(&here), b"goteborg").await;
    assert_eq!((undecided.code, undecided.why.as_deref()), (ErrorCode::ApprovalMissing, Some("nobody has decided")));
    let own = approval::approve(&world.control, &anna, asked.id).await.unwrap_err();
    assert_eq!(own.code, ErrorCode::OwnApproval);
    assert_eq!(approval::reject(&world.control, &anna, asked.id).await.unwrap_err().code, ErrorCode::OwnApproval);

    let decided = approval::approve(&world.control, &ben, asked.id).await.unwrap();
    assert_eq!(decided.decided.unwrap().by.1.as_str(), "ben");
    assert_eq!(apply(&world, Some(&here), b"goteborg").await.unwrap(), asked.id);
    assert_eq!(refusal(Some(&here), b"malmo").await.code, ErrorCode::ApprovalMismatch);
    assert_eq!(refusal(None, b"goteborg").await.code, ErrorCode::ApprovalMissing, "of an environment is not of the installation");
    let again = approval::reject(&world.control, &ben, asked.id).await.unwrap_err();
    assert_eq!(again.code, ErrorCode::ApprovalDecided);

    world.catalog().await.execute("UPDATE approval SET expires_at = now()", &[]).await.unwrap();
    let over = refusal(Some(&here), b"goteborg").await;
    assert_eq!((over.code, over.why.as_deref()), (ErrorCode::ApprovalMissing, Some("the agreement has ended")));
    let told = world.catalog().await;
    let told = told.query(
        "SELECT actor_name || ' ' || action || coalesce(': ' || reason, '') FROM audit_entry WHERE action LIKE 'approval.%' ORDER BY seq",
        &[],
    );
    let told: Vec<String> = told.await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(told, ["anna approval.request: the contract has ended", "ben approval.approve"], "who, what, when and why");
}

#[tokio::test]
async fn a_rejected_a_late_and_an_unheard_of_request_let_nothing_be_done() {
    let world = World::without_cluster(Setup::default(), holm_testkit::new_server(&[]).await).await;
    let (anna, ben) = (person(&world, "anna").await, person(&world, "ben").await);
    let here = production();
    let asked = approval::request(&world.control, &anna, wish(b"goteborg")).await.unwrap();
    approval::reject(&world.control, &ben, asked.id).await.unwrap();
    let refused = apply(&world, Some(&here), b"goteborg").await.unwrap_err();
    assert_eq!((refused.code, refused.why.as_deref()), (ErrorCode::ApprovalMissing, Some("it was rejected")));
    let late = approval::request(&world.control, &anna, wish(b"malmo")).await.unwrap();
    world.catalog().await.execute("UPDATE approval SET expires_at = now() WHERE verdict IS NULL", &[]).await.unwrap();
    assert_eq!(approval::approve(&world.control, &ben, late.id).await.unwrap_err().code, ErrorCode::ApprovalDecided);
    let nobodys = ApprovalId::from_uuid(uuid::Uuid::nil());
    assert_eq!(approval::approve(&world.control, &ben, nobodys).await.unwrap_err().code, ErrorCode::ApprovalNotFound);
    for lifetime in [Duration::ZERO, Duration::from_secs(3599), 31 * DAY] {
        let refused = approval::request(&world.control, &anna, Request { lifetime, ..wish(b"x") }).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidValue);
    }
    let nowhere = Request { environment: Some("unheard-of".parse().unwrap()), ..wish(b"x") };
    assert_eq!(approval::request(&world.control, &anna, nowhere).await.unwrap_err().code, ErrorCode::EnvironmentNotFound);
    assert_eq!(approval::request(&world.control, &DEV, wish(b"x")).await.unwrap_err().code, ErrorCode::InvalidValue, "Holm asks nobody");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_who_decide_at_once_one_is_first_and_the_other_is_told() {
    let world = World::without_cluster(Setup::default(), holm_testkit::new_server(&[]).await).await;
    let (anna, ben, cleo) = (person(&world, "anna").await, person(&world, "ben").await, person(&world, "cleo").await);
    for content in [b"1", b"2", b"3", b"4"] {
        let asked = approval::request(&world.control, &anna, wish(content)).await.unwrap();
        let (yes, no) = tokio::join!(approval::approve(&world.control, &ben, asked.id), approval::reject(&world.control, &cleo, asked.id));
        assert_ne!(yes.is_ok(), no.is_ok());
        let refused = yes.err().or(no.err()).unwrap();
        assert_eq!(refused.code, ErrorCode::ApprovalDecided);
    }
    assert_eq!(world.count("audit_entry WHERE action IN ('approval.approve', 'approval.reject')").await, 4);
}
