//! What two must agree to.

use std::time::Duration;

use holm_core::actor::{Actor, PrincipalKind};
use holm_core::approval::ApprovalKind;
use holm_core::approval::guarded::{ApprovalContent, Guarded};
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::ApprovalId;
use holm_engine::access::principal;
use holm_engine::approval::{self, Request, Wanted, rule};
use holm_engine::cluster::remove::{self, Manner};
use holm_engine::operation::people::{self, Word};
use holm_engine::tenant::delete;

use crate::support::{DEV, Setup, World, production, slug};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn person(world: &World, name: &str) -> Actor {
    let made = principal::create(&world.control, &DEV, &name.parse().unwrap(), PrincipalKind::Person).await.unwrap();
    Actor::Principal { id: made.id, name: made.name }
}

fn kind() -> ApprovalKind {
    "tenant.delete".parse().unwrap()
}

fn words(content: &str) -> ApprovalContent {
    content.parse().unwrap()
}

fn wish(content: &str) -> Request {
    Request {
        kind: kind(),
        hash: words(content).hash(),
        content: Some(words(content)),
        environment: Some(production()),
        reason: "the contract has ended".parse().unwrap(),
        lifetime: DAY,
    }
}

/// As an act does that needs one.
async fn apply(world: &World, environment: Option<&EnvironmentName>, content: &str) -> Result<ApprovalId, Problem> {
    let mut tx = world.control.catalog().transaction().await?;
    let wanted = Wanted { kind: &kind(), environment, content: &words(content), operation: None };
    let allowed = approval::spend(&mut tx, &DEV, &wanted).await?;
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
    assert_eq!(refusal(Some(&here), "goteborg").await.code, ErrorCode::ApprovalMissing);
    let asked = approval::request(&world.control, &anna, wish("goteborg")).await.unwrap();
    let undecided = refusal(Some(&here), "goteborg").await;
    assert_eq!((undecided.code, undecided.why.as_deref()), (ErrorCode::ApprovalMissing, Some("nobody has decided")));
    let own = approval::approve(&world.control, &anna, asked.id).await.unwrap_err();
    assert_eq!(own.code, ErrorCode::OwnApproval);
    assert_eq!(approval::reject(&world.control, &anna, asked.id).await.unwrap_err().code, ErrorCode::OwnApproval);

    let decided = approval::approve(&world.control, &ben, asked.id).await.unwrap();
    assert_eq!(decided.decided.unwrap().by.1.as_str(), "ben");
    assert_eq!(refusal(Some(&here), "malmo").await.code, ErrorCode::ApprovalMismatch);
    assert_eq!(apply(&world, Some(&here), "goteborg").await.unwrap(), asked.id);
    let twice = refusal(Some(&here), "goteborg").await;
    assert_eq!((twice.code, twice.why.as_deref()), (ErrorCode::ApprovalMissing, Some("the agreement was for one time, and was used")));
    assert_eq!(refusal(None, "goteborg").await.code, ErrorCode::ApprovalMissing, "of an environment is not of the installation");
    let again = approval::reject(&world.control, &ben, asked.id).await.unwrap_err();
    assert_eq!(again.code, ErrorCode::ApprovalDecided);

    world.catalog().await.execute("UPDATE approval SET expires_at = now(), used_at = NULL", &[]).await.unwrap();
    let over = refusal(Some(&here), "goteborg").await;
    assert_eq!((over.code, over.why.as_deref()), (ErrorCode::ApprovalMissing, Some("the agreement has ended")));
    let told = world.catalog().await;
    let told = told.query(
        "SELECT actor_name || ' ' || action || coalesce(': ' || reason, '') FROM audit_entry WHERE action LIKE 'approval.%' ORDER BY seq",
        &[],
    );
    let told: Vec<String> = told.await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(
        told,
        ["anna approval.request: the contract has ended", "ben approval.approve", "dev approval.use"],
        "who, what, when and why"
    );
}

