//! What compares alike, what does not, and what nobody can say.

use proptest::prelude::*;

use super::*;

fn id(text: &str) -> DifferenceId {
    text.parse().unwrap()
}

/// What a server has, of one thing: `?` nobody can say, `-` nothing.
fn value(word: &str) -> Value {
    match word {
        "?" => Value::Unknown("it may not be read".to_owned()),
        "-" => Value::Nothing,
        word => Value::known(word),
    }
}

fn server(cluster: &str, has: &[(&str, &str)]) -> Server {
    let seen = has.iter().map(|(what, word)| (id(what), value(word))).collect();
    Server { cluster: cluster.parse().unwrap(), seen: Ok(seen) }
}

fn silent(cluster: &str) -> Server {
    Server { cluster: cluster.parse().unwrap(), seen: Err("it does not answer".to_owned()) }
}

fn side(environment: &str, servers: Vec<Server>) -> Side {
    Side { environment: environment.parse().unwrap(), servers }
}

/// Servers that each have one value of one thing; `!` is a server that does not answer.
fn of(environment: &str, what: &str, words: &[&str]) -> Side {
    let named = |(number, word): (usize, &&str)| {
        let cluster = format!("{environment}-{number}");
        if *word == "!" { silent(&cluster) } else { server(&cluster, &[(what, word)]) }
    };
    side(environment, words.iter().enumerate().map(named).collect())
}

fn found(here: &Side, there: &Side) -> Vec<(String, &'static str)> {
    compare(here, there).iter().map(|one| (one.id.to_string(), one.outcome.as_str())).collect()
}

#[test]
fn r20_what_one_has_and_the_other_surely_has_not_differs_and_what_nobody_can_say_is_unknown() {
    let cases: &[(&[&str], &[&str], &str)] = &[
        (&["15"], &["15"], ""),
        (&["15"], &["16"], "differs"),
        (&["15", "16"], &["16", "15", "15"], ""),
        (&["15"], &["15", "16"], "differs"),
        (&["15"], &["?"], "unknown"),
        (&["?"], &["?"], "unknown"),
        // It may be 16 that nobody can see.
        (&["15", "?"], &["15", "16"], "unknown"),
        // Whatever that is, nobody has 15 there.
        (&["15", "?"], &["16"], "differs"),
        (&["15", "!"], &["16"], "differs"),
        (&["-"], &["15"], ""),
        (&["-", "15"], &["15"], ""),
    ];
    for (here, there, expected) in cases {
        let outcome = compare(&of("staging", "database.encoding", here), &of("production", "database.encoding", there));
        let outcome: Vec<_> = outcome.iter().filter(|one| one.id.kind() != Kind::ServerSeen).map(|one| one.outcome.as_str()).collect();
        assert_eq!(outcome.concat(), *expected, "{here:?} {there:?}");
    }
}

#[test]
fn r20_a_server_that_does_not_answer_is_named_once_and_so_is_an_environment_without_any() {
    let known = of("staging", "postgresql.major", &["15"]);
    let one_silent = of("production", "postgresql.major", &["15", "!"]);
    assert_eq!(found(&known, &one_silent), [("server.seen/production-1".to_owned(), "unknown")]);
    assert_eq!(found(&known, &side("production", vec![])), [("server.seen/production".to_owned(), "unknown")]);
    let told = &compare(&known, &one_silent)[0];
    assert_eq!((told.here.len(), &told.there[0].1), (0, &Value::Unknown("it does not answer".to_owned())));
    assert!(!told.can_be_waived());
}

#[test]
fn r20_an_extension_that_is_not_listed_is_not_there_and_has_no_version_to_compare() {
    let has = [("extension.available/postgis", "yes"), ("extension.version/postgis", "3.4"), ("extension.trusted/postgis", "no")];
    let here = side("staging", vec![server("staging-1", &has)]);
    let there = side("production", vec![server("production-1", &[])]);
    assert_eq!(found(&here, &there), [("extension.available/postgis".to_owned(), "differs")]);
    assert_eq!(compare(&here, &there)[0].there, [("production-1".parse().unwrap(), Value::known("no"))]);
    // Anything else that nobody looked for is not known.
    let here = of("staging", "database.ctype", &["C"]);
    assert_eq!(found(&here, &there), [("database.ctype".to_owned(), "unknown")]);
}

