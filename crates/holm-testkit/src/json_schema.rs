//! Checks JSON against a schema of an OpenAPI 3.1 description.
//!
//! Promises: every keyword that our description uses is checked; one that it does not know is an error, so that nothing is
//! believed to be checked that is not. Of `pattern` it knows what we use: literals, `[0-9]` with a count, `^` and `$`.

use serde_json::Value;

/// Keywords that say nothing about whether a value is right.
const SAYS_NOTHING: [&str; 5] = ["description", "example", "examples", "format", "title"];

/// What is wrong with a value, each with the path to it; nothing if it is as the schema says.
pub fn faults(description: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(description, schema, value, "$", &mut found);
    found
}

fn check(description: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let Some(keywords) = schema.as_object() else { return found.push(format!("{at}: a schema that is no object")) };
    for (keyword, said) in keywords {
        match keyword.as_str() {
            "$ref" => {
                let pointer = said.as_str().and_then(|reference| reference.strip_prefix('#')).unwrap_or_default();
                match description.pointer(pointer) {
                    Some(target) => check(description, target, value, at, found),
                    None => found.push(format!("{at}: {said} is nowhere")),
                }
            }
            "type" if !has_type(said, value) => found.push(format!("{at}: {value} is not {said}")),
            "enum" | "const" if !said.as_array().map_or(said == value, |all| all.contains(value)) => {
                found.push(format!("{at}: {value} is not one of {said}"));
            }
            "oneOf" | "anyOf" => {
                let fits = |schema: &&Value| faults(description, schema, value).is_empty();
                if !said.as_array().into_iter().flatten().any(|schema| fits(&schema)) {
                    found.push(format!("{at}: {value} is none of {said}"));
                }
            }
            "allOf" => said.as_array().into_iter().flatten().for_each(|schema| check(description, schema, value, at, found)),
            "required" => {
                let missing = |name: &&Value| value.is_object() && name.as_str().is_some_and(|name| value.get(name).is_none());
                found.extend(said.as_array().into_iter().flatten().filter(missing).map(|name| format!("{at}: no {name}")));
            }
            "properties" => {
                for (name, schema) in said.as_object().into_iter().flatten() {
                    if let Some(member) = value.get(name) {
                        check(description, schema, member, &format!("{at}.{name}"), found);
                    }
                }
            }
            "additionalProperties" if said.is_object() => {
                let named = |name: &String| keywords.get("properties").is_some_and(|known| known.get(name).is_some());
                for (name, member) in value.as_object().into_iter().flatten().filter(|(name, _)| !named(name)) {
                    check(description, said, member, &format!("{at}.{name}"), found);
                }
            }
            "items" => {
                for (position, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(description, said, item, &format!("{at}[{position}]"), found);
                }
            }
            "minimum" if value.as_f64().zip(said.as_f64()).is_some_and(|(value, least)| value < least) => {
                found.push(format!("{at}: {value} is less than {said}"));
            }
            "maximum" if value.as_f64().zip(said.as_f64()).is_some_and(|(value, most)| value > most) => {
                found.push(format!("{at}: {value} is more than {said}"));
            }
            "pattern" if value.as_str().zip(said.as_str()).is_some_and(|(text, pattern)| !matches(pattern, text)) => {
                found.push(format!("{at}: {value} is not {said}"));
            }
            "type" | "enum" | "const" | "minimum" | "maximum" | "pattern" | "propertyNames" => {}
            "additionalProperties" if *said == Value::Bool(false) => {
                let known = keywords.get("properties").and_then(Value::as_object);
                let unknown =
                    value.as_object().into_iter().flatten().filter(|(name, _)| known.is_none_or(|known| !known.contains_key(*name)));
                found.extend(unknown.map(|(name, _)| format!("{at}: {name} is not known")));
            }
            "additionalProperties" => {}
            other if SAYS_NOTHING.contains(&other) => {}
            other => found.push(format!("{at}: the keyword `{other}` is not checked")),
        }
    }
}

fn has_type(said: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    said.as_str().map_or_else(|| said.as_array().into_iter().flatten().filter_map(Value::as_str).any(is), is)
}

/// `^HOLM-[0-9]{4}$` and its kin.
fn matches(pattern: &str, text: &str) -> bool {
    let pattern =
        pattern.strip_prefix('^').and_then(|pattern| pattern.strip_suffix('$')).unwrap_or_else(|| panic!("{pattern}: not anchored"));
    let (literal, digits) = pattern.split_once("[0-9]{").unwrap_or((pattern, "0}"));
    let count: usize = digits.trim_end_matches('}').parse().unwrap_or_else(|_| panic!("{pattern}: not a pattern that is known here"));
    text.strip_prefix(literal).is_some_and(|rest| rest.len() == count && rest.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_schema_says_is_checked_and_what_is_not_known_is_said() {
        let description = json!({ "components": { "schemas": { "Code": { "type": "string", "pattern": "^HOLM-[0-9]{4}$" } } } });
        let schema = json!({
            "type": "object",
            "required": ["ok", "code"],
            "properties": {
                "ok": { "type": "boolean" },
                "code": { "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/Code" }] },
                "next": { "type": ["array", "null"], "items": { "type": "string" } },
                "status": { "type": "integer", "minimum": 400 },
            }
        });
        let wrong = |value: Value| faults(&description, &schema, &value).len();
        assert_eq!(wrong(json!({ "ok": true, "code": "HOLM-1104", "next": ["a"], "status": 404 })), 0);
        assert_eq!(wrong(json!({ "ok": true, "code": null, "next": null })), 0);
        assert_eq!(wrong(json!({ "ok": 1 })), 2);
        assert_eq!(wrong(json!({ "ok": true, "code": "HOLM-12", "next": [1], "status": 12 })), 3);
        assert_eq!(wrong(json!([])), 1);
        assert_eq!(faults(&description, &json!({ "minItems": 1 }), &json!([])), ["$: the keyword `minItems` is not checked"]);
    }
}
