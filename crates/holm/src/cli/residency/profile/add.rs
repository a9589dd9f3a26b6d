//! `holm residency profile add`: from then on it counts.

use holm_api::view::residency::{AddProfile, ProfileView};
use holm_core::error::{ErrorCode, Problem};
use holm_policy::profile::Profile;

use super::text_of;
use crate::cli::context::Context;
use crate::output::Answer;

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm residency profile add eea-jurisdiction
  holm residency profile add ./mine.toml

Read it before: `holm residency profile show`. Whoever is judged by an older version of it is judged by this one at once. A profile
that fails one of its own cases, with the facts of this installation, is refused.")]
pub(in crate::cli) struct Args {
    /// A profile that comes with Holm, or a file
    profile: String,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let name = args.profile;
    let is_shipped = Profile::SHIPPED.iter().any(|(file, _)| file.trim_end_matches(".toml") == name);
    let wanted = if is_shipped || !name.contains(['/', '.']) {
        AddProfile { shipped: Some(name), text: None }
    } else {
        let text = text_of(&name).map_err(|error| {
            Problem::new(ErrorCode::InvalidValue, format!("the profile `{}` cannot be read", name.escape_debug())).because(error)
        })?;
        AddProfile { shipped: None, text: Some(text) }
    };
    let kept: ProfileView = context.client()?.post(&["residency", "profiles"], &[], &wanted).await?;
    context.say(&format!("✓ version {} of {} is in force", kept.version, kept.name));
    context.say(&format!("  next: holm env set-profile --env production --profile {}", kept.name));
    Ok(Answer::one(&kept))
}
