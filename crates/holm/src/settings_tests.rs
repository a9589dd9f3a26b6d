//! Which server is meant, by every way to say so.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// A directory as `holm dev` leaves it while it runs.
fn running(api: &str) -> tempfile::TempDir {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join(DIRECTORY);
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    let token_file = directory.join("token");
    fs::write(&token_file, "dev-token\n").unwrap();
    let endpoints = serde_json::json!({"proxy": "127.0.0.1:6432", "gateway": "127.0.0.1:8080", "api": api, "token_file": token_file});
    fs::write(directory.join("endpoints.json"), endpoints.to_string()).unwrap();
    parent
}

fn url_and_token(server: &Server) -> (&str, &str) {
    (&server.url, server.token.expose())
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_what_lies_about() {
    let (one, two, three) = (running("127.0.0.1:1"), running("127.0.0.1:2"), running("127.0.0.1:3"));
    let mut given = Given {
        url_flag: Some("https://flag.example.com/".into()),
        directory: Some(two.path().join(DIRECTORY)),
        url: Some("https://env.example.com".into()),
        token: Some("t".into()),
        ..Given::default()
    };
    let found = |given: &Given| find(given, three.path()).unwrap().url;
    assert_eq!(found(&given), "https://flag.example.com");
    given.url_flag = None;
    given.directory_flag = Some(one.path().join(DIRECTORY));
    assert_eq!(found(&given), "http://127.0.0.1:1");
    given.directory_flag = None;
    assert_eq!(found(&given), "https://env.example.com");
    given.url = None;
    assert_eq!(found(&given), "http://127.0.0.1:2");
    given.directory = None;
    assert_eq!(found(&given), "http://127.0.0.1:3");
}

#[test]
fn a_server_is_found_from_anywhere_below_its_directory() {
    let parent = running("0.0.0.0:8400");
    let below = parent.path().join("src/app");
    fs::create_dir_all(&below).unwrap();
    let server = find(&Given::default(), &below).unwrap();
    assert_eq!(url_and_token(&server), ("http://127.0.0.1:8400", "dev-token"));
    assert_eq!(server.directory.as_deref(), Some(parent.path().join(DIRECTORY).as_path()));
}

#[test]
fn a_token_goes_only_to_the_server_that_it_was_given_for() {
    let parent = running("127.0.0.1:1");
    let given = Given { token: Some("production-token".into()), ..Given::default() };
    assert_eq!(url_and_token(&find(&given, parent.path()).unwrap()), ("http://127.0.0.1:1", "dev-token"));
    let missing = find(&Given { url: Some("http://10.0.0.1:8400".into()), ..Given::default() }, parent.path()).unwrap_err();
    assert_eq!(missing.code, ErrorCode::NotSignedIn);
}

#[test]
fn a_token_file_by_flag_wins_over_a_token_and_its_last_line_break_is_not_part_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    fs::write(&path, " from-file\n").unwrap();
    let mut given = Given { url: Some("https://h.example".into()), token: Some("from-env".into()), ..Given::default() };
    given.token_file = Some(path.clone());
    assert_eq!(find(&given, directory.path()).unwrap().token.expose(), "from-env");
    given.token_file_flag = Some(path);
    assert_eq!(find(&given, directory.path()).unwrap().token.expose(), "from-file");
}

#[test]
fn no_server_is_an_error_with_the_command_that_starts_one() {
    let nowhere = tempfile::tempdir().unwrap();
    let problem = find(&Given::default(), nowhere.path()).unwrap_err();
    assert_eq!((problem.code, problem.next[0].as_str()), (ErrorCode::ServerNotFound, "start one here: `holm dev --demo`"));
    let stopped = running("127.0.0.1:1");
    let directory = stopped.path().join(DIRECTORY);
    fs::remove_file(directory.join("endpoints.json")).unwrap();
    let problem = find(&Given::default(), stopped.path()).unwrap_err();
    assert_eq!(problem.next, [format!("start it: `holm dev --dir {}`", directory.display())]);
}

#[test]
fn a_directory_that_others_could_have_planted_is_not_followed_unless_it_is_named() {
    let parent = running("127.0.0.1:1");
    let directory = parent.path().join(DIRECTORY);
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).unwrap();
    let problem = find(&Given::default(), parent.path()).unwrap_err();
    assert!(problem.why.as_deref().unwrap().contains("others may write"), "{problem:?}");
    assert!(find(&Given { directory_flag: Some(directory), ..Given::default() }, parent.path()).is_ok());
}

#[test]
fn a_url_is_a_place_and_carries_nothing_else() {
    for wrong in ["holm.example.com", "ftp://h", "https://user:pw@h", "https://h?token=x", "https://h#x", "", "javascript:1"] {
        let given = Given { url: Some(wrong.into()), token: Some("t".into()), ..Given::default() };
        assert_eq!(find(&given, Path::new("/")).unwrap_err().code, ErrorCode::InvalidValue, "{wrong}");
    }
}

#[test]
fn text_that_is_no_token_is_refused_before_anything_is_sent() {
    for wrong in ["", " ", "two lines\nX-Injected: 1", "ö", "a\0b"] {
        let given = Given { url: Some("https://h.example".into()), token: Some(wrong.into()), ..Given::default() };
        assert_eq!(find(&given, Path::new("/")).unwrap_err().code, ErrorCode::NotSignedIn, "{wrong:?}");
    }
}
