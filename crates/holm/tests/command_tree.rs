//! The command line as a whole: what exists, and what every command promises whether or not a server runs.

#![allow(clippy::unwrap_used, reason = "everything here is a test's, and a test stops at what it did not expect")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Every command that does something, as the words that reach it.
fn leaves() -> Vec<Vec<String>> {
    fn walk(command: &clap::Command, words: &[String], found: &mut Vec<Vec<String>>) {
        let mut below = command.get_subcommands().filter(|below| below.get_name() != "help").peekable();
        if below.peek().is_none() {
            found.push(words.to_vec());
        }
        for command in below {
            walk(command, &[words, &[command.get_name().to_owned()]].concat(), found);
        }
    }
    let mut found = Vec::new();
    walk(&holm::cli::command(), &[], &mut found);
    found
}

fn command_at<'a>(root: &'a clap::Command, words: &[String]) -> &'a clap::Command {
    words.iter().fold(root, |command, word| command.find_subcommand(word).unwrap())
}

/// Files with a certificate and its key.
static CLIENT: LazyLock<(String, String)> = LazyLock::new(|| {
    let certificate = holm_testkit::certificates::Authority::new("x").issue_client("holm");
    let file = |name: &str, text: String| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path.display().to_string()
    };
    (file("command-tree.crt", certificate.pem.clone()), file("command-tree.key", certificate.key_pem()))
});

/// Words that a command cannot do without, made up from what clap says that it wants.
fn required(words: &[String]) -> Vec<String> {
    let root = holm::cli::command();
    let command = command_at(&root, words);
    let mut given: Vec<String> =
        command.get_arguments().filter(|argument| argument.get_id() == "yes").map(|_| "--yes".to_owned()).collect();
    for argument in command.get_arguments().filter(|argument| argument.is_required_set()) {
        given.extend(argument.get_long().map(|long| format!("--{long}")));
        let possible = argument.get_possible_values();
        let made_up = match argument.get_id().as_str() {
            "until" => "2089-03-01",
            "signed_on" => "2026-03-12",
            "file" => concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
            "client_cert" => &CLIENT.0,
            "client_key" => &CLIENT.1,
            _ => "goteborg",
        };
        given.push(possible.first().map_or_else(|| made_up.to_owned(), |value| value.get_name().to_owned()));
    }
    given
}

/// The program, in a directory where no server is found, with nobody to ask.
fn holm(directory: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holm"));
    for variable in ["HOLM_URL", "HOLM_TOKEN", "HOLM_TOKEN_FILE", "HOLM_DIR", "HOLM_ENV"] {
        command.env_remove(variable);
    }
    command.args(words).current_dir(directory).stdin(Stdio::null()).output().unwrap()
}

/// Commands that need no server; `dev` is one itself and is tried elsewhere, and `import` needs one only with `--apply`.
const ALONE: &[&str] = &["import", "init", "serve", "catalog", "completion", "dev", "provider", "version"];

/// Of a noun of which others need one.
const ALONE_OF_A_NOUN: &[&str] = &[
    "residency places",
    "residency profile check",
    "residency profile diff",
    "residency profile list",
    "residency profile show",
    "webhook listen",
];

fn needing_a_server() -> Vec<Vec<String>> {
    let leaves: Vec<_> = leaves()
        .into_iter()
        .filter(|words| !ALONE.contains(&words[0].as_str()) && !ALONE_OF_A_NOUN.contains(&words.join(" ").as_str()))
        .collect();
    assert!(leaves.len() > 10, "{leaves:?}");
    leaves
}

#[test]
fn the_tree_changes_only_on_purpose() {
    let mut tree = String::new();
    for words in leaves() {
        let root = holm::cli::command();
        let command = command_at(&root, &words);
        let mut line = format!("holm {}", words.join(" "));
        for argument in command
            .get_arguments()
            .filter(|argument| !argument.is_global_set() && argument.get_id() != "help" && argument.get_id() != "version")
        {
            let value = argument.get_value_names().map(|names| names.join(" ")).unwrap_or_default();
            let shown = match argument.get_long() {
                Some(long) if argument.get_action().takes_values() => format!("--{long} {value}"),
                Some(long) => format!("--{long}"),
                None => value,
            };
            line += &if argument.is_required_set() { format!(" {shown}") } else { format!(" [{shown}]") };
        }
        tree += &format!("{line}\n");
    }
    insta::assert_snapshot!(tree);
}