#[test]
fn r20_a_minor_version_is_told_where_the_major_is_the_same() {
    let of = |environment: &str, major: &str, minor: &str| {
        let name = format!("{environment}-1");
        side(environment, vec![server(&name, &[("postgresql.major", major), ("postgresql.minor", minor)])])
    };
    let here = of("staging", "15", "15.14");
    assert_eq!(found(&here, &of("production", "15", "15.15")), [("postgresql.minor".to_owned(), "differs")]);
    assert_eq!(found(&here, &of("production", "16", "16.2")), [("postgresql.major".to_owned(), "differs")]);
}

#[test]
fn r20_a_waiver_is_for_the_values_that_there_were_on_however_many_servers() {
    let what = "parameter/TimeZone";
    let waived = |here: &[&str], there: &[&str]| compare(&of("staging", what, here), &of("production", what, there))[0].to_waive();
    let first = waived(&["UTC"], &["Europe/Oslo"]);
    assert_eq!(first, (vec![Some("UTC".to_owned())], vec![Some("Europe/Oslo".to_owned())]));
    assert_eq!(first, waived(&["UTC", "UTC"], &["Europe/Oslo", "Europe/Oslo"]));
    assert_ne!(first, waived(&["UTC"], &["Europe/Oslo", "Europe/Paris"]));
    assert_ne!(first, waived(&["UTC"], &["Europe/Oslo", "?"]));
    assert_ne!(first, waived(&["Europe/Oslo"], &["UTC"]));
    // A server that is silent for a while ends no waiver.
    let of_two = |there: &[&str]| compare(&of("staging", what, &["UTC"]), &of("production", what, there));
    let of_parameter = of_two(&["Europe/Oslo", "!"]).into_iter().find(|one| one.id.kind() == Kind::Parameter).unwrap();
    assert_eq!(first, of_parameter.to_waive());
}

#[test]
fn r20_what_may_break_counts_before_what_is_unknown_and_what_only_may_differ_counts_for_nothing() {
    let one = |what: &str, there: &str| compare(&of("staging", what, &["a"]), &of("production", what, &[there]));
    let verdict = |findings: &[Vec<Finding>]| Verdict::of(findings.iter().flatten());
    let (breaks, unknown, differs) = (one("database.ctype", "b"), one("database.encoding", "?"), one("parameter/work_mem", "b"));
    assert_eq!(verdict(&[]), Verdict::Clear);
    assert_eq!(verdict(&[differs.clone(), one("parameter/jit", "?")]), Verdict::Clear);
    assert_eq!(verdict(&[unknown.clone(), differs.clone()]), Verdict::Unknown);
    assert_eq!(verdict(&[differs, unknown, breaks]), Verdict::MayBreak);
}

#[test]
fn r20_every_kind_and_parameter_has_an_id_that_reads_back_and_a_reason() {
    let named = |kind: &Kind| if *kind == Kind::Parameter { "TimeZone" } else { "x" };
    let ids =
        Kind::ALL.iter().map(|kind| if kind.is_named() { format!("{}{}", kind.as_str(), named(kind)) } else { kind.as_str().to_owned() });
    let parameters = parameter::ALL.iter().map(|parameter| format!("parameter/{}", parameter.name));
    for text in ids.chain(parameters) {
        let read = id(&text);
        assert_eq!(read.to_string(), text);
        assert!(read.why().len() > 10 && !read.why().ends_with('.'), "{text}: {}", read.why());
    }
    let mut names: Vec<_> = parameter::ALL.iter().map(|parameter| parameter.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), parameter::ALL.len(), "a parameter twice");
    let long = format!("extension.version/{}", "x".repeat(101));
    for text in [
        "",
        "postgresql",
        "postgresql.major/15",
        "parameter/",
        "parameter/timezone",
        "parameter/port",
        "extension.available/",
        long.as_str(),
    ] {
        assert!(text.parse::<DifferenceId>().is_err(), "{text}");
    }
    assert!("extension.available/a b".parse::<DifferenceId>().is_err() && "extension.available/a\n".parse::<DifferenceId>().is_err());
}

