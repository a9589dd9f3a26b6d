//! What happens to a name between the question and the adoption.

use holm_core::error::ErrorCode;
use holm_core::operation::OperationState;
use holm_core::secret::Secret;
use holm_engine::cluster::url::ServerUrl;
use holm_engine::operation::show;
use holm_engine::tenant::adopt::{self, NewAdoption};

use crate::world::{PATIENCE, World, by, production};

#[tokio::test(flavor = "multi_thread")]
async fn an_adoption_whose_name_is_kept_for_another_by_then_is_undone_with_the_reason() {
    let mut world = World::start().await;
    world.create(1).await;
    let url = ServerUrl::parse(&Secret::new(world.bring("brought").await), None).unwrap();
    world.settled().await;
    world.open(None).await;
    let new = NewAdoption { environment: production(), slug: "wanted".parse().unwrap(), url, cluster: None, claim: None, profile: None };
    let id = adopt::adopt(world.control(), &by(), new, None).await.unwrap();
    // As a rename leaves it.
    let kept = "INSERT INTO tenant_alias (environment_id, slug, tenant_id, until, renamed_by)
        SELECT environment_id, 'wanted', id, now() + interval '1 hour', '{}' FROM tenant";
    world.catalog().await.batch_execute(kept).await.unwrap();
    world.control().start();
    let over = show::wait(world.control(), id, None, PATIENCE).await.unwrap();
    assert_eq!((over.state, over.problem.unwrap().code), (OperationState::Undone, ErrorCode::SlugReserved));
    world.assert_whole().await;
}
