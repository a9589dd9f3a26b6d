//! Every command in every format; a new command without a line here fails.

use std::sync::OnceLock;

use serde_json::Value;

use crate::installation::{WHOLE, fresh, holm, in_catalog, installation, json, ok, program};

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

/// The operation that deletes a tenant, with a month's grace; it rests.
fn deletion(slug: &str) -> String {
    let said = ok(&["tenant", "delete", slug, "--env", "production", "--confirm", slug, "-o", "json"]);
    serde_json::from_str::<Value>(&said).unwrap()["operation"].as_str().unwrap().to_owned()
}

fn created() -> String {
    let slug = fresh("tenant");
    ok(&["tenant", "create", &slug, "--env", "production", "--timeout", "60"]);
    slug
}

/// An operation that rests, for what leaves it where it is.
fn resting() -> &'static str {
    static ONE: OnceLock<String> = OnceLock::new();
    ONE.get_or_init(|| deletion(&created()))
}

/// One that is over and did what it was for.
fn over() -> &'static str {
    static ONE: OnceLock<String> = OnceLock::new();
    ONE.get_or_init(|| {
        let slug = created();
        let said = ok(&["tenant", "delete", &slug, "--env", "production", "--confirm", &slug, "--grace", "0", "-o", "name"]);
        said.trim().to_owned()
    })
}

/// A tenant that is deleted and brought back again and again.
fn comes_back() -> &'static str {
    static ONE: OnceLock<String> = OnceLock::new();
    ONE.get_or_init(created)
}

/// A tenant that is copied again and again.
fn copied() -> &'static str {
    static ONE: OnceLock<String> = OnceLock::new();
    ONE.get_or_init(created)
}

/// A tenant with an end. None begins with one in production, and this installation has a cluster nowhere else.
fn ending() -> &'static str {
    static ONE: OnceLock<String> = OnceLock::new();
    ONE.get_or_init(|| {
        let slug = created();
        in_catalog(&format!("UPDATE tenant SET expires_at = now() + interval '1 day' WHERE slug = '{slug}'"));
        slug
    })
}

