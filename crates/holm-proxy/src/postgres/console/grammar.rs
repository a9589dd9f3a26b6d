//! What is said to the console: a command, and what it is about.
//!
//! Promises: total; every text is a [`Command`] or a [`Complaint`], and none makes it panic or take longer than its length. As in
//! PgBouncer words are of either case, names may be quoted, one command to a query, a semicolon at the end if one likes.
//! Comments are passed over, which some tools begin with. Refuses to know whether a tenant is there, or who asks.

use super::rights::Verb;

/// One command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Command {
    pub(super) verb: Verb,
    /// What it is about: a database, a client's number, the name of a parameter.
    pub(super) about: Option<String>,
}

/// Why a text is no command.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Complaint {
    #[error("a quote or a comment has no end")]
    Open,
    #[error("one command to a query, and here are more")]
    Several,
    #[error("there is no command `{0}`")]
    Unknown(String),
    #[error("`SHOW {0}` is not there")]
    NotShown(String),
    #[error("`{0}` is about one database, and says which: `{0} <database>`")]
    WhichDatabase(Verb),
    #[error("`KILL_CLIENT` is about one client, by the number in the column `id` of `SHOW CLIENTS`")]
    WhichClient,
    #[error("`SET` is about one parameter: `SET <parameter> = <value>`")]
    WhichParameter,
    #[error("`{0}` has words behind it that mean nothing")]
    More(Verb),
}

/// A word, and whether it was quoted; or a sign that stands alone.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    Word(String),
    Quoted(String),
    Sign(char),
    End,
}

/// What SHOW shows besides parameters.
const SHOWN: [(&str, Verb); 15] = [
    ("help", Verb::ShowHelp),
    ("version", Verb::ShowVersion),
    ("config", Verb::ShowConfig),
    ("databases", Verb::ShowDatabases),
    ("pools", Verb::ShowPools),
    ("clients", Verb::ShowClients),
    ("servers", Verb::ShowServers),
    ("stats", Verb::ShowStats),
    ("stats_totals", Verb::ShowStatsTotals),
    ("totals", Verb::ShowTotals),
    ("lists", Verb::ShowLists),
    ("users", Verb::ShowUsers),
    ("state", Verb::ShowState),
    // Spellings that PgBouncer has too.
    ("database", Verb::ShowDatabases),
    ("client", Verb::ShowClients),
];

/// What a session says of itself, in lower case: told in ParameterStatus, and by SHOW.
pub(super) const PARAMETERS: [(&str, &str, &str); 7] = [
    ("server_version", "server_version", super::tables::SERVER_VERSION),
    ("client_encoding", "client_encoding", "UTF8"),
    ("server_encoding", "server_encoding", "UTF8"),
    ("datestyle", "DateStyle", "ISO"),
    ("timezone", "TimeZone", "GMT"),
    ("standard_conforming_strings", "standard_conforming_strings", "on"),
    ("is_superuser", "is_superuser", "off"),
];

/// What drivers set when they connect; nothing here depends on any of it.
const SET_BY_DRIVERS: [&str; 12] = [
    "application_name",
    "bytea_output",
    "client_encoding",
    "client_min_messages",
    "datestyle",
    "extra_float_digits",
    "idle_in_transaction_session_timeout",
    "intervalstyle",
    "search_path",
    "standard_conforming_strings",
    "statement_timeout",
    "timezone",
];

/// How much of a text is said back.
const SAID_BACK_MAX: usize = 60;

/// Reads one query.
///
/// # Errors
/// [`Complaint`], in words for people.
pub(super) fn read(text: &str) -> Result<Command, Complaint> {
    let tokens = tokens(text)?;
    let mut commands = tokens.split(|token| *token == Token::End).filter(|command| !command.is_empty());
    let Some(command) = commands.next() else { return Ok(Command { verb: Verb::Nothing, about: None }) };
    if commands.next().is_some() {
        return Err(Complaint::Several);
    }
    let unknown = || Complaint::Unknown(said_back(text));
    let Some((Token::Word(first), rest)) = command.split_first() else { return Err(unknown()) };
    match first.to_ascii_lowercase().as_str() {
        "show" => show(rest).ok_or_else(|| Complaint::NotShown(said_back(&name_of(rest)))),
        "select" if matches!(rest, [Token::Word(one)] if one == "1") => Ok(Command { verb: Verb::SelectOne, about: None }),
        "set" => set(rest),
        "discard" if matches!(rest, [Token::Word(all)] if all.eq_ignore_ascii_case("all")) => {
            Ok(Command { verb: Verb::DiscardAll, about: None })
        }
        "pause" => on_database(Verb::Pause, rest).and_then(named),
        "resume" => on_database(Verb::Resume, rest).and_then(named),
        "kill" => on_database(Verb::Kill, rest).and_then(named),
        "reconnect" => on_database(Verb::Reconnect, rest),
        "wait_close" => on_database(Verb::WaitClose, rest),
        "kill_client" => kill_client(rest),
        "reload" => elsewhere(Verb::Reload),
        // With words behind it that say when.
        "shutdown" => elsewhere(Verb::Shutdown),
        "suspend" => elsewhere(Verb::Suspend),
        "disable" => elsewhere(Verb::Disable),
        "enable" => elsewhere(Verb::Enable),
        _ => Err(unknown()),
    }
}

