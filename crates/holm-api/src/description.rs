//! What the OpenAPI description says of every route: the refusals that any of them may answer, and how to sign in.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{RefOr, Required};
use utoipa::{IntoResponses, Modify, OpenApi};

use crate::envelope::{Envelope, Failure, Refusal};
use crate::extract::{NoParams, Params};
use crate::view::operation::OperationView;

/// The refusals that any request may meet.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "only its description is used")]
pub(crate) enum Refusals {
    /// Something in the request is not understood or not acceptable
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(Failure),
    /// No bearer token, or one that is not known or is over
    #[response(status = 401, content_type = "application/problem+json")]
    NotSignedIn(Failure),
    /// Signed in, and not allowed to do this there
    #[response(status = 403, content_type = "application/problem+json")]
    NotAllowed(Failure),
    /// Too many requests, or too many wrong tokens
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(Failure),
    /// The catalog or a server behind Holm does not answer
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Failure),
    /// Not finished in time; `changed` says whether anything goes on
    #[response(status = 504, content_type = "application/problem+json")]
    TooSlow(Failure),
}

/// What a route answers that starts an operation, or says something to one.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "only its description is used")]
pub(crate) enum Begun {
    /// It goes on; `Location` says where to watch it, and `operation` what it is called
    #[response(status = 202)]
    Accepted(Envelope<OperationView>),
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
        (name = "residency", description = "By what the place of data is judged, where it is, and why"),
        (name = "operations", description = "Work that takes longer than a request, and what people may say to it"),
        (name = "credentials", description = "What apps present to the proxy"),
        (name = "keys", description = "Master keys: their names and ages, rotation"),
        (name = "access", description = "Principals, roles, tokens, approvals"),
        (name = "audit", description = "What was done, by whom, and proof that it still says so"),
        (name = "webhooks", description = "Receivers that are told what the audit log says"),
        (name = "health", description = "How the installation is"),
    ),
    components(schemas(Failure, Envelope<OperationView>)),
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

const KEY: &str = "Made by the caller, 1 to 200 visible characters: the same key with the same request within 24 hours gives the \
                   same answer, with `Idempotency-Replayed: true`";

/// Describes the headers that every change takes, so that no route can forget to.
pub(crate) fn with_headers(mut openapi: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    for (_, item) in openapi.paths.paths.iter_mut().filter(|(path, _)| path.starts_with("/v1")) {
        for change in [&mut item.post, &mut item.put, &mut item.patch, &mut item.delete].into_iter().flatten() {
            let compares = change.responses.responses.contains_key("412");
            let parameters = change.parameters.get_or_insert_default();
            parameters.push(header("Idempotency-Key", KEY));
            if compares {
                parameters.push(header("If-Match", "The `ETag` of an answer: nothing is done if what it showed was changed since"));
            }
        }
    }
    openapi
}

fn header(name: &str, description: &str) -> RefOr<Parameter> {
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build();
    RefOr::T(parameter)
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
