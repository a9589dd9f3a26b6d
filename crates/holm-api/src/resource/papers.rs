//! `/v1/residency/papers`: contracts, clauses and assessments on file, with whom or of where, and since when

use axum::extract::State;
use holm_core::access::Permission;
use holm_core::error::{ErrorCode, Problem};
use holm_engine::residency::paper::{self, Of, Wanted};
use uuid::Uuid;

use super::roles::environment;
use crate::Api;
use crate::auth::{self, Signed};
use crate::description::Refusals;
use crate::envelope::{Answer, Created, Data, Envelope, Failure, Refusal};
use crate::extract::{Body, IdPath, NoParams, Params};
use crate::view::ListView;
use crate::view::residency::record::{AddPaper, PaperView};

/// Lists the papers that are for every environment, or for one that the caller may see, all at once
#[utoipa::path(
    get,
    path = "/v1/residency/papers",
    operation_id = "list_papers",
    tag = "residency",
    responses((status = 200, description = "The papers", body = Envelope<ListView<PaperView>>), Refusals),
    security(("token" = [])),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
) -> Answer<ListView<PaperView>> {
    let mut papers = paper::list(&api.control).await?;
    // Whoever may read here at all, reads what counts everywhere.
    papers.retain(|paper| {
        let of = paper.environment.as_ref();
        of.is_none() || auth::may_see(&api, &caller, Permission::ReadTenants, of)
    });
    Ok(Data(ListView { items: papers.into_iter().map(Into::into).collect(), next: None }))
}

/// Puts a paper on file, for one environment or for all; everything is judged anew
#[utoipa::path(
    post,
    path = "/v1/residency/papers",
    operation_id = "add_paper",
    tag = "residency",
    request_body = AddPaper,
    responses(
        (status = 201, description = "It is on file", body = Envelope<PaperView>, headers(("Location" = String, description = "Its path"))),
        (status = 404, description = "No such environment", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn add(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
    Body(wanted): Body<AddPaper>,
) -> Result<Created<PaperView>, Refusal> {
    let AddPaper { kind, with, country, signed_on, ends_on, edition, document_sha256, environment: name } = wanted;
    let environment = environment(name.as_deref())?;
    auth::require_at(&api, &caller, Permission::ManageResidency, environment.as_ref()).await?;
    let document_sha256 = document_sha256.as_deref().map(hash).transpose()?;
    let of = of(with, country)?;
    let wanted = Wanted { kind, of, signed_on, ends_on, edition, document_sha256, environment };
    let kept = paper::keep(&api.control, &caller.actor, wanted).await?;
    Ok(Created { location: format!("/v1/residency/papers/{}", kept.id), data: kept.into() })
}

/// Takes a paper off file; everything is judged anew
#[utoipa::path(
    delete,
    path = "/v1/residency/papers/{id}",
    operation_id = "remove_paper",
    tag = "residency",
    params(("id" = String, Path, description = "The paper's id")),
    responses(
        (status = 200, description = "It is on file no more", body = Envelope<PaperView>),
        (status = 404, description = "None that the caller may see", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn remove(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
    IdPath(id): IdPath<Uuid>,
) -> Answer<PaperView> {
    let found = paper::show(&api.control, id).await?;
    let of = found.environment.as_ref();
    if of.is_some_and(|of| !auth::may_see(&api, &caller, Permission::ReadTenants, Some(of))) {
        return Err(paper::not_found(id).into());
    }
    auth::require_at(&api, &caller, Permission::ManageResidency, of).await?;
    Ok(Data(paper::remove(&api.control, &caller.actor, id).await?.into()))
}

fn hash(text: &str) -> Result<[u8; 32], Problem> {
    let refused = || Problem::new(ErrorCode::InvalidValue, "the hash of the document is not 64 hexadecimal digits");
    if text.len() != 64 || !text.is_ascii() {
        return Err(refused());
    }
    let mut bytes = [0; 32];
    for (byte, at) in bytes.iter_mut().zip((0..text.len()).step_by(2)) {
        // A sign is accepted by the parser, and is no digit.
        let digits = text.get(at..at + 2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit())).ok_or_else(refused)?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| refused())?;
    }
    Ok(bytes)
}

/// One of both.
fn of(with: Option<String>, country: Option<String>) -> Result<Of, Problem> {
    match (with, country) {
        (Some(company), None) => Ok(Of::Company(company)),
        (None, Some(country)) => Ok(Of::Country(country)),
        _ => Err(Problem::new(ErrorCode::InvalidValue, "the paper is of nothing, or of two things")
            .because("a contract is with a company, an assessment is of a country")
            .next("give one of `with` and `country`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_has_64_digits_and_nothing_else() {
        assert_eq!(hash(&"0f".repeat(32)).unwrap(), [15; 32]);
        assert_eq!(hash(&"0F".repeat(32)).unwrap(), [15; 32]);
        for text in [String::new(), "0f".repeat(31), "0f".repeat(33), "+f".repeat(32), "é".repeat(32), "0g".repeat(32)] {
            assert_eq!(hash(&text).unwrap_err().code, ErrorCode::InvalidValue, "{text}");
        }
    }
}