#[tokio::test]
async fn a_rejected_a_late_and_an_unheard_of_request_let_nothing_be_done() {
    let world = World::without_cluster(Setup::default(), holm_testkit::new_server(&[]).await).await;
    let (anna, ben) = (person(&world, "anna").await, person(&world, "ben").await);
    let here = production();
    let asked = approval::request(&world.control, &anna, wish("goteborg")).await.unwrap();
    approval::reject(&world.control, &ben, asked.id).await.unwrap();
    let refused = apply(&world, Some(&here), "goteborg").await.unwrap_err();
    assert_eq!((refused.code, refused.why.as_deref()), (ErrorCode::ApprovalMissing, Some("it was rejected")));
    let late = approval::request(&world.control, &anna, wish("malmo")).await.unwrap();
    world.catalog().await.execute("UPDATE approval SET expires_at = now() WHERE verdict IS NULL", &[]).await.unwrap();
    assert_eq!(approval::approve(&world.control, &ben, late.id).await.unwrap_err().code, ErrorCode::ApprovalDecided);
    let nobodys = ApprovalId::from_uuid(uuid::Uuid::nil());
    assert_eq!(approval::approve(&world.control, &ben, nobodys).await.unwrap_err().code, ErrorCode::ApprovalNotFound);
    for lifetime in [Duration::ZERO, Duration::from_secs(3599), 31 * DAY] {
        let refused = approval::request(&world.control, &anna, Request { lifetime, ..wish("x") }).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidValue);
    }
    let other = Request { content: Some(words("malmo")), ..wish("goteborg") };
    assert_eq!(approval::request(&world.control, &anna, other).await.unwrap_err().code, ErrorCode::InvalidValue, "words of another hash");
    let nowhere = Request { environment: Some("unheard-of".parse().unwrap()), ..wish("x") };
    assert_eq!(approval::request(&world.control, &anna, nowhere).await.unwrap_err().code, ErrorCode::EnvironmentNotFound);
    assert_eq!(approval::request(&world.control, &DEV, wish("x")).await.unwrap_err().code, ErrorCode::InvalidValue, "Holm asks nobody");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_who_decide_at_once_one_is_first_and_the_other_is_told() {
    let world = World::without_cluster(Setup::default(), holm_testkit::new_server(&[]).await).await;
    let (anna, ben, cleo) = (person(&world, "anna").await, person(&world, "ben").await, person(&world, "cleo").await);
    for content in ["1", "2", "3", "4"] {
        let asked = approval::request(&world.control, &anna, wish(content)).await.unwrap();
        let (yes, no) = tokio::join!(approval::approve(&world.control, &ben, asked.id), approval::reject(&world.control, &cleo, asked.id));
        assert_ne!(yes.is_ok(), no.is_ok());
        let refused = yes.err().or(no.err()).unwrap();
        assert_eq!(refused.code, ErrorCode::ApprovalDecided);
    }
    assert_eq!(world.count("audit_entry WHERE action IN ('approval.approve', 'approval.reject')").await, 4);
}

/// What a refusal says how to ask, as a request.
fn asked_for(refused: &Problem) -> Request {
    assert_eq!(refused.code, ErrorCode::ApprovalMissing, "{refused:?}");
    let command = refused.next.iter().find(|next| next.contains("holm approval request")).unwrap();
    let after = |word: &str| command.split_once(word).unwrap().1;
    let first = |text: &str| text.split_whitespace().next().unwrap().to_owned();
    let content = words(after("--content '").split_once('\'').unwrap().0);
    let hash = first(after("--hash ")).parse().unwrap();
    let environment = Some(first(after("--env ")).parse().unwrap());
    let kind = first(after("holm approval request ")).parse().unwrap();
    Request { kind, hash, content: Some(content), environment, reason: "the contract has ended".parse().unwrap(), lifetime: DAY }
}

/// As a person does who was refused, and another who agrees. Returns what was read.
async fn agreed(world: &World, refused: &Problem, by: [&Actor; 2]) -> String {
    let asked = approval::request(&world.control, by[0], asked_for(refused)).await.unwrap();
    approval::approve(&world.control, by[1], asked.id).await.unwrap();
    asked.content.unwrap()
}

/// The story: production demands four eyes for deletions. Anna is refused, asks, Ben reads what it is and agrees; it is done
/// once, with exactly the words that he read.
#[tokio::test(flavor = "multi_thread")]
async fn r23_where_approvals_are_demanded_a_deletion_is_done_once_after_somebody_else_agreed_to_exactly_it() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    let (anna, ben) = (person(&world, "anna").await, person(&world, "ben").await);
    let here = production();
    for name in ["goteborg", "malmo"] {
        world.create(name).await.unwrap();
    }
    let delete = async |name: &str, grace: Duration| delete::delete(&world.control, &anna, &here, &slug(name), grace, None).await;
    let set = rule::demand(&world.control, &ben, &here, Guarded::TenantDelete).await.unwrap();
    assert_eq!(set.needs_approval, [kind()]);
    let refused = delete("goteborg", 30 * DAY).await.unwrap_err();
    assert_eq!(world.count("operation").await + world.count("audit_entry WHERE action = 'tenant.delete'").await, 0, "nothing is begun");
    let read = agreed(&world, &refused, [&anna, &ben]).await;
    assert!(read.contains("goteborg (ten_") && read.ends_with("of production: dropped with all its data after 30 d"), "{read}");
    // Another tenant, or the same one for good, is something else.
    for other in [delete("malmo", 30 * DAY).await, delete("goteborg", Duration::ZERO).await] {
        assert_eq!(other.unwrap_err().code, ErrorCode::ApprovalMismatch);
    }
    let id = delete("goteborg", 30 * DAY).await.unwrap();
    let used = world.catalog().await;
    let used = used.query_one("SELECT used_for, used_by FROM approval WHERE used_at IS NOT NULL", &[]).await.unwrap();
    assert_eq!((used.get::<_, uuid::Uuid>(0), used.get::<_, uuid::Uuid>(1)), (id.as_uuid(), anna.principal().unwrap().as_uuid()));
    world.until_count("operation WHERE step = 2 AND lease_owner IS NULL AND finished_at IS NULL", 1).await;

    // Who agreed to a month has not agreed to now.
    let hastened = people::tell(&world.control, &anna, id, Word::Proceed).await.unwrap_err();
    assert_eq!(hastened.code, ErrorCode::ApprovalMismatch, "{hastened:?}");
    // What needs no agreement is not held up, and the second use is refused.
    delete::undelete(&world.control, &anna, &here, &slug("goteborg")).await.unwrap();
    let again = delete("goteborg", 30 * DAY).await.unwrap_err();
    assert_eq!(again.why.as_deref(), Some("the agreement was for one time, and was used"));
    assert_eq!(world.count("operation").await, 1);
}

