//! A master key that is in Vault.

use std::time::{Duration, Instant};

use holm_core::error::ErrorCode;
use holm_core::secret::Secret;
use holm_engine::key::rewrap::rewrap;
use holm_engine::key::rotate::rotate;
use holm_engine::secret::master_keys::{KeySource, MasterKeys};
use holm_engine::secret::vault::{VaultConfig, VaultToken};
use holm_testkit::vault::{TOKEN, TestVault, VaultFault};

use crate::keys::Place;
use crate::support::DEV;

fn source(vault: &TestVault, token: VaultToken) -> KeySource {
    let config = VaultConfig { address: vault.url(), mount: "transit".to_owned(), key: "holm".to_owned(), token, namespace: None };
    KeySource::vault(config).unwrap()
}

fn keys(vault: &TestVault) -> MasterKeys {
    MasterKeys::new(source(vault, VaultToken::Given(Secret::new(TOKEN.to_owned()))))
}

#[tokio::test]
async fn what_a_version_wrapped_is_wrapped_anew_inside_vault_after_a_rotation() {
    let (vault, place) = (TestVault::start("holm").await.unwrap(), Place::new().await);
    let control = place.used(keys(&vault)).await;
    let derived = control.derived_key("test");
    let rotated = rotate(&control, &DEV).await.unwrap();
    assert_eq!((rotated.former.as_str(), rotated.current.as_str()), ("transit/holm/v1", "transit/holm/v2"));
    let before = vault.requests().len();
    let progress = rewrap(&control, &DEV).await.unwrap();
    assert_eq!((progress.done, progress.left, progress.retired), (2, 0, vec![rotated.former]));
    assert_eq!(vault.requests()[before..], ["POST transit/rewrap/holm"], "no key has left Vault");
    // Vault rotates by itself: its version is not used before somebody says so, and then without making one more.
    vault.rotate("holm");
    assert_eq!(rotate(&control, &DEV).await.unwrap().current.as_str(), "transit/holm/v3");
    rewrap(&control, &DEV).await.unwrap();
    control.shutdown().await;
    assert_eq!(place.open(keys(&vault)).await.unwrap().derived_key("test").expose(), derived.expose());
}

#[tokio::test]
async fn a_vault_that_does_not_help_is_a_problem_that_says_how_and_nothing_is_written() {
    let (vault, place) = (TestVault::start("holm").await.unwrap(), Place::new().await);
    place.used(keys(&vault)).await.shutdown().await;
    let before = place.contents().await;
    let begun = Instant::now();
    for (fault, said) in [
        (VaultFault::Sealed, "503: Vault is sealed"),
        (VaultFault::Denied, "403: permission denied"),
        (VaultFault::Slow(Duration::from_secs(60)), "not answered in time"),
    ] {
        vault.set(fault);
        let problem = place.open(keys(&vault)).await.unwrap_err();
        assert_eq!(problem.code, ErrorCode::MasterKeyUnavailable, "{problem:?}");
        assert!(problem.why.as_ref().is_some_and(|why| why.contains(said)) && !problem.next.is_empty(), "{problem:?}");
        assert!(!format!("{problem:?}").contains(TOKEN), "{problem:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    vault.set(VaultFault::None);
    place.open(keys(&vault)).await.unwrap();
    let elsewhere = TestVault::start("holm").await.unwrap();
    assert_eq!(place.open(keys(&elsewhere)).await.unwrap_err().code, ErrorCode::WrongMasterKey, "another key of the same name");
    vault.delete("holm");
    let problem = place.open(keys(&vault)).await.unwrap_err();
    assert_eq!(problem.code, ErrorCode::WrongMasterKey);
    assert!(problem.what.contains("no transit key"), "{problem:?}");
    assert_eq!(place.contents().await, before);
}

#[tokio::test]
async fn a_token_is_read_anew_from_its_file_since_an_agent_renews_it() {
    let (vault, place) = (TestVault::start("holm").await.unwrap(), Place::new().await);
    let path = place.path().with_file_name("token");
    let keys = || MasterKeys::new(source(&vault, VaultToken::File(path.clone())));
    assert_eq!(place.open(keys()).await.unwrap_err().code, ErrorCode::MasterKeyUnavailable);
    std::fs::write(&path, "old").unwrap();
    let source = keys();
    assert_eq!(place.open(source.clone()).await.unwrap_err().code, ErrorCode::MasterKeyUnavailable);
    std::fs::write(&path, format!("{TOKEN}\n")).unwrap();
    place.open(source).await.unwrap();
}

#[tokio::test]
async fn an_installation_moves_from_a_file_to_vault_by_a_rotation() {
    let (vault, place) = (TestVault::start("holm").await.unwrap(), Place::new().await);
    place.used(MasterKeys::new(place.file())).await.shutdown().await;
    assert_eq!(place.open(keys(&vault)).await.unwrap_err().code, ErrorCode::WrongMasterKey);
    let control = place.open(keys(&vault).and(place.file())).await.unwrap();
    assert_eq!(rotate(&control, &DEV).await.unwrap().current.as_str(), "transit/holm/v1");
    assert_eq!(rewrap(&control, &DEV).await.unwrap().left, 0);
    std::fs::remove_file(place.path()).unwrap();
    place.open(keys(&vault)).await.unwrap();
    assert_eq!(place.files(), Vec::<String>::new(), "no file is made where Vault has the key");
}
