//! `holm completion`: what a shell needs to complete commands and options.

use holm_core::error::Problem;
use serde::Serialize;

use crate::output::{Answer, Cell, Row};

/// Whose script.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm completion bash > /etc/bash_completion.d/holm
  holm completion zsh > ~/.zfunc/_holm
  holm completion fish > ~/.config/fish/completions/holm.fish")]
pub(super) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

#[derive(Serialize)]
struct Script {
    shell: Shell,
    script: String,
}

impl Row for Script {
    const COLUMNS: &'static [&'static str] = &["SCRIPT"];
    const BRIEF: usize = 1;

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::of(&self.script)]
    }

    fn name(&self) -> String {
        "holm".to_owned()
    }
}

pub(super) fn run(args: Args) -> Result<Answer, Problem> {
    let mut script = Vec::new();
    let generator = match args.shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    clap_complete::generate(generator, &mut super::command(), "holm", &mut script);
    let script = String::from_utf8(script).expect("made of our own texts");
    Ok(Answer::text(script.clone(), &Script { shell: args.shell, script }))
}
