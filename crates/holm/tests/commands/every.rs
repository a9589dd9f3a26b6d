//! Every command in every format; a new command without a line here fails.

use serde_json::Value;

use crate::installation::{fresh, json, ok};

/// Every command that does something, as the words that reach it.
fn leaves(command: &clap::Command, words: &str, found: &mut Vec<String>) {
    let mut below = command.get_subcommands().filter(|below| below.get_name() != "help").peekable();
    if below.peek().is_none() {
        found.push(words.trim().to_owned());
    }
    for command in below {
        leaves(command, &format!("{words} {}", command.get_name()), found);
    }
}

/// A line that succeeds, with what must be there first; `None` for what runs until it is stopped or becomes another program.
fn line(words: &str) -> Option<String> {
    let production = "--env production";
    Some(match words {
        "tenant create" => format!("tenant create {} {production} --set work_mem=8MB --cluster production-1 --timeout 60", fresh("made")),
        "tenant list" | "tenant url" | "tenant show" | "tenant suspend" | "tenant resume" if words != "tenant list" => {
            let slug = fresh("tenant");
            ok(&["tenant", "create", &slug, "--env", "production", "--timeout", "60"]);
            format!("{words} {slug} {production}")
        }
        "credential create" => format!("credential create {} {production} --level ro", fresh("made")),
        "credential revoke" => {
            let name = fresh("gone");
            ok(&["credential", "create", &name, "--env", "production"]);
            format!("credential revoke {name} {production} --yes")
        }
        "credential list" | "env print" => format!("{words} {production}"),
        "tenant list" | "env list" | "cluster list" | "doctor" | "version" => words.to_owned(),
        "completion" => "completion fish".to_owned(),
        "dev" | "tenant psql" => return None,
        other => panic!("`holm {other}` has no line in this test"),
    })
}

fn succeeded(envelope: &Value, said: &str) {
    let members: Vec<_> = envelope.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["data", "error", "ok", "operation"], "{said}");
    assert_eq!((&envelope["ok"], &envelope["error"], &envelope["operation"]), (&true.into(), &Value::Null, &Value::Null), "{said}");
    assert!(!envelope["data"].is_null(), "{said}");
}

#[test]
fn every_command_answers_in_every_format_and_programs_can_read_what_they_asked_for() {
    let mut commands = Vec::new();
    leaves(&holm::cli::command(), "", &mut commands);
    assert!(commands.len() > 15, "{commands:?}");
    for command in commands {
        for format in ["json", "jsonl", "yaml", "csv", "name", "table"] {
            let Some(line) = line(&command) else { continue };
            let words: Vec<&str> = line.split(' ').chain(["-o", format]).collect();
            let said = ok(&words);
            assert!(said.ends_with('\n'), "{words:?}: {said}");
            match format {
                "json" => succeeded(&serde_json::from_str(&said).unwrap(), &said),
                "yaml" => succeeded(&serde_yaml_ng::from_str(&said).unwrap(), &said),
                "jsonl" => said.lines().for_each(|line| succeeded(&serde_json::from_str(line).unwrap(), line)),
                "csv" => {
                    let mut reader = csv::Reader::from_reader(said.as_bytes());
                    assert!(!reader.headers().unwrap().is_empty());
                    assert!(reader.records().all(|record| record.is_ok()), "{said}");
                }
                "name" => assert!(said.lines().all(|line| !line.is_empty() && !line.contains('\t')), "{said}"),
                _ => assert!(!said.contains('\u{1b}'), "{said}"),
            }
        }
    }
}

#[test]
fn every_command_that_names_something_says_6_when_it_is_not_there() {
    for line in [
        "tenant show nobody --env production",
        "tenant url nobody --env production",
        "tenant psql nobody --env production",
        "tenant suspend nobody --env production",
        "tenant resume nobody --env production",
        "tenant create made --env nowhere",
        "tenant create made --env production --cluster nowhere",
        "tenant list --env nowhere",
        "cluster list --env nowhere",
        "env print --env nowhere",
        "env print --env production --tenant nobody",
        "credential create made --env nowhere",
        "credential create made --env production --tenant nobody",
        "credential list --env nowhere",
        "credential revoke nobody --env production --yes",
    ] {
        let (exit, envelope) = json(&line.split(' ').collect::<Vec<_>>());
        assert_eq!((exit, &envelope["error"]["changed"]), (6, &"nothing".into()), "{line}: {envelope}");
        assert!(envelope["error"]["next"][0].is_string(), "{line} leaves nothing to do: {envelope}");
    }
}
