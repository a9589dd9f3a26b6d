//! What the OpenAPI description says of every route: the refusals that any of them may answer, and how to sign in.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{IntoResponses, Modify, OpenApi};

use crate::envelope::{Failure, Refusal};
use crate::extract::{NoParams, Params};

/// The refusals that any request may meet.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "only its description is used")]
pub(crate) enum Refusals {
    /// Something in the request is not understood or not acceptable
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(Failure),
    /// No bearer token, or one that is not known
    #[response(status = 401, content_type = "application/problem+json")]
    NotSignedIn(Failure),
    /// The catalog or a server behind Holm does not answer
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Failure),
    /// Not finished in time; `changed` says whether anything goes on
    #[response(status = 504, content_type = "application/problem+json")]
    TooSlow(Failure),
}

/// The description's frame; paths and shapes come from the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Holm",
        description = "Every customer on an island of their own: tenants, their databases and the credentials to reach them.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "tenants", description = "Customers, each with a database of its own"),
        (name = "environments", description = "Production, staging and their kin; nothing crosses between them"),
        (name = "clusters", description = "PostgreSQL servers that tenants are placed on"),
        (name = "credentials", description = "What apps present to the proxy"),
        (name = "health", description = "How the installation is"),
    ),
    components(schemas(Failure)),
    modifiers(&Bearer),
)]
pub(crate) struct Frame;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A token of Holm's API")).build();
        openapi.components.get_or_insert_default().add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// This description
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    tag = "health",
    responses(
        (status = 200, description = "The description", body = Object),
        (status = 400, description = "There are no parameters", body = Failure, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn show(Params(NoParams {}): Params<NoParams>) -> Result<impl IntoResponse, Refusal> {
    /// Made once: it is the same for every reader.
    static TEXT: LazyLock<String> = LazyLock::new(|| crate::openapi().to_pretty_json().expect("the description is made of texts"));
    Ok(([(header::CONTENT_TYPE, "application/json")], TEXT.as_str()))
}
