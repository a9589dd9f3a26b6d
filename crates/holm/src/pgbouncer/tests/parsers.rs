//! The four formats, each read as the program that it belongs to reads it.

use proptest::prelude::*;

use crate::pgbouncer::conninfo::pairs;
use crate::pgbouncer::ini::{self, Item};
use crate::pgbouncer::owners::Owners;
use crate::pgbouncer::userlist::{self, Proof};

/// `12 name=value`, `12 [section]`, `12 %path`.
fn shown(text: &str) -> Result<Vec<String>, String> {
    let lines = ini::read(text).map_err(|malformed| malformed.to_string())?;
    let line = |line: ini::Line| match line.item {
        Item::Section(name) => format!("{} [{name}]", line.number),
        Item::Setting { name, value } => format!("{} {name}={}", line.number, value.expose()),
        Item::Include(path) => format!("{} %{path}", line.number),
    };
    Ok(lines.into_iter().map(line).collect())
}

#[test]
fn a_file_is_read_with_comments_quotes_includes_and_any_line_ends() {
    let text = "; a comment\n# another\n[databases]\r\n  malmo = host=10.0.0.1 dbname=malmo_prod \r\n\n'Två ord' = host=h ; no comment here\n\
                * = host=h\n%include  /etc/pgbouncer/more.ini \n[pgbouncer] pool_mode=transaction\nauth_query =\n";
    assert_eq!(
        shown(text).unwrap(),
        [
            "3 [databases]",
            "4 malmo=host=10.0.0.1 dbname=malmo_prod",
            "6 Två ord=host=h ; no comment here",
            "7 *=host=h",
            "8 %/etc/pgbouncer/more.ini",
            "9 [pgbouncer]",
            "9 pool_mode=transaction",
            "10 auth_query=",
        ]
    );
}

#[test]
fn a_file_that_cannot_be_read_says_on_which_line_and_repeats_nothing_of_it() {
    for (text, line) in [
        ("[databases\nx=hemligt", 1),
        ("[databases]\n\n'hemligt = host=h\nx' = y", 3),
        ("[databases]\n'hemligt' host=h", 2),
        ("[databases]\nhemligt", 2),
        ("[databases]\nhemligt host=h", 2),
        ("[databases]\nåäö = hemligt", 2),
        ("[databases]\n= hemligt", 2),
        ("[databases]\n'' = hemligt", 2),
        ("\n\n%includes hemligt", 3),
        ("%include \n", 1),
        ("\u{feff}[databases]", 1),
    ] {
        let said = shown(text).unwrap_err();
        assert!(said.starts_with(&format!("line {line}: ")) && !said.contains("hemligt"), "{text:?}: {said}");
    }
}

fn of(text: &str) -> Result<Vec<String>, &'static str> {
    Ok(pairs(text)?.iter().map(|(name, value)| format!("{name}={}", value.expose())).collect())
}

#[test]
fn a_connection_string_is_read_with_doubled_quotes_and_space_around_its_signs() {
    assert_eq!(of("host=10.0.0.1 port = 5432  dbname=a").unwrap(), ["host=10.0.0.1", "port=5432", "dbname=a"]);
    assert_eq!(of("password='it''s a = ''b''' user=u").unwrap(), ["password=it's a = 'b'", "user=u"]);
    assert_eq!(of("connect_query='SELECT 1' ").unwrap(), ["connect_query=SELECT 1"]);
    assert_eq!(of("dbname=it's").unwrap(), ["dbname=it's"], "a quote within a word is one of its letters");
    assert_eq!(of("").unwrap(), [""; 0]);
    for wrong in ["host", "host h", "=h", "host=", "host=''", "password='hemligt", "password='a'b", "password='a''", "host= "] {
        let said = of(wrong).unwrap_err();
        assert!(!said.contains("hemligt"), "{wrong}: {said}");
    }
}