#[test]
fn every_command_explains_itself_with_an_example_and_takes_every_global_option() {
    let here = tempfile::tempdir().unwrap();
    for words in leaves() {
        let mut line: Vec<&str> = words.iter().map(String::as_str).collect();
        line.push("--help");
        let output = holm(here.path(), &line);
        let help = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        assert!(help.contains("Examples:\n  ") && help.contains("holm "), "{words:?} has no example:\n{help}");
        for option in ["--output", "--columns", "--dir", "--url", "--token-file", "--quiet"] {
            assert!(help.contains(option), "{words:?} has no {option}");
        }
        assert!(!help.contains("--token "), "a token among the arguments is in every list of processes");
    }
}

#[test]
fn every_command_answers_a_missing_server_in_the_envelope_with_the_command_that_starts_one() {
    let here = tempfile::tempdir().unwrap();
    for words in needing_a_server().into_iter().filter(|words| words[0] != "doctor") {
        let given = required(&words);
        for format in ["json", "jsonl", "yaml"] {
            let mut line: Vec<&str> = words.iter().chain(&given).map(String::as_str).collect();
            line.extend(["-o", format]);
            let output = holm(here.path(), &line);
            let text = String::from_utf8(output.stdout).unwrap();
            let value: Value =
                if format == "yaml" { serde_yaml_ng::from_str(&text).unwrap() } else { serde_json::from_str(&text).unwrap() };
            assert_eq!((&value["ok"], &value["data"], &value["operation"]), (&false.into(), &Value::Null, &Value::Null), "{line:?}");
            assert_eq!(value["error"]["code"], "HOLM-7003", "{line:?}");
            assert_eq!(value["error"]["next"][0], "start one here: `holm dev --demo`");
            assert_eq!(output.status.code(), Some(1), "{line:?}");
            assert!(String::from_utf8(output.stderr).unwrap().starts_with("HOLM-7003  no Holm server was found\n  why: "), "{line:?}");
        }
    }
}

/// Whether it is the published envelope of a failure.
fn is_failure(envelope: &Value, said: &str) {
    static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| serde_json::to_value(holm_api::openapi()).unwrap());
    let faults = holm_testkit::json_schema::faults(&DESCRIPTION, &DESCRIPTION["components"]["schemas"]["Failure"], envelope);
    assert!(faults.is_empty(), "{said}: {faults:#?}\n{envelope}");
}

/// The story: the server is down, and the script that asks it reads JSON.
#[test]
fn every_command_answers_a_server_that_is_stopped_in_the_published_envelope() {
    let here = tempfile::tempdir().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let token = here.path().join("token");
    fs::write(&token, "a-token-of-this-test-0123456789").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let server = ["--url".to_owned(), format!("http://{closed}"), "--token-file".to_owned(), token.display().to_string()];
    for words in needing_a_server().into_iter().filter(|words| words[0] != "doctor") {
        let given = required(&words);
        let mut line: Vec<&str> = words.iter().chain(&given).chain(&server).map(String::as_str).collect();
        line.extend(["-o", "json"]);
        let output = holm(here.path(), &line);
        let value: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{line:?}: {error}: {output:?}"));
        is_failure(&value, &format!("{line:?}"));
        assert_eq!((&value["error"]["code"], output.status.code()), (&"HOLM-7003".into(), Some(1)), "{line:?}: {value}");
    }
}

#[test]
fn every_command_answers_a_wrong_argument_in_the_published_envelope() {
    let here = tempfile::tempdir().unwrap();
    for words in leaves() {
        let mut line: Vec<&str> = words.iter().map(String::as_str).collect();
        line.extend(["--nonsense", "-o", "json"]);
        let output = holm(here.path(), &line);
        let value: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{line:?}: {error}: {output:?}"));
        is_failure(&value, &format!("{line:?}"));
        assert_eq!((output.status.code(), &value["error"]["changed"]), (Some(64), &"nothing".into()), "{line:?}");
    }
}

