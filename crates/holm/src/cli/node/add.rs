//! `holm node add`: the key is made here, and only its public half is sent.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holm_api::view::node::{AddNode, AddedNodeView};
use holm_core::error::{Changed, ErrorCode, Problem};

use crate::cli::context::Context;
use crate::output::Answer;
use crate::private_file;
use crate::serve::NodeKey;

/// What to call it, and where its key goes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm node add stockholm-1 --key-file node.key
  holm node add stockholm-staging-1 --env staging --key-file node.key
  HOLM_DATA_DIR=/var/lib/holm/node holm serve --role data --control http://10.0.0.5:8400

The file is the node's `node.key`: move it into its data directory, readable by Holm's user alone, and keep no copy. Whoever has
it is told how to log in to every tenant's database; with --env to those of that environment, and nothing else. A node stays with its
environment: for another one, add another node.")]
pub(in crate::cli) struct Args {
    /// What to call it
    name: String,
    /// The file to write the key to; it must not be there yet
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// The one environment that it is told of, for good [default: all of them]
    #[arg(long = "env", value_name = "ENVIRONMENT")]
    environment: Option<String>,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let Args { name, key_file, environment } = args;
    let client = context.client()?;
    reserve(&key_file)?;
    let key = NodeKey::make();
    let wanted = AddNode { name: name.clone(), public_key: STANDARD.encode(key.public()), environment };
    let added: AddedNodeView = match client.post(&["node-keys"], &[], &wanted).await {
        Ok(added) => added,
        Err(problem) => {
            // It is empty, and ours.
            let _ = fs::remove_file(&key_file);
            return Err(problem);
        }
    };
    let content = file_of(&key, &added).ok_or_else(|| strange(&name))?;
    private_file::write(&key_file, content.expose())
        .map_err(|error| unwritable(&key_file, error).changed(Changed::Something).next(format!("begin anew: `holm node remove {name}`")))?;
    context.say(&format!("✓ node {} is let in; its key is in {}", added.name, key_file.display()));
    context.say("  move it into the node's data directory as `node.key`, then: holm serve --role data --control URL --data-dir DIR");
    Ok(Answer::one(&added))
}

/// Before anything is changed: nothing is written over, and a place that cannot be written to is known.
fn reserve(path: &Path) -> Result<(), Problem> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(Problem::new(ErrorCode::InvalidConfig, format!("`{}` is there already, and a key is written over nothing", path.display()))
                .next("name another file, or remove that one"))
        }
        Err(error) => Err(unwritable(path, error)),
    }
}

fn file_of(key: &NodeKey, added: &AddedNodeView) -> Option<holm_core::secret::Secret<Vec<u8>>> {
    let node = uuid::Uuid::try_parse(&added.node).ok()?.into_bytes();
    let control_key = STANDARD.decode(&added.control_key).ok()?.try_into().ok()?;
    Some(key.file(added.installation.parse().ok()?, node, control_key))
}

fn unwritable(path: &Path, error: impl std::fmt::Display) -> Problem {
    Problem::new(ErrorCode::InvalidConfig, format!("the key cannot be written to `{}`", path.display())).because(error)
}

fn strange(name: &str) -> Problem {
    Problem::new(ErrorCode::Internal, "the server's answer does not say who the node is")
        .changed(Changed::Something)
        .next(format!("begin anew: `holm node remove {name}`"))
}
