//! A problem as a person reads it: code and what happened, why, whether anything changed, what to do now.

use holm_core::error::{Changed, Problem};

use super::visible;

/// Lines for stderr; colour is for the code only, and the stream drops it where nobody wants it.
pub(crate) fn render(problem: &Problem) -> String {
    let mut text = format!("\u{1b}[1;31m{}\u{1b}[0m  {}\n", problem.code, visible(&problem.what));
    if let Some(why) = &problem.why {
        text += &format!("  why: {}\n", visible(why));
    }
    text += &format!("  changed: {}\n", changed(problem.changed));
    for step in &problem.next {
        text += &format!("  → {}\n", visible(step));
    }
    text
}

const fn changed(changed: Changed) -> &'static str {
    match changed {
        Changed::Nothing => "nothing",
        Changed::Something => "something, see above",
        Changed::Unknown => "not known",
    }
}
