//! `endpoints.json`: where everything listens, written when everything is ready and removed when it no longer is.

use std::fs;

use holm_core::error::{ErrorCode, Problem};
use serde::Serialize;

use super::directory::Directory;
use super::installation::Installation;
use crate::private_file;

const FILE: &str = "endpoints.json";

#[derive(Serialize)]
struct Endpoints {
    proxy: String,
    gateway: String,
    api: String,
    token_file: String,
}

/// Writes the file; whoever waits for it may connect at once.
///
/// # Errors
/// It cannot be written.
pub(super) fn write(directory: &Directory, installation: &Installation) -> Result<(), Problem> {
    let endpoints = Endpoints {
        proxy: installation.proxy_address().to_string(),
        gateway: installation.gateway_address().to_string(),
        api: installation.api_address().to_string(),
        token_file: directory.file("token").display().to_string(),
    };
    let bytes = serde_json::to_vec(&endpoints).expect("four strings are JSON");
    let path = directory.file(FILE);
    private_file::write(&path, &bytes)
        .map_err(|error| Problem::new(ErrorCode::InvalidConfig, format!("`{}` cannot be written", path.display())).because(error))
}

/// Removes the file. One that is not there, or cannot be removed, is no reason not to stop.
pub(super) fn remove(directory: &Directory) {
    let _ = fs::remove_file(directory.file(FILE));
}