#[test]
fn a_list_of_users_keeps_passwords_and_only_says_of_a_hash_that_it_is_one() {
    let text = "; users\n\"a\" \"plain \"\" text\" \"more\"\n\n\"b\"\t\"md5d41d8cd98f00b204e9800998ecf8427e\"\n\"c\" \"SCRAM-SHA-256$4096:x$y:z\"\n\
                \"d\" \"\"\n\"\"\"e\"\"\" \"md5 is no hash\"";
    let listed = userlist::read(text).unwrap();
    let kinds: Vec<String> = listed
        .iter()
        .map(|listed| match &listed.proof {
            Proof::Password(password) => format!("{} {}", listed.name, password.expose()),
            other => format!("{} {other:?}", listed.name),
        })
        .collect();
    assert_eq!(kinds, ["a plain \" text", "b Md5", "c Scram", "d Nothing", "\"e\" md5 is no hash"]);
    assert!(!format!("{listed:?}").contains("plain"), "{listed:?}");
    for (broken, line) in [("a \"b\"", 1), ("\"a\" \"b\"\n\"c", 2), ("\"a\"\n\"b\" \"c\"", 1), ("\"a\" \"hemligt", 1), ("\n\"a\"", 2)] {
        let said = userlist::read(broken).unwrap_err();
        assert!(said.line == line && !said.to_string().contains("hemligt"), "{broken:?}: {said}");
    }
}

#[test]
fn a_file_of_owners_is_read_as_a_password_file() {
    let text = "# who owns what\ndb.example.com:5432:malmo:malmo_owner:p\\:w\\\\d\n*:*:lund:*:other\n\n\\:\\:1:5433:*:app:x:not read";
    let owners = Owners::read(text).unwrap();
    let said = |host, port, database| owners.of(host, port, database).map(|said| (said.role, said.password.expose().as_str()));
    assert_eq!(said("db.example.com", 5432, "malmo"), Some((Some("malmo_owner"), "p:w\\d")));
    assert_eq!(said("db.example.com", 5433, "malmo"), None);
    assert_eq!(said("anywhere", 1, "lund"), Some((None, "other")));
    assert_eq!(said("::1", 5433, "any"), Some((Some("app"), "x")));
    for wrong in ["a:b:c:d", "a:b:c:d:", "hemligt"] {
        let said = Owners::read(&format!("a:b:c:d:e\n{wrong}")).unwrap_err();
        assert_eq!(said.to_string(), "line 2: it is not `host:port:database:role:password`");
    }
}

/// What settings are made of, weighted towards what means something.
fn bits() -> impl Strategy<Value = String> {
    let bit = prop_oneof![
        Just("[databases]".to_owned()),
        Just("%include ".to_owned()),
        Just("'".to_owned()),
        Just("\"".to_owned()),
        Just("=".to_owned()),
        Just("\n".to_owned()),
        Just(" ".to_owned()),
        Just("\r".to_owned()),
        Just(":".to_owned()),
        Just("\\".to_owned()),
        Just("#".to_owned()),
        "[a-z]{1,4}",
        "\\PC{0,4}",
    ];
    prop::collection::vec(bit, 0..40).prop_map(|bits| bits.concat())
}

/// Quoted as PgBouncer's connection strings are.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in bits()) {
        if let Ok(lines) = ini::read(&text) {
            prop_assert!(lines.is_sorted_by_key(|line| line.number));
            let last = u32::try_from(text.matches('\n').count()).unwrap() + 1;
            prop_assert!(lines.iter().all(|line| (1..=last).contains(&line.number)));
        }
        let _ = (pairs(&text), userlist::read(&text), Owners::read(&text));
    }

    #[test]
    fn what_is_written_with_quotes_comes_back_as_it_was(name in "[^'\\n]{1,20}", value in "[^\\n]{1,20}", other in "[a-z_]{1,9}") {
        let line = format!("{other}={} password={}", quoted(&value), quoted(&value));
        let pairs = pairs(&line).unwrap();
        prop_assert_eq!(pairs[0].1.expose(), &value);
        prop_assert_eq!(&pairs[0].0, &other);
        let lines = ini::read(&format!("[databases]\n'{name}' = {line}\n")).unwrap();
        let Item::Setting { name: read, value: written } = &lines[1].item else { panic!("{lines:?}") };
        prop_assert_eq!(read, &name);
        prop_assert_eq!(written.expose(), line.trim_end());
    }

    #[test]
    fn a_listed_password_comes_back_as_it_was(name in "[^\"\\n]{1,20}", password in "[^\\n]{1,20}") {
        let listed = userlist::read(&format!("\"{name}\" \"{}\"\n", password.replace('"', "\"\""))).unwrap();
        prop_assert_eq!(&listed[0].name, &name);
        match &listed[0].proof {
            Proof::Password(read) => prop_assert_eq!(read.expose(), &password),
            other => prop_assert!(password.starts_with("SCRAM-SHA-256$") || password.starts_with("md5"), "{:?}", other),
        }
    }
}