const fn elsewhere(verb: Verb) -> Result<Command, Complaint> {
    Ok(Command { verb, about: None })
}

fn show(rest: &[Token]) -> Option<Command> {
    // `SHOW TIME ZONE` is how libraries ask for the parameter `timezone`.
    if let [Token::Word(time), Token::Word(zone)] = rest
        && time.eq_ignore_ascii_case("time")
        && zone.eq_ignore_ascii_case("zone")
    {
        return Some(Command { verb: Verb::ShowParameter, about: Some("timezone".to_owned()) });
    }
    let [Token::Word(name) | Token::Quoted(name)] = rest else { return None };
    let name = name.to_ascii_lowercase();
    let shown = SHOWN.iter().find(|(known, _)| *known == name).map(|(_, verb)| Command { verb: *verb, about: None });
    shown.or_else(|| {
        let known = PARAMETERS.iter().any(|(known, ..)| *known == name);
        known.then_some(Command { verb: Verb::ShowParameter, about: Some(name) })
    })
}

fn set(rest: &[Token]) -> Result<Command, Complaint> {
    let rest = match rest.split_first() {
        Some((Token::Word(how), rest)) if ["session", "local"].iter().any(|word| how.eq_ignore_ascii_case(word)) => rest,
        _ => rest,
    };
    let name = match rest {
        [Token::Word(time), Token::Word(zone), ..] if time.eq_ignore_ascii_case("time") && zone.eq_ignore_ascii_case("zone") => "timezone",
        [Token::Word(name) | Token::Quoted(name), ..] => name,
        _ => return Err(Complaint::WhichParameter),
    };
    let name = name.to_ascii_lowercase();
    let verb = if SET_BY_DRIVERS.contains(&name.as_str()) { Verb::SetParameter } else { Verb::SetConfig };
    Ok(Command { verb, about: Some(name) })
}

fn on_database(verb: Verb, rest: &[Token]) -> Result<Command, Complaint> {
    match rest {
        [] => Ok(Command { verb, about: None }),
        // Names of tenants are in lower case, so that folding finds what was meant.
        [Token::Word(name)] => Ok(Command { verb, about: Some(name.to_ascii_lowercase()) }),
        [Token::Quoted(name)] => Ok(Command { verb, about: Some(name.clone()) }),
        _ => Err(Complaint::More(verb)),
    }
}

fn named(command: Command) -> Result<Command, Complaint> {
    if command.about.is_some() { Ok(command) } else { Err(Complaint::WhichDatabase(command.verb)) }
}

fn kill_client(rest: &[Token]) -> Result<Command, Complaint> {
    match rest {
        [Token::Word(number)] if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(Command { verb: Verb::KillClient, about: Some(number.clone()) })
        }
        _ => Err(Complaint::WhichClient),
    }
}

fn name_of(tokens: &[Token]) -> String {
    let word = |token: &Token| match token {
        Token::Word(word) | Token::Quoted(word) => word.clone(),
        Token::Sign(sign) => sign.to_string(),
        Token::End => String::new(),
    };
    tokens.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// As much of a text as is said back, without what a terminal would obey.
pub(super) fn said_back(text: &str) -> String {
    text.chars().take(SAID_BACK_MAX).flat_map(char::escape_debug).collect()
}

fn tokens(text: &str) -> Result<Vec<Token>, Complaint> {
    let (mut tokens, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        rest = match first {
            _ if first.is_ascii_whitespace() => &rest[1..],
            ';' => {
                tokens.push(Token::End);
                &rest[1..]
            }
            '"' | '\'' => {
                let (word, after) = quoted(rest, first)?;
                tokens.push(Token::Quoted(word));
                after
            }
            _ if rest.starts_with("--") => rest.find('\n').map_or("", |end| &rest[end..]),
            _ if rest.starts_with("/*") => comment(rest)?,
            _ if is_of_a_word(first) => {
                let end = rest.find(|c| !is_of_a_word(c)).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..end].to_owned()));
                &rest[end..]
            }
            sign => {
                tokens.push(Token::Sign(sign));
                &rest[sign.len_utf8()..]
            }
        };
    }
    Ok(tokens)
}

/// What tenants' names are of, and PostgreSQL's: `malmo`, `big-band@production`.
const fn is_of_a_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '@' | '.' | '$')
}

/// The text in quotes; two quotes in it are one.
fn quoted(text: &str, quote: char) -> Result<(String, &str), Complaint> {
    let (mut word, mut rest) = (String::new(), &text[1..]);
    loop {
        let (before, after) = rest.split_once(quote).ok_or(Complaint::Open)?;
        word.push_str(before);
        match after.strip_prefix(quote) {
            Some(more) => {
                word.push(quote);
                rest = more;
            }
            None => return Ok((word, after)),
        }
    }
}