/// A line that succeeds, with what must be there first; `None` for what runs until it is stopped or becomes another program.
#[allow(clippy::too_many_lines, reason = "one line for each command is what it is")]
fn line(words: &str) -> Option<String> {
    let production = "--env production";
    Some(match words {
        "tenant create" => format!("tenant create {} {production} --set work_mem=8MB --cluster production-1 --timeout 60", fresh("made")),
        "tenant list" | "tenant url" | "tenant show" | "tenant pause" | "tenant suspend" | "tenant resume" if words != "tenant list" => {
            let slug = fresh("tenant");
            ok(&["tenant", "create", &slug, "--env", "production", "--timeout", "60"]);
            format!("{words} {slug} {production}")
        }
        "tenant delete" => {
            let (deleted, slug) = (holm(&["tenant", "undelete", comes_back(), "--env", "production"]), comes_back());
            assert!(matches!(deleted.status.code(), Some(0 | 1)), "{deleted:?}");
            format!("tenant delete {slug} {production} --confirm {slug} --reason done --grace 30d")
        }
        "tenant undelete" => {
            let slug = comes_back();
            if json(&["tenant", "show", slug, "--env", "production"]).1["data"]["state"] != "deleted" {
                deletion(slug);
            }
            format!("tenant undelete {slug} {production}")
        }
        "op list" => "op list --env production --limit 5".to_owned(),
        "op show" | "op events" | "op pause" | "op resume" | "op retry" => format!("{words} {}", resting()),
        "op watch" => format!("op watch {}", over()),
        "op cancel" => format!("op cancel {} --reason mistake", deletion(&created())),
        "op proceed" => format!("op proceed {}", deletion(&created())),
        "op abandon" => format!("op abandon {} --reason test --yes", deletion(&created())),
        "credential create" => format!("credential create {} {production} --level ro", fresh("made")),
        "credential revoke" => {
            let name = fresh("gone");
            ok(&["credential", "create", &name, "--env", "production"]);
            format!("credential revoke {name} {production} --yes")
        }
        "credential rotate" => {
            let name = fresh("rotated");
            ok(&["credential", "create", &name, "--env", "production"]);
            format!("{words} {name} {production} --overlap 1h")
        }
        "tenant rename" => format!("{words} {} {} {production}", created(), fresh("renamed")),
        "tenant copy" => format!("{words} {} {} {production} --cluster production-1 --reason test", copied(), fresh("copy")),
        "tenant extend" => format!("{words} {} {production} --ttl 2d", ending()),
        "tenant limits" => format!("{words} {} {production} --min 1 --max 5 --weight 2", created()),
        "tenant rotate-roles" => format!("{words} {} {production}", created()),
        // Switching it on twice is once; others of these tests delete tenants.
        "env require-approval" => format!("{words} cluster.remove --env staging"),
        "credential list" | "env print" => format!("{words} {production}"),
        "access whoami" | "access principal list" | "access token list" | "access break-glass list" => words.to_owned(),
        "approval list" => {
            asked_by_another();
            words.to_owned()
        }
        "access principal create" => format!("{words} {}", fresh("made")),
        "access principal disable" => format!("{words} {} --yes", principal()),
        "access role list" => format!("{words} test"),
        "access role grant" => format!("{words} {} viewer {production} --hours 1", principal()),
        "access role revoke" => {
            let name = principal();
            ok(&["access", "role", "grant", &name, "viewer"]);
            format!("{words} {name} viewer")
        }
        "access token create" => format!("{words} {} --for test --role viewer --hours 1", fresh("token")),
        "access token revoke" => {
            let (_, made) = json(&["access", "token", "create", "gone", "--for", "test"]);
            format!("{words} {} --yes", made["data"]["token"]["id"].as_str().unwrap())
        }
        "access break-glass open" => format!("{words} {production} --reason test --minutes 1"),
        "access break-glass close" => {
            let (_, open) = json(&["access", "break-glass", "open", "--env", "production", "--reason", "test"]);
            format!("{words} {}", open["data"]["id"].as_str().unwrap())
        }
        "approval request" => format!("{words} tenant.delete --hash {} --reason test {production}", "ab".repeat(32)),
        "approval approve" | "approval reject" => format!("{words} {}", asked_by_another()),
        "webhook list" => words.to_owned(),
        "webhook create" => format!("{words} {} http://127.0.0.1:1/ --allow-private --action key.rotate", fresh("made")),
        "webhook deliveries" | "webhook rotate" | "webhook delete" => {
            let name = webhook(1);
            format!("{words} {name}{}", if words == "webhook delete" { " --yes" } else { "" })
        }
        // They need a receiver that answers: see `stories.rs`.
        "webhook test" | "webhook replay" => return None,
        "node list" => {
            lost_node();
            words.to_owned()
        }
        "node add" => format!("{words} {} --key-file {}", fresh("carrier"), fresh_file()),
        "node keys" => {
            let_in();
            words.to_owned()
        }
        "node remove" => format!("{words} {} --yes", let_in()),
        "node forget" => format!("{words} {} --yes", lost_node()),
        "audit search" => format!("{words} --action token.issue --limit 3"),
        "audit export" | "audit verify" | "audit checkpoint" => words.to_owned(),
        // The master key of this installation is given, so that there is no other to rotate to: see `tests/keys.rs`.
        "cluster show" => "cluster show production-1".to_owned(),
        "fleet statistics" => format!("{words} {production} --purpose capacity --by region"),
        "fleet top" => format!("{words} {production} --limit 5"),
        "import pgbouncer" => format!("{words} {} {production}", crate::importing::file("every.ini", "[databases]\nmalmo = host=db\n")),
        // Each wants a server of its own: `stories` tells of them.
        "cluster add" | "cluster drain" | "cluster remove" | "cluster set-server" | "cluster set-client-cert" | "tenant adopt" => {
            return None;
        }
        "cluster remove-client-cert" => format!("{words} production-1 {production}"),
        "cluster set-place" => {
            in_oslo();
            format!("{words} production-1 {production} --provider nordavind --region no-osl")
        }
        "residency where" | "residency explain" | "residency decision" | "residency certificate" => {
            format!("{words} {} {production}", in_oslo())
        }
        "residency matrix" => format!("{words} --profile {}", in_force()),
        "residency what-if" => {
            in_oslo();
            format!("{words} region:nordavind/no-osl.countries=[\"US\"] {production}")
        }
        "residency breach-scope" => {
            in_oslo();
            format!("{words} production-1")
        }
        "residency report sub-processors" | "residency report record" => {
            in_oslo();
            format!("{words} {production}")
        }
        "residency profile add" => format!("{words} eea-jurisdiction"),
        "residency profile in-force" => words.to_owned(),
        // Both want a second server: see `env_parity.rs`.
        "env parity show" | "env parity waive" => return None,
        "env parity waivers" => {
            waiver();
            format!("{words} --env staging")
        }
        "env parity revoke" => format!("{words} {} --yes", waiver()),
        "env profile" => format!("{words} {production}"),
        // Nobody is made there by these tests.
        "env set-profile" => format!("{words} --env staging --profile {}", in_force()),
        "tenant set-profile" => format!("{words} {} {production} --profile {} --in-breach", created(), in_force()),
        "cluster rotate-roles" => format!("{words} production-1 {production}"),
        // They stand beside any server.
        "init" | "serve" | "catalog backup" | "catalog restore" => return None,
        "dev" | "tenant psql" | "key rotate" | "webhook listen" => return None,
        "tenant list" | "env list" | "cluster list" | "key list" | "key rewrap" | "doctor" | "version" => words.to_owned(),
        "completion" => "completion fish".to_owned(),
        "provider list" | "residency profile list" => words.to_owned(),
        "provider show" => "provider show scalingo".to_owned(),
        "provider compare" => "provider compare scalingo railway fly vercel".to_owned(),
        "residency facts add" => format!("{words} {}", facts_file(&fresh("known"))),
        "residency facts list" => {
            facts_in_force();
            words.to_owned()
        }
        "residency facts remove" => format!("{words} {} --yes", facts_in_force()),
        "residency paper add" => format!("{words} dpa --with scalingo-sas --signed-on 2026-03-12 --env staging"),
        "residency paper list" => {
            paper();
            words.to_owned()
        }
        "residency paper remove" => format!("{words} {} --yes", paper()),
        "residency copy add" => format!("{words} cache {} --provider scalingo --region osc-fr1 --env preview", fresh("kept")),
        "residency copy list" => {
            registered();
            format!("{words} --env preview")
        }
        "residency copy remove" => format!("{words} {} --env preview --yes", registered()),
        "residency exception grant" => {
            format!(
                "{words} {} {production} --copy primary --rule control.affiliates --owner dpo --reason r --measure m --until 2089-03-01",
                copied()
            )
        }
        "residency exception list" => {
            exception();
            format!("{words} {production}")
        }
        "residency exception revoke" => format!("{words} {} --yes", exception()),
        "residency places" => format!("{words} --profile unrestricted --database railway --bucket railway"),
        "residency profile show" | "residency profile check" => format!("{words} eea-jurisdiction"),
        "residency profile diff" => format!("{words} eea-jurisdiction eea-region-adequate"),
        other => panic!("`holm {other}` has no line in this test"),
    })
}

