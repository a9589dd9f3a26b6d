//! Files that are not what they should be: refused with where and why, and with nothing of what may be secret.

use std::fs;
use std::path::{Path, PathBuf};

use holm_core::error::Problem;

use crate::pgbouncer::files;

struct Files(tempfile::TempDir);

impl Files {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(directory.path().join(name), content).unwrap();
        }
        Self(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn refused(path: &Path) -> Problem {
    let problem = files::config(path).map(|config| config.databases.len()).unwrap_err();
    let all = format!("{problem:?}");
    assert!(!all.contains("hemligt"), "{all}");
    problem
}

/// What is said of one file with this text.
fn said(text: impl AsRef<[u8]>) -> String {
    let files = Files::new(&[("p.ini", text.as_ref())]);
    let problem = refused(&files.path("p.ini"));
    let place = problem.what.replace(&format!("{}/", files.0.path().display()), "");
    format!("{place}: {}", problem.why.unwrap_or_default())
}

#[test]
fn a_file_that_is_not_there_or_is_a_directory_is_named() {
    let files = Files::new(&[]);
    let missing = refused(&files.path("nowhere.ini"));
    assert!(missing.what.contains("nowhere.ini` is not read"), "{missing:?}");
    assert!(refused(files.0.path()).what.contains("is not read"));
}

#[test]
fn what_pgbouncer_would_not_start_with_is_refused_with_its_line() {
    for (text, place, why) in [
        (&b"[databases]\na = password='hemligt\xff'"[..], "p.ini:2", "it is not UTF-8"),
        (b"[databases]\na = host=h\0", "p.ini:2", "it has a zero byte"),
        (b"a = password=hemligt", "p.ini:1", "before the first section"),
        (b"[data\x1bbases]\n", "p.ini:1", "PgBouncer has no section `data\\u{1b}bases`"),
        (b"[databases]\na = host=h password='hemligt", "p.ini:2", "a quote is not closed"),
        (b"[databases]\n'a = host=h password=hemligt", "p.ini:2", "a quote is not closed on its line"),
        (b"[databases]\na = host=h port=hemligt", "p.ini:2", "`port` is not set to a port"),
        (b"[databases]\na = port=0", "p.ini:2", "`port` is not set to a port"),
        (b"[databases]\na = pool_size=hemligt", "p.ini:2", "`pool_size` is not set to a number"),
        (b"[pgbouncer]\n\n\ndefault_pool_size = 20x", "p.ini:4", "`default_pool_size` is not set to a number"),
        (b"[databases]\npgbouncer = host=h", "p.ini:2", "keeps the name"),
        (b"[users]\nu = pool_mode", "p.ini:2", "has no `=`"),
        (b"[peers]\n1 = host", "p.ini:2", "has no `=`"),
    ] {
        let said = said(text);
        assert!(said.contains(place) && said.contains(why), "{said}");
    }
}

#[test]
fn a_file_that_is_too_large_is_not_read_to_its_end() {
    assert!(said(vec![b'#'; 17 * 1024 * 1024]).contains("it is too large"));
    assert!(refused(Path::new("/dev/zero")).what.contains("it is too large"));
}

#[test]
fn includes_are_followed_and_a_circle_of_them_is_refused_with_its_way() {
    let files = Files::new(&[]);
    let path = |name: &str| files.path(name).display().to_string();
    let write = |name: &str, text: String| fs::write(files.path(name), text).unwrap();
    write("p.ini", format!("[databases]\n%include {}\nc = host=h\n[pgbouncer]\n", path("more.ini")));
    write("more.ini", "a = host=h\nb = host=h\n".to_owned());
    let config = files::config(&files.path("p.ini")).unwrap();
    assert_eq!(config.databases.iter().map(|database| database.name.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(config.databases[1].place.to_string(), format!("{}:2", path("more.ini")));

    write("more.ini", format!("%include {}/../{}/p.ini\n", files.0.path().display(), files.0.path().file_name().unwrap().display()));
    let circle = refused(&files.path("p.ini"));
    assert!(circle.what.contains("it includes itself") && circle.why.unwrap().contains("more.ini includes "));

    write("more.ini", "%include /nowhere/hem.ini\n".to_owned());
    let missing = refused(&files.path("p.ini"));
    assert!(missing.what.contains("/nowhere/hem.ini") && missing.next[0].contains("more.ini:1"), "{missing:?}");
}

#[test]
fn includes_are_followed_as_deep_as_pgbouncer_does_and_no_deeper() {
    let files = Files::new(&[("0.ini", b"[databases]\n")]);
    for number in 1..=11 {
        fs::write(files.path(&format!("{number}.ini")), format!("%include {}\n", files.path(&format!("{}.ini", number - 1)).display()))
            .unwrap();
    }
    assert!(files::config(&files.path("10.ini")).is_ok());
    assert!(refused(&files.path("11.ini")).what.contains("it is included too deep"));
}

#[test]
fn files_that_include_one_another_over_and_over_come_to_an_end() {
    let files = Files::new(&[("0.ini", &vec![b'#'; 32 * 1024])]);
    for number in 1..=9 {
        let include = format!("%include {}\n", files.path(&format!("{}.ini", number - 1)).display());
        fs::write(files.path(&format!("{number}.ini")), include.repeat(4)).unwrap();
    }
    assert!(refused(&files.path("9.ini")).what.contains("it is too large"));
}

#[test]
fn a_list_of_users_that_is_broken_is_refused_without_its_passwords() {
    let files = Files::new(&[("users.txt", b"\"a\" \"b\"\n\"a\" \"hemligt\n"), ("owners", b"a:b:c:d:hemligt\nhemligt\n")]);
    for (problem, place) in [
        (files::users(&files.path("users.txt")).unwrap_err(), "users.txt:2"),
        (files::owners(&files.path("owners")).unwrap_err(), "owners:2"),
    ] {
        assert!(problem.what.contains(place) && !format!("{problem:?}").contains("hemligt"), "{problem:?}");
    }
}