/// What follows a comment, which may have others in it.
fn comment(text: &str) -> Result<&str, Complaint> {
    let (mut depth, mut rest) = (0_usize, text);
    loop {
        let at = rest.find(['/', '*']).ok_or(Complaint::Open)?;
        rest = &rest[at..];
        if let Some(inner) = rest.strip_prefix("/*") {
            (depth, rest) = (depth + 1, inner);
        } else if let Some(outer) = rest.strip_prefix("*/") {
            (depth, rest) = (depth - 1, outer);
            if depth == 0 {
                return Ok(rest);
            }
        } else {
            rest = &rest[1..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, verb: Verb, about: Option<&str>) {
        assert_eq!(read(text), Ok(Command { verb, about: about.map(str::to_owned) }), "{text}");
    }

    #[test]
    fn commands_are_read_as_people_and_tools_write_them() {
        check("SHOW POOLS;", Verb::ShowPools, None);
        check("  show\n\tPools ", Verb::ShowPools, None);
        check("SHOW \"pools\"", Verb::ShowPools, None);
        check("/* a dashboard's /* own */ */ SHOW STATS -- every minute", Verb::ShowStats, None);
        check("SHOW STATS_TOTALS;;", Verb::ShowStatsTotals, None);
        check("", Verb::Nothing, None);
        check(" ; ", Verb::Nothing, None);
        check("select 1", Verb::SelectOne, None);
        check("SHOW server_version", Verb::ShowParameter, Some("server_version"));
        check("SHOW TIME ZONE", Verb::ShowParameter, Some("timezone"));
        check("SET extra_float_digits = 3", Verb::SetParameter, Some("extra_float_digits"));
        check("SET SESSION DateStyle TO 'ISO, MDY'", Verb::SetParameter, Some("datestyle"));
        check("SET default_pool_size = 50", Verb::SetConfig, Some("default_pool_size"));
        check("DISCARD ALL", Verb::DiscardAll, None);
        check("PAUSE malmo", Verb::Pause, Some("malmo"));
        check("KILL Big-Band@production;", Verb::Kill, Some("big-band@production"));
        check("KILL \"big\"\"band\"", Verb::Kill, Some("big\"band"));
        check("RECONNECT", Verb::Reconnect, None);
        check("reconnect malmo", Verb::Reconnect, Some("malmo"));
        check("WAIT_CLOSE malmo", Verb::WaitClose, Some("malmo"));
        check("KILL_CLIENT 17", Verb::KillClient, Some("17"));
        check("SHUTDOWN WAIT_FOR_CLIENTS", Verb::Shutdown, None);
        check("RELOAD", Verb::Reload, None);
    }

    #[test]
    fn what_is_no_command_is_said_to_be_none() {
        let no = |text: &str, complaint: Complaint| assert_eq!(read(text), Err(complaint), "{text}");
        no("SHOW POOLS; SHOW LISTS", Complaint::Several);
        no("BEGIN", Complaint::Unknown("BEGIN".to_owned()));
        no("DISCARD PLANS", Complaint::Unknown("DISCARD PLANS".to_owned()));
        no("SELECT pg_sleep(1)", Complaint::Unknown("SELECT pg_sleep(1)".to_owned()));
        no("\"show\" pools", Complaint::Unknown("\\\"show\\\" pools".to_owned()));
        no("SHOW", Complaint::NotShown(String::new()));
        no("SHOW FDS", Complaint::NotShown("FDS".to_owned()));
        no("SHOW POOLS x", Complaint::NotShown("POOLS x".to_owned()));
        no("PAUSE", Complaint::WhichDatabase(Verb::Pause));
        no("KILL", Complaint::WhichDatabase(Verb::Kill));
        no("KILL a b", Complaint::More(Verb::Kill));
        no("KILL_CLIENT", Complaint::WhichClient);
        no("KILL_CLIENT -1", Complaint::WhichClient);
        no("KILL_CLIENT 0x10", Complaint::WhichClient);
        no("SET", Complaint::WhichParameter);
        no("KILL \"malmo", Complaint::Open);
        no("/* SHOW POOLS", Complaint::Open);
    }

    proptest! {
        #[test]
        fn every_text_is_a_command_or_a_complaint(text in "\\PC{0,80}") {
            let _ = read(&text);
        }

        #[test]
        fn texts_that_look_like_commands_are_read_too(text in r#"(show|kill|set|pause|select|;|/\*|\*/|--|"|'|=|a|1|ö| |\n){0,20}"#) {
            let _ = read(&text);
        }

        #[test]
        fn a_name_in_quotes_is_read_as_it_is(name in "[^\0]{0,30}") {
            let text = format!("KILL \"{}\"", name.replace('"', "\"\""));
            prop_assert_eq!(read(&text), Ok(Command { verb: Verb::Kill, about: Some(name) }));
        }
    }
}