/// A profile that counts.
fn in_force() -> &'static str {
    ok(&["residency", "profile", "add", "eea-jurisdiction"]);
    "eea-jurisdiction"
}

/// A tenant that is judged, and allowed.
fn in_oslo() -> &'static str {
    static ONE: OnceLock<String> = OnceLock::new();
    ONE.get_or_init(|| {
        crate::residency_answers::a_place_that_is_allowed();
        let slug = fresh("tenant");
        ok(&["tenant", "create", &slug, "--env", "production", "--profile", in_force(), "--cluster", "production-1", "--timeout", "60"]);
        slug
    })
}

/// A webhook that nobody listens to.
fn webhook(port: u16) -> String {
    let name = fresh("hook");
    ok(&["webhook", "create", &name, &format!("http://127.0.0.1:{port}/"), "--allow-private", "--action", "key.rotate"]);
    name
}

/// A file of facts that nothing rests on.
fn facts_file(name: &str) -> String {
    crate::records::file(&format!("{name}.toml"), &crate::records::company(name)).display().to_string()
}

/// Facts that nothing rests on, in force.
fn facts_in_force() -> String {
    let name = fresh("known");
    ok(&["residency", "facts", "add", &facts_file(&name)]);
    name
}

/// A paper that nothing rests on.
fn paper() -> String {
    ok(&["residency", "paper", "add", "dpa", "--with", "scalingo-sas", "--signed-on", "2026-03-12", "--env", "staging", "-o", "name"])
        .trim()
        .to_owned()
}

/// A copy of an environment in which nobody is judged.
fn registered() -> String {
    let name = fresh("kept");
    let what = ["residency", "copy", "add", "cache", &name, "--provider", "scalingo", "--region", "osc-fr1", "--env", "preview"];
    ok(&[&what[..], &["-o", "name"]].concat()).trim().to_owned()
}

