//! `/v1/environments/{environment}/usage`, and what this process says of itself when another one is asked.

use std::sync::Arc;

use axum::extract::State;
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_engine::node::round::{self, Answering};
use holm_engine::{environment, node};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope, Failure};
use crate::extract::{EnvironmentPath, Params};
use crate::view::usage::{NodeUseView, SaidView, UsageView};
use crate::{Api, UsageOf};

/// As many as a person looks at.
const LIMIT_DEFAULT: u32 = 20;

/// About 40 KiB.
const LIMIT_MAX: u32 = 200;

/// How many tenants.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageParams {
    /// How many tenants of each node at the most: 1 to 200, 20 when absent. Another node may tell of fewer, and then says of how many not.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// Shows who uses the nodes now, the busiest tenants of each first
#[utoipa::path(
    get,
    path = "/v1/environments/{environment}/usage",
    operation_id = "show_usage",
    tag = "health",
    params(("environment" = String, Path, description = "The environment's name"), UsageParams),
    responses(
        (status = 200, description = "What the process that answers carries, and what the others say", body = Envelope<UsageView>),
        (status = 404, description = "No such environment", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn show(
    State(api): State<Api>,
    EnvironmentPath(environment): EnvironmentPath,
    Params(UsageParams { limit }): Params<UsageParams>,
) -> Answer<UsageView> {
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::new(ErrorCode::InvalidValue, format!("`limit={limit}` is not 1 to {LIMIT_MAX}")).into());
    }
    let environment = environment::show(&api.control, &environment).await?.name;
    let question = Question { environment: environment.clone(), limit };
    let question = serde_json::to_string(&question).expect("a name and a number are JSON");
    let (others, (at, carried)) = tokio::join!(round::ask(&api.control, &environment, &question), async {
        let carried = (api.config.usage)(environment.clone(), usize::try_from(limit).unwrap_or(usize::MAX)).await;
        (Timestamp::now(), carried)
    });
    let others = others?.into_iter().map(|round::Heard { node, answer }| {
        // What cannot be read is of another Holm, and says nothing here.
        NodeUseView { node, said: answer.and_then(|answer| serde_json::from_str(&answer).ok()) }
    });
    Ok(Data(UsageView { environment, at, node: node::name(&api.control).map(str::to_owned), carried, others: others.collect() }))
}

/// What nodes ask each other.
#[derive(Serialize, Deserialize)]
struct Question {
    environment: EnvironmentName,
    limit: u32,
}

/// How a process says who uses it, when another one is asked. As many tenants as fit into an answer: of the rest, how many they are.
pub fn answering(usage: UsageOf) -> Answering {
    Arc::new(move |question| {
        let usage = Arc::clone(&usage);
        Box::pin(async move {
            let Question { environment, limit } = serde_json::from_str(&question).ok()?;
            let mut limit = usize::try_from(limit.min(LIMIT_MAX)).ok()?;
            loop {
                let said = SaidView { carried: usage(environment.clone(), limit).await?, at: Timestamp::now() };
                let answer = serde_json::to_string(&said).ok()?;
                if answer.len() <= round::ANSWER_LENGTH_MAX {
                    return Some(answer);
                }
                limit = limit.checked_sub(1)? / 2;
            }
        })
    })
}
