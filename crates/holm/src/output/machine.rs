//! The envelope for programs: the same four members as the API's, in success and failure.

use holm_api::envelope::Envelope;
use holm_core::error::Problem;
use serde::Serialize;
use serde_json::Value;

pub(super) fn json(data: &Value) -> String {
    pretty(&Envelope::success(data))
}

pub(super) fn json_failure(problem: &Problem) -> String {
    pretty(&failure(problem))
}

pub(super) fn line(data: &Value) -> String {
    format!("{}\n", serde_json::to_string(&Envelope::success(data)).expect(SERIALIZES))
}

pub(super) fn line_failure(problem: &Problem) -> String {
    format!("{}\n", serde_json::to_string(&failure(problem)).expect(SERIALIZES))
}

pub(super) fn yaml(data: &Value) -> String {
    serde_yaml_ng::to_string(&Envelope::success(data)).expect(SERIALIZES)
}

pub(super) fn yaml_failure(problem: &Problem) -> String {
    serde_yaml_ng::to_string(&failure(problem)).expect(SERIALIZES)
}

const SERIALIZES: &str = "an envelope of JSON values has text keys only";

fn failure(problem: &Problem) -> Envelope<()> {
    Envelope::failure(problem.clone())
}

fn pretty(envelope: &impl Serialize) -> String {
    format!("{}\n", serde_json::to_string_pretty(envelope).expect(SERIALIZES))
}
