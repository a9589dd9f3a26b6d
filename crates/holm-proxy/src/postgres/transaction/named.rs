//! Which prepared statements a text executes or deallocates, by the names that it says.
//!
//! Promises: a text is read for them once, when it is read for its effects, and not when it is used: a few bytes bind a text of a
//! megabyte. What is kept of it is bounded, and so is a name, which is no longer than PostgreSQL's. Refuses to know which of
//! them its client has: that may be another with each use.

use holm_pgwire::statement::{self, Effect, Reader};

use super::effects::Effects;
use super::prepared::Statement;
use super::settings::Settings;

/// Statements that one text can name.
const MENTIONS_MAX: usize = 16;

/// What a text says of one statement.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mention {
    pub(super) name: Box<[u8]>,
    pub(super) is_executed: bool,
    pub(super) is_deallocated: bool,
}

/// The statements that a text names, each once.
#[derive(Debug, Default)]
pub(super) struct Named(Vec<Mention>);

impl Named {
    /// Of the beginning of a text. What it ends with counts only if it cannot go on: a name may be longer than what has come.
    pub(super) fn of_beginning(beginning: &[u8]) -> Self {
        let mut named = Self::default();
        Reader::default().feed(beginning, |effect| named.add(effect));
        named
    }

    pub(super) fn mentions(&self) -> &[Mention] {
        &self.0
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, effect: Effect<'_>) {
        let (name, is_executed) = match effect {
            Effect::Execute(name) => (name.as_bytes(), true),
            Effect::Deallocate(name) => (name.as_bytes(), false),
            _ => return,
        };
        // One of the pool's names is none of a client's, and one that the text does not tell is nobody's.
        if name.is_empty() || Statement::is_name(name) {
            return;
        }
        let at = self.0.iter().position(|mention| *mention.name == *name);
        let Some(at) = at.or_else(|| (self.0.len() < MENTIONS_MAX).then_some(self.0.len())) else { return };
        if at == self.0.len() {
            self.0.push(Mention { name: name.into(), is_executed: false, is_deallocated: false });
        }
        self.0[at].is_executed |= is_executed;
        self.0[at].is_deallocated |= !is_executed;
    }
}

/// What carrying out a whole text does, on a server that reports `settings`, and what it names.
pub(super) fn read(text: &[u8], settings: &Settings) -> (Effects, Named) {
    let (mut effects, mut named) = (Effects::default(), Named::default());
    statement::read(text, |effect| {
        effects.add(effect, settings);
        named.add(effect);
    });
    (effects, named)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `name`, `-name` if it is only deallocated, `±name` if it is executed too.
    fn said(named: &Named) -> Vec<String> {
        let sign = |mention: &Mention| match (mention.is_executed, mention.is_deallocated) {
            (true, false) => "",
            (false, true) => "-",
            _ => "±",
        };
        named.mentions().iter().map(|mention| format!("{}{}", sign(mention), String::from_utf8_lossy(&mention.name))).collect()
    }

    fn names(text: &str) -> Vec<String> {
        said(&read(text.as_bytes(), &Settings::default()).1)
    }

    #[test]
    fn a_text_names_each_statement_once_and_no_more_than_are_kept() {
        assert_eq!(names("SELECT 1; DEALLOCATE a"), ["-a"]);
        assert_eq!(names("EXECUTE A(1); EXPLAIN EXECUTE \"B\"; DEALLOCATE a; EXECUTE a"), ["±a", "B"]);
        assert_eq!(names("EXECUTE \"holm 1\"; DEALLOCATE ALL; SELECT 'EXECUTE c'"), [""; 0]);
        let many: String = (0..1000).map(|n| format!("EXECUTE a{n};")).collect();
        assert_eq!(names(&many).len(), MENTIONS_MAX);
    }

    #[test]
    fn a_name_that_is_cut_off_is_no_name() {
        let text = "EXECUTE one('x'); DEALLOCATE abc_12; DEALLOCATE \"abc \"\"_34\"; ";
        let whole = said(&Named::of_beginning(text.as_bytes()));
        assert_eq!(whole, ["one", "-abc_12", "-abc \"_34"]);
        for length in 0..text.len() {
            let said = said(&Named::of_beginning(&text.as_bytes()[..length]));
            assert!(whole.starts_with(&said), "{said:?} of {:?}", &text[..length]);
        }
    }
}
