//! Servers that are spoken to over TLS, as they are said on the command line.

use std::fs;
use std::path::{Path, PathBuf};

use holm_testkit::certificates::Authority;

use crate::installation::{fresh, holm, installation, json};

fn file(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_mode_that_protects_from_nobody_is_refused_with_the_reason_and_what_to_say_instead() {
    for mode in ["allow", "prefer", "require", "VERIFY-FULL"] {
        let server = ["--server", "postgresql://holm@db.example.com", "--sslmode", mode];
        for command in [&["cluster", "add", "production-9"][..], &["tenant", "adopt", "malmo"]] {
            let output = holm(&[command, &["--env", "production"], &server].concat());
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(64), "{said}");
            assert!(said.contains(mode) && said.contains("verify-full"), "{said}");
        }
    }
}

#[test]
fn a_file_that_holds_a_private_key_or_no_certificate_is_never_sent() {
    let key = Authority::new("x").issue(&["db.example.com"]).key_pem();
    for (name, text, why) in [("key.pem", key.as_str(), "private key"), ("empty.pem", "nothing", "no certificate")] {
        let path = file(&fresh(name), text);
        let add = ["cluster", "add", "production-9", "--env", "production", "--server", "postgresql://h@x"];
        let output = holm(&[&add[..], &["--ssl-root-cert", path.to_str().unwrap()]].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains("HOLM-1001") && said.contains(why), "{said}");
        assert!(!said.contains("BEGIN"), "{said}");
    }
}

#[test]
fn what_is_said_of_tls_reaches_the_server_and_a_cluster_says_how_it_is_spoken_to() {
    installation();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let authority = Authority::new("the servers' authority");
    let server = runtime.block_on(async {
        let server = holm_testkit::new_server(&[]).await;
        let admin = server.connect("postgres").await;
        admin.batch_execute("CREATE ROLE elsewhere SUPERUSER LOGIN PASSWORD 'far away'").await.unwrap();
        server.speak_tls(&authority.issue(&["127.0.0.1"])).await;
        server
    });
    let url = format!("postgresql://elsewhere:far%20away@{}/postgres", server.address);
    let (ours, theirs) = (file(&fresh("ours"), &authority.pem()), file(&fresh("theirs"), &Authority::new("somebody else").pem()));
    let adopt = |more: &[&str]| {
        let slug = fresh("encrypted");
        let (_, answer) = json(&[&["tenant", "adopt", &slug, "--env", "production", "--server", &url], more].concat());
        assert_eq!(answer["error"]["changed"], "nothing", "{answer}");
        (answer["error"]["code"].as_str().unwrap().to_owned(), answer["error"]["why"].to_string())
    };
    let (code, why) = adopt(&[]);
    assert!(code == "HOLM-2017" && why.contains("in the clear"), "{code} {why}");
    let (code, why) = adopt(&["--ssl-root-cert", theirs.to_str().unwrap()]);
    assert!(code == "HOLM-2017" && why.contains("leads to no root certificate"), "{code} {why}");
    // Believed, and then refused for what it is: a superuser.
    for mode in ["verify-full", "verify-ca"] {
        let (code, why) = adopt(&["--sslmode", mode, "--ssl-root-cert", ours.to_str().unwrap()]);
        assert_eq!(code, "HOLM-2018", "{mode}: {why}");
    }
    let (_, shown) = json(&["cluster", "show", "production-1"]);
    assert!(shown["data"]["sslmode"] == "disable" && shown["data"]["ssl_root_cert"].is_null(), "{shown}");
}