const WHATS: [&str; 6] = [
    "postgresql.major",
    "postgresql.minor",
    "database.migrations",
    "parameter/TimeZone",
    "extension.available/postgis",
    "extension.version/postgis",
];

/// What is said of a server, and whether it is silent.
type Said = (Vec<(&'static str, &'static str)>, bool);

fn servers(environment: &'static str, words: &'static str) -> impl Strategy<Value = Vec<Server>> {
    let has =
        prop::collection::vec((prop::sample::select(WHATS.to_vec()), prop::sample::select(words.split(' ').collect::<Vec<_>>())), 0..6);
    prop::collection::vec((has, prop::bool::weighted(0.2)), 1..4).prop_map(move |each| {
        let one = |(number, (has, is_silent)): (usize, Said)| {
            let name = format!("{environment}-{number}");
            if is_silent && words.contains('?') { silent(&name) } else { server(&name, &has) }
        };
        each.into_iter().enumerate().map(one).collect()
    })
}

/// The same with everything that nobody knew found out to be this.
fn found_out(mut server: Server, word: &str) -> Server {
    let all = || WHATS.iter().map(|what| (id(what), value(word))).collect::<Seen>();
    server.seen = Ok(match server.seen {
        Err(_) => all(),
        Ok(mut seen) => {
            for what in WHATS.map(id) {
                let said = seen.get(&what).cloned().unwrap_or_else(|| what.kind.unsaid());
                if matches!(said, Value::Unknown(_)) {
                    seen.insert(what, value(word));
                }
            }
            seen
        }
    });
    server
}

proptest! {
    #[test]
    fn r20_whichever_is_named_first_the_same_differs(here in servers("staging", "a b ? -"), there in servers("production", "a b ? -")) {
        let (here, there) = (side("staging", here), side("production", there));
        let mut turned = compare(&there, &here);
        for one in &mut turned {
            std::mem::swap(&mut one.here, &mut one.there);
        }
        prop_assert_eq!(compare(&here, &there), turned);
    }

    #[test]
    fn r20_an_environment_never_differs_from_itself_and_what_is_known_whole_is_not_unknown(servers in servers("staging", "a b ? -")) {
        let here = side("staging", servers);
        let found = compare(&here, &here);
        prop_assert!(found.iter().all(|one| one.outcome == Outcome::Unknown), "{:?}", found);
        let known = side("staging", here.servers.iter().cloned().map(|server| found_out(server, "a")).collect());
        prop_assert_eq!(compare(&known, &known), vec![]);
    }

    #[test]
    fn r20_what_differs_goes_on_to_whatever_the_unknown_turns_out_to_be(
        here in servers("staging", "a b ? -"),
        there in servers("production", "a b ? -"),
        word in prop::sample::select(vec!["a", "b", "c"]),
    ) {
        let (here, there) = (side("staging", here), side("production", there));
        let all = |side: &Side| super::Side { environment: side.environment.clone(), servers: side.servers.iter().cloned().map(|one| found_out(one, word)).collect() };
        let then: Vec<_> = compare(&all(&here), &all(&there)).into_iter().map(|one| one.id).collect();
        let other_major = then.contains(&id("postgresql.major"));
        for one in compare(&here, &there).into_iter().filter(|one| one.outcome == Outcome::Differs) {
            let told_by_major = other_major && one.id.kind() == Kind::PostgresqlMinor;
            prop_assert!(then.contains(&one.id) || told_by_major, "{} differed, and does not if what is unknown is {}", one.id, word);
        }
    }
}