/// An exception from a rule that nobody is judged by.
fn exception() -> String {
    let what = ["residency", "exception", "grant", copied(), "--env", "production", "--copy", "primary", "--rule", "control.affiliates"];
    let rest = ["--owner", "dpo", "--reason", "r", "--measure", "m", "--until", "2089-03-01", "-o", "name"];
    ok(&[&what[..], &rest].concat()).trim().to_owned()
}

/// A difference that somebody accepted when there was a server in staging.
fn waiver() -> String {
    let id = uuid::Uuid::new_v4();
    in_catalog(&format!(
        "INSERT INTO parity_waiver (id, environment_id, with_id, difference, values_here, values_there, owner, reason, until)
         SELECT '{id}', e.id, o.id, 'parameter/TimeZone', '[\"UTC\"]', '[null]', 'o', 'r', now() + interval '1 day'
         FROM environment e, environment o WHERE e.name = 'staging' AND o.name = 'production'"
    ));
    id.to_string()
}

/// A process whose machine is gone; it carried nothing, so that nobody waits for it.
fn lost_node() -> String {
    let name = fresh("lost-node");
    in_catalog(&format!(
        "INSERT INTO node (id, name, role, holm_version, schema_version, seen_at)
         VALUES (gen_random_uuid(), '{name}', 'control', '0.0.1', 1, now() - interval '1 hour')"
    ));
    name
}

/// A node that is let in by a key.
fn let_in() -> String {
    let name = fresh("carrier");
    ok(&["node", "add", &name, "--key-file", &fresh_file()]);
    name
}

/// A file that is not there.
fn fresh_file() -> String {
    std::env::temp_dir().join(format!("holm-{}.key", uuid::Uuid::new_v4())).display().to_string()
}

/// A principal that is there.
fn principal() -> String {
    let name = fresh("principal");
    ok(&["access", "principal", "create", &name]);
    name
}

/// A request that is not our own: nobody decides theirs.
fn asked_by_another() -> String {
    let name = principal();
    ok(&["access", "role", "grant", &name, "operator"]);
    let (_, token) = json(&["access", "token", "create", "another", "--for", &name]);
    let mut command = program();
    command.args(["approval", "request", "tenant.delete", "--hash", &"cd".repeat(32), "--reason", "test", "-o", "json"]);
    command.env("HOLM_URL", &installation().url).env("HOLM_TOKEN", token["data"]["secret"].as_str().unwrap());
    let said: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    said["data"]["id"].as_str().unwrap_or_else(|| panic!("{said}")).to_owned()
}

fn succeeded(envelope: &Value, said: &str, with_operation: bool) {
    let members: Vec<_> = envelope.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["data", "error", "ok", "operation"], "{said}");
    assert_eq!((&envelope["ok"], &envelope["error"]), (&true.into(), &Value::Null), "{said}");
    assert_eq!(envelope["operation"].is_string(), with_operation, "{said}");
    assert!(!envelope["data"].is_null(), "{said}");
}

