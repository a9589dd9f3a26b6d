//! `/v1/environments/{environment}/sub-processors` and `/processing-record`: reports for people who answer for personal data

use axum::extract::State;
use holm_engine::residency::{processing_record, sub_processors};

use crate::Api;
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope, Failure};
use crate::extract::{EnvironmentPath, Params};
use crate::resource::as_of::AsOfParams;
use crate::view::reports::{ProcessingRecordView, SubProcessorsView};

/// Lists every company in the chain of the places that an environment uses, and what is not known of it
#[utoipa::path(
    get,
    path = "/v1/environments/{environment}/sub-processors",
    operation_id = "list_sub_processors",
    tag = "residency",
    params(("environment" = String, Path, description = "The environment's name"), AsOfParams),
    responses(
        (status = 200, description = "The list, by facts with their sources", body = Envelope<SubProcessorsView>),
        (status = 404, description = "No such environment", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn sub_processors(
    State(api): State<Api>,
    EnvironmentPath(environment): EnvironmentPath,
    Params(asked): Params<AsOfParams>,
) -> Answer<SubProcessorsView> {
    Ok(Data(sub_processors::sub_processors_as_of(&api.control, &environment, asked.read()?).await?.into()))
}

/// Writes the part of a record of processing activities that Holm knows
#[utoipa::path(
    get,
    path = "/v1/environments/{environment}/processing-record",
    operation_id = "show_processing_record",
    tag = "residency",
    params(("environment" = String, Path, description = "The environment's name"), AsOfParams),
    responses(
        (status = 200, description = "The record; it says what is not in it", body = Envelope<ProcessingRecordView>),
        (status = 404, description = "No such environment", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn record(
    State(api): State<Api>,
    EnvironmentPath(environment): EnvironmentPath,
    Params(asked): Params<AsOfParams>,
) -> Answer<ProcessingRecordView> {
    Ok(Data(processing_record::record_as_of(&api.control, &environment, asked.read()?).await?.into()))
}
