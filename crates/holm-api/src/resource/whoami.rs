//! `/v1/whoami`

use crate::auth::Signed;
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope};
use crate::extract::{NoParams, Params};
use crate::view::access::WhoamiView;

/// Shows who asks, and what they hold
#[utoipa::path(
    get,
    path = "/v1/whoami",
    operation_id = "whoami",
    tag = "access",
    responses((status = 200, description = "Who asks", body = Envelope<WhoamiView>), Refusals),
    security(("token" = [])),
)]
pub(crate) async fn show(Signed(caller): Signed, Params(NoParams {}): Params<NoParams>) -> Answer<WhoamiView> {
    Ok(Data(caller.into()))
}