#[test]
fn every_command_answers_in_every_format_and_programs_can_read_what_they_asked_for() {
    let _whole = WHOLE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut commands = Vec::new();
    leaves(&holm::cli::command(), "", &mut commands);
    assert!(commands.len() > 15, "{commands:?}");
    for command in commands {
        for format in ["json", "jsonl", "yaml", "csv", "name", "table"] {
            let Some(line) = line(&command) else { continue };
            let words: Vec<&str> = line.split(' ').chain(["-o", format]).collect();
            let said = ok(&words);
            // A list in which there is nothing yet is no line in formats that have a line for each.
            let nothing_yet = command == "webhook deliveries" && said.is_empty() && matches!(format, "jsonl" | "name");
            assert!(said.ends_with('\n') || nothing_yet, "{words:?}: {said}");
            let with_operation = match command.as_str() {
                "op list" | "op events" => false,
                "tenant copy" | "tenant delete" | "tenant rename" | "credential rotate" => true,
                other => other.starts_with("op ") || other.ends_with(" rotate-roles"),
            };
            match format {
                "json" => succeeded(&serde_json::from_str(&said).unwrap(), &said, with_operation),
                "yaml" => succeeded(&serde_yaml_ng::from_str(&said).unwrap(), &said, with_operation),
                "jsonl" => said.lines().for_each(|line| succeeded(&serde_json::from_str(line).unwrap(), line, with_operation)),
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

/// Each names something that is nowhere.
const NOWHERE: &[&str] = &[
    "tenant show nobody --env production",
    "tenant url nobody --env production",
    "tenant psql nobody --env production",
    "tenant pause nobody --env production",
    "tenant suspend nobody --env production",
    "tenant resume nobody --env production",
    "tenant create made --env nowhere",
    "tenant delete nobody --env production --confirm nobody",
    "tenant delete nobody --env nowhere",
    "tenant undelete nobody --env production",
    "tenant copy nobody copy --env production",
    "tenant extend nobody --env production --ttl 1h",
    "tenant limits nobody --env production --max 5",
    "op show op_018f3e5c2d7a7b3c9d4e5f60718293a4",
    "op watch op_018f3e5c2d7a7b3c9d4e5f60718293a4",
    "op events op_018f3e5c2d7a7b3c9d4e5f60718293a4",
    "op pause op_018f3e5c2d7a7b3c9d4e5f60718293a4",
    "op cancel op_018f3e5c2d7a7b3c9d4e5f60718293a4",
    "op abandon op_018f3e5c2d7a7b3c9d4e5f60718293a4 --reason x --yes",
    "op list --env nowhere --tenant nobody",
    "tenant create made --env production --cluster nowhere",
    "tenant list --env nowhere",
    "fleet top --env nowhere",
    "fleet statistics --env nowhere --purpose capacity",
    "cluster list --env nowhere",
    "cluster show nowhere",
    "residency where nobody --env production",
    "residency explain nobody --env production",
    "residency decision nobody --env production",
    "residency certificate nobody --env production",
    "residency matrix --profile nobodys",
    "residency places --env nowhere",
    "residency places --env production --profile nobodys",
    "residency breach-scope nowhere",
    "residency report record --env nowhere",
    "residency report sub-processors --env nowhere",
    "cluster set-server nowhere --env production --server postgresql://holm:x@127.0.0.1:1",
    "cluster remove-client-cert nowhere --env production",
    "cluster drain nowhere --env production",
    "cluster drain production-1 --env nowhere",
    "cluster remove nowhere --env production --yes",
    "cluster remove nowhere --env production --abandon --confirm nowhere",
    "env parity show --env nowhere --with production",
    "env parity show --env production --with nowhere",
    "env parity waive postgresql.major --env nowhere --with production --owner o --reason r --until 2089-03-01",
    "env parity waive postgresql.major --env production --with nowhere --owner o --reason r --until 2089-03-01",
    "env parity waivers --env nowhere",
    "env parity revoke 0192f3a1-7c11-7000-8000-000000000000 --yes",
    "env print --env nowhere",
    "env print --env production --tenant nobody",
    "credential create made --env nowhere",
    "credential create made --env production --tenant nobody",
    "credential list --env nowhere",
    "credential revoke nobody --env production --yes",
    "access principal disable nobody --yes",
    "access role list nobody",
    "access role grant nobody viewer",
    "access role revoke test viewer --env production",
    "access token create x --for nobody",
    "access token revoke tok_00000000000000000000000000000000 --yes",
    "access break-glass open --env nowhere --reason test",
    "access break-glass close brk_00000000000000000000000000000000",
    "residency facts remove nowhere --yes",
    "residency copy remove log-nowhere --env preview --yes",
    "residency copy add log nowhere --provider scalingo --region osc-fr1 --env nowhere",
    "residency copy list --env nowhere",
    "residency paper remove 0192f3a1-7c11-7000-8000-000000000000 --yes",
    "residency paper add dpa --with scalingo-sas --signed-on 2026-03-12 --env nowhere",
    "residency exception revoke 0192f3a1-7c11-7000-8000-000000000000 --yes",
    "residency exception list --env nowhere",
    "residency exception list --env production --tenant nobody",
    "residency exception grant nobody --env production --copy primary --rule control.laws --owner o --reason r --measure m --until 2089-03-01",
    "webhook delete nobody --yes",
    "webhook rotate nobody",
    "webhook test nobody",
    "webhook deliveries nobody",
    "webhook replay nobody msg_00000000000000000000000000000000",
    "approval approve apr_00000000000000000000000000000000",
    "approval reject apr_00000000000000000000000000000000",
];

#[test]
fn every_command_that_names_something_says_6_when_it_is_not_there() {
    for line in NOWHERE {
        let (exit, envelope) = json(&line.split(' ').collect::<Vec<_>>());
        assert_eq!((exit, &envelope["error"]["changed"]), (6, &"nothing".into()), "{line}: {envelope}");
        assert!(envelope["error"]["next"][0].is_string(), "{line} leaves nothing to do: {envelope}");
    }
}
