//! `/errors/{code}`: the page of an error, to which the `type` of every problem points.

use axum::extract::RawPathParams;
use axum::http::header;
use axum::response::IntoResponse;
use holm_core::error::{ErrorCode, Problem};

use crate::envelope::Refusal;
use crate::extract::{NoParams, Params};

/// What an error means, why it comes and what to do
#[utoipa::path(
    get,
    path = "/errors/{code}",
    operation_id = "explain_error",
    tag = "health",
    params(("code" = String, Path, description = "The code, such as `HOLM-1104`")),
    responses(
        (status = 200, description = "Its page", body = String, content_type = "text/markdown"),
        (status = 400, description = "There are no parameters", body = crate::envelope::Failure, content_type = "application/problem+json"),
        (status = 404, description = "No such error", body = crate::envelope::Failure, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn show(path: RawPathParams, Params(NoParams {}): Params<NoParams>) -> Result<impl IntoResponse, Refusal> {
    let text = path.iter().next().map(|(_, code)| code).unwrap_or_default();
    let code: ErrorCode = text.parse().map_err(|error| {
        Problem::new(ErrorCode::PathNotFound, "there is no such error").because(error).next("codes look like `HOLM-1104`")
    })?;
    Ok(([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], code.page()))
}
