//! The envelope for programs: the same members as the API's, in success and failure.

use holm_api::envelope::Envelope;
use holm_core::error::Problem;
use serde::Serialize;
use serde_json::Value;

pub(super) fn json(data: &Value, operation: Option<&str>) -> String {
    pretty(&success(data, operation))
}

pub(super) fn json_failure(problem: &Problem, operation: Option<&str>) -> String {
    pretty(&failure(problem, operation))
}

pub(super) fn line(data: &Value, operation: Option<&str>) -> String {
    format!("{}\n", serde_json::to_string(&success(data, operation)).expect(SERIALIZES))
}

pub(super) fn line_failure(problem: &Problem, operation: Option<&str>) -> String {
    format!("{}\n", serde_json::to_string(&failure(problem, operation)).expect(SERIALIZES))
}

pub(super) fn yaml(data: &Value, operation: Option<&str>) -> String {
    serde_yaml_ng::to_string(&success(data, operation)).expect(SERIALIZES)
}

pub(super) fn yaml_failure(problem: &Problem, operation: Option<&str>) -> String {
    serde_yaml_ng::to_string(&failure(problem, operation)).expect(SERIALIZES)
}

const SERIALIZES: &str = "an envelope of JSON values has text keys only";

fn success<'a>(data: &'a Value, operation: Option<&str>) -> Envelope<&'a Value> {
    with(Envelope::success(data), operation)
}

fn failure(problem: &Problem, operation: Option<&str>) -> Envelope<()> {
    with(Envelope::failure(problem.clone()), operation)
}

fn with<T>(envelope: Envelope<T>, operation: Option<&str>) -> Envelope<T> {
    match operation {
        Some(id) => envelope.operation(id),
        None => envelope,
    }
}

fn pretty(envelope: &impl Serialize) -> String {
    format!("{}\n", serde_json::to_string_pretty(envelope).expect(SERIALIZES))
}