/// The story: somebody who wants to delete switches the demand off first, or takes the whole server away.
#[tokio::test(flavor = "multi_thread")]
async fn a_demand_is_not_got_round_by_one_alone() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    let (anna, ben) = (person(&world, "anna").await, person(&world, "ben").await);
    let here = production();
    world.create("goteborg").await.unwrap();
    rule::demand(&world.control, &anna, &here, Guarded::TenantDelete).await.unwrap();
    let cluster = "production-1".parse().unwrap();
    let abandoned = remove::remove(&world.control, &anna, &cluster, Manner::Abandoned, None).await.unwrap_err();
    assert_eq!(abandoned.code, ErrorCode::ApprovalMissing);
    let off = async || rule::waive(&world.control, &anna, &here, Guarded::TenantDelete).await;
    let refused = off().await.unwrap_err();
    assert_eq!(world.count("approval_rule").await, 1);
    agreed(&world, &refused, [&anna, &ben]).await;
    assert!(off().await.unwrap().needs_approval.is_empty());
    assert!(off().await.unwrap().needs_approval.is_empty(), "what is not demanded needs no agreement to be so");
    delete::delete(&world.control, &anna, &here, &slug("goteborg"), DAY, None).await.unwrap();
    let told = world.catalog().await;
    let told = told.query("SELECT action FROM audit_entry WHERE action ~ '^approval.(demand|waive|use)$' ORDER BY seq", &[]).await.unwrap();
    let told: Vec<String> = told.iter().map(|row| row.get(0)).collect();
    assert_eq!(told, ["approval.demand", "approval.use", "approval.waive"]);
    let nowhere = rule::demand(&world.control, &anna, &"nowhere".parse().unwrap(), Guarded::TenantDelete).await.unwrap_err();
    assert_eq!(nowhere.code, ErrorCode::EnvironmentNotFound);
}

/// Of two who use one agreement at the same moment one does it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_who_use_one_agreement_at_once_one_does_and_the_other_is_refused() {
    let world = World::without_cluster(Setup::default(), holm_testkit::new_server(&[]).await).await;
    let (anna, ben) = (person(&world, "anna").await, person(&world, "ben").await);
    let here = production();
    for content in ["1", "2", "3", "4"] {
        let asked = approval::request(&world.control, &anna, wish(content)).await.unwrap();
        approval::approve(&world.control, &ben, asked.id).await.unwrap();
        let (one, other) = tokio::join!(apply(&world, Some(&here), content), apply(&world, Some(&here), content));
        assert_ne!(one.is_ok(), other.is_ok());
        assert_eq!(one.err().or(other.err()).unwrap().code, ErrorCode::ApprovalMissing);
    }
    assert_eq!(world.count("approval WHERE used_at IS NOT NULL").await, 4);
}

/// A draining cluster that is to be removed in order.
#[tokio::test(flavor = "multi_thread")]
async fn the_removal_of_a_cluster_waits_for_an_agreement_where_one_is_demanded() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    let (anna, ben) = (person(&world, "anna").await, person(&world, "ben").await);
    let (here, cluster) = (production(), "production-1".parse().unwrap());
    rule::demand(&world.control, &anna, &here, Guarded::ClusterRemove).await.unwrap();
    let id = holm_engine::cluster::drain::drain(&world.control, &anna, &cluster, None).await.unwrap();
    holm_engine::operation::show::succeeded(&world.control, id, crate::support::PATIENCE).await.unwrap();
    let remove = async || remove::remove(&world.control, &anna, &cluster, Manner::InOrder, None).await;
    let read = agreed(&world, &remove().await.unwrap_err(), [&anna, &ben]).await;
    assert!(read.starts_with("remove cluster production-1 (clu_"), "{read}");
    let id = remove().await.unwrap();
    holm_engine::operation::show::succeeded(&world.control, id, crate::support::PATIENCE).await.unwrap();
}
