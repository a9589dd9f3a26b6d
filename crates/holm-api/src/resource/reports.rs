//! `/v1/environments/{environment}/sub-processors` and `/processing-record`: reports for people who answer for personal data

use axum::extract::State;
use holm_engine::residency::{processing_record, sub_processors};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Api;
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope, Failure};
use crate::extract::{EnvironmentPath, Params};
use crate::page::PageParams;
use crate::resource::as_of::{self, AsOfParams};
use crate::view::reports::{ProcessingRecordView, SubProcessorsView};

/// About when, and which part.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RecordParams {
    /// What was in force then: a day, of which the end is meant in UTC, or a time; now when absent.
    #[param(example = "2026-03-03")]
    as_of: Option<String>,
    /// What Holm had been told by then: a day or a time; now when absent. Only with `as_of`.
    #[param(example = "2026-03-03")]
    known_at: Option<String>,
    /// How many tenants at the most: 1 to 1000, 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// The `next` of the part before.
    cursor: Option<String>,
}

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
    params(("environment" = String, Path, description = "The environment's name"), RecordParams),
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
    Params(RecordParams { as_of, known_at, limit, cursor }): Params<RecordParams>,
) -> Answer<ProcessingRecordView> {
    let (asked, part) = (as_of::read(as_of.as_deref(), known_at.as_deref())?, PageParams::new(limit, cursor));
    let (after, limit) = (part.after()?, usize::try_from(part.limit()?).unwrap_or(usize::MAX));
    Ok(Data(processing_record::record_part(&api.control, &environment, asked, after.as_ref(), limit).await?.into()))
}