#[test]
fn for_people_a_failure_leaves_stdout_empty() {
    let here = tempfile::tempdir().unwrap();
    for format in ["table", "csv", "name"] {
        let output = holm(here.path(), &["tenant", "list", "-o", format]);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), b"".as_slice()));
        assert!(!output.stderr.contains(&0x1b), "no colour where no terminal reads");
    }
}

#[test]
fn the_doctor_answers_when_nothing_else_does() {
    let here = tempfile::tempdir().unwrap();
    let output = holm(here.path(), &["doctor", "-o", "json"]);
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&value["ok"], &value["data"][0]["verdict"], output.status.code()), (&true.into(), &"bad".into(), Some(1)));
}

#[test]
fn what_cannot_be_undone_is_not_done_unasked_and_nobody_is_waited_for() {
    let here = tempfile::tempdir().unwrap();
    let output = holm(here.path(), &["credential", "revoke", "reports", "--env", "production", "-o", "json"]);
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&value["error"]["code"], output.status.code()), (&"HOLM-1009".into(), Some(5)));
}

#[test]
fn a_wrong_command_line_is_64_and_a_program_still_gets_its_envelope() {
    let here = tempfile::tempdir().unwrap();
    let check = |line: &[&str], code: &str, what: &str| {
        let output = holm(here.path(), line);
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), &value["error"]["code"]), (Some(64), &code.into()), "{line:?}");
        assert!(value["error"]["what"].as_str().unwrap().contains(what), "{value}");
    };
    check(&["tenant", "create", "x", "-o", "json"], "HOLM-1001", "--env <ENVIRONMENT>");
    check(&["tenant", "list", "--nonsense", "-o", "json"], "HOLM-1002", "--nonsense");
    check(&["tenant", "explode", "--output=json"], "HOLM-1001", "explode");
    check(&["tenant", "create", "x", "--env", "e", "--timeout", "61", "-ojson"], "HOLM-1001", "61");
    check(&["tenant", "create", "x", "--env", "e", "--set", "work_mem", "-ojson"], "HOLM-1001", "name=value");
    check(&["env", "print", "--env", "e", "--prefix", "A B", "-ojson"], "HOLM-1001", "A B");
    let bare = holm(here.path(), &[]);
    assert_eq!((bare.status.code(), bare.stdout.is_empty()), (Some(64), true));
}

#[test]
fn the_version_is_told_in_every_format_without_a_server() {
    let here = tempfile::tempdir().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(holm(here.path(), &["--version"]).stdout, format!("holm {version}\n").into_bytes());
    assert_eq!(holm(here.path(), &["version"]).stdout, format!("holm {version}\n").into_bytes());
    assert_eq!(holm(here.path(), &["version", "-o", "name"]).stdout, format!("{version}\n").into_bytes());
    let value: Value = serde_json::from_slice(&holm(here.path(), &["version", "-o", "json"]).stdout).unwrap();
    assert_eq!(value["data"]["version"], version);
}

#[test]
fn every_shell_gets_a_script_that_knows_every_command() {
    let here = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let output = holm(here.path(), &["completion", shell]);
        let script = String::from_utf8(output.stdout).unwrap();
        for word in leaves().concat() {
            assert!(script.contains(&word), "{shell} does not know {word}");
        }
    }
    let bash = holm(here.path(), &["completion", "bash"]).stdout;
    fs::write(here.path().join("script"), bash).unwrap();
    let checked = Command::new("bash").args(["-n", "script"]).current_dir(here.path()).status().unwrap();
    assert!(checked.success(), "bash reads its script");
}

#[test]
fn a_reader_that_stops_reading_is_no_error() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holm"));
    let mut child = command.args(["completion", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
}

#[test]
fn a_full_disk_is_told_and_is_not_success() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_holm")).args(["completion", "bash"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot be written to stdout"));
}

#[test]
fn nobody_waits_for_the_first_byte() {
    // The least of several runs: the machine may be busy with other tests, the program may not.
    let here = tempfile::tempdir().unwrap();
    let took = |_| {
        let began = Instant::now();
        holm(here.path(), &["tenant", "list"]);
        began.elapsed()
    };
    let least = (0..10).map(took).min().unwrap();
    assert!(least < Duration::from_millis(100), "{least:?}");
}
