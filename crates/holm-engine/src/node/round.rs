//! Asks every node that lives something that only the node itself knows, and gathers what they say: who uses it, for one.
//!
//! Promises: whoever is not heard in time is named, and nobody is waited for longer. Words go by the catalog's notifications, and to
//! nodes that have no way to the catalog by the link. Refuses to carry what anything rests on: a word may be lost, and whoever reaches
//! the catalog as Holm does could say it.

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use holm_core::environment::EnvironmentName;
use holm_core::error::Problem;
use holm_core::id::NodeId;
use holm_link::message;
use holm_store::node;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;
use uuid::Uuid;

use super::{lives, look};
use crate::control::Control;

/// What a node answers to a question; nothing if it does not understand it. Dropping the answer is safe: it only looks.
pub type Answering = Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = Option<String>> + Send>> + Send + Sync>;

/// Far longer than a node that lives takes, and as long as a person likes to look at nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// No answer is longer.
pub const ANSWER_LENGTH_MAX: usize = message::TOLD_LENGTH_MAX;

/// Below the 8000 bytes of a notification, by more than what stands before the text.
const PART_LENGTH_MAX: usize = 7_500;

/// A node and what it answered; nothing if it was not heard in time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Heard {
    /// What people call it.
    pub node: String,
    /// What it said.
    pub answer: Option<String>,
}

/// What nodes say to each other.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Word {
    /// Whoever asked need not answer.
    Ask { round: Uuid, by: Uuid, about: EnvironmentName, question: String },
    /// A part of an answer.
    Say { round: Uuid, node: Uuid, part: usize, parts: usize, text: String },
}

impl Word {
    fn read(text: &str) -> Option<Self> {
        let mut fields = text.splitn(5, ' ');
        let kind = fields.next()?;
        let [first, second] = [fields.next()?.parse().ok()?, fields.next()?.parse().ok()?];
        match kind {
            "ask" => {
                let (about, question) = (fields.next()?.parse().ok()?, fields.next()?.to_owned());
                Some(Self::Ask { round: first, by: second, about, question })
            }
            "say" => {
                let (part, parts) = fields.next()?.split_once('/')?;
                let (part, parts) = (part.parse().ok()?, parts.parse().ok()?);
                // No answer has more; what claims to have is not waited for.
                let fits = part < parts && parts <= ANSWER_LENGTH_MAX / PART_LENGTH_MAX + 1;
                fits.then(|| Some(Self::Say { round: first, node: second, part, parts, text: fields.next()?.to_owned() }))?
            }
            _ => None,
        }
    }

    fn written(&self) -> String {
        match self {
            Self::Ask { round, by, about, question } => format!("ask {round} {by} {about} {question}"),
            Self::Say { round, node, part, parts, text } => format!("say {round} {node} {part}/{parts} {text}"),
        }
    }
}

/// Asks every other node that lives and carries sessions something about an environment; of those that are told of one alone, that
/// one's.
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe: what comes then is heard by nobody.
pub async fn ask(control: &Control, about: &EnvironmentName, question: &str) -> Result<Vec<Heard>, Problem> {
    let (membership, mut words) = (control.membership(), control.words().subscribe());
    let nodes = look(control).await?.nodes;
    let others = nodes.into_iter().filter(|node| !membership.is_me(node.id) && node.role.carries() && lives(node));
    let others = others.filter(|node| node.environment.as_ref().is_none_or(|of| of == about));
    let others: BTreeMap<Uuid, String> = others.map(|node| (node.id.as_uuid(), node.name)).collect();
    if others.is_empty() {
        return Ok(Vec::new());
    }
    let (round, by) = (Uuid::new_v4(), membership.me.as_ref().map_or(Uuid::nil(), |me| me.id.as_uuid()));
    let ask = Word::Ask { round, by, about: about.clone(), question: question.to_owned() };
    node::say(control.catalog(), &ask.written()).await?;
    let mut gathered = Gathered::default();
    let gather = async {
        while gathered.whole.len() < others.len() {
            match words.recv().await {
                Ok(word) => gathered.hear(round, &others, &word),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    };
    // Those who are silent by then are told of as such.
    let _ = timeout(PATIENCE, gather).await;
    let mut heard: Vec<Heard> = others.into_iter().map(|(id, node)| Heard { answer: gathered.whole.remove(&id), node }).collect();
    heard.sort_by(|one, other| one.node.cmp(&other.node));
    Ok(heard)
}

/// The answers of one round, as their parts come.
#[derive(Default)]
struct Gathered {
    parts: HashMap<Uuid, BTreeMap<usize, String>>,
    whole: HashMap<Uuid, String>,
}

impl Gathered {
    fn hear(&mut self, asked: Uuid, of: &BTreeMap<Uuid, String>, word: &str) {
        let Some(Word::Say { round, node, part, parts, text }) = Word::read(word) else { return };
        if round != asked || !of.contains_key(&node) {
            return;
        }
        let known = self.parts.entry(node).or_default();
        known.insert(part, text);
        if known.len() == parts {
            self.whole.insert(node, known.values().map(String::as_str).collect());
        }
    }
}

/// Says what a node has answered in a round.
pub(super) async fn say(control: &Control, round: Uuid, node: NodeId, answer: &str) -> Result<(), Problem> {
    let texts = in_parts(answer);
    for (part, text) in texts.iter().enumerate() {
        let word = Word::Say { round, node: node.as_uuid(), part, parts: texts.len(), text: (*text).to_owned() };
        node::say(control.catalog(), &word.written()).await?;
    }
    Ok(())
}

fn in_parts(mut text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    while text.len() > PART_LENGTH_MAX {
        let (part, rest) = text.split_at(text.floor_char_boundary(PART_LENGTH_MAX));
        parts.push(part);
        text = rest;
    }
    parts.push(text);
    parts
}

/// Takes a word that was heard: answers it if it is a question to this node, and has it asked of those that ask here.
pub(crate) fn heard(control: &Control, word: &str) {
    let Some(Word::Ask { round, by, about, question }) = Word::read(word) else { return };
    control.linked().put(round, about, &question);
    let (Some(me), Some(answering)) = (control.membership().me.as_ref(), control.answering()) else { return };
    if me.id.as_uuid() == by || !me.role.carries() {
        return;
    }
    let (tasks, control, me, answering) = (control.tasks(), control.clone(), me.id, Arc::clone(answering));
    let answer = async move {
        if let Some(answer) = answering(question).await.filter(|answer| answer.len() <= ANSWER_LENGTH_MAX)
            && let Err(problem) = say(&control, round, me, &answer).await
        {
            tracing::debug!(%problem, "a question of another node could not be answered");
        }
    };
    tasks.spawn("answer another node", answer);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn say(node: u128, part: usize, parts: usize, text: &str) -> String {
        Word::Say { round: Uuid::from_u128(1), node: Uuid::from_u128(node), part, parts, text: text.to_owned() }.written()
    }

    #[test]
    fn an_answer_is_whole_when_all_its_parts_are_there_in_whatever_order_and_however_often() {
        let of = BTreeMap::from([(Uuid::from_u128(2), "a".to_owned()), (Uuid::from_u128(3), "b".to_owned())]);
        let mut gathered = Gathered::default();
        let mut hear = |word: &str| {
            gathered.hear(Uuid::from_u128(1), &of, word);
            gathered.whole.len()
        };
        assert_eq!(hear(&say(2, 1, 2, "lo you ")), 0);
        assert_eq!(hear(&say(2, 1, 2, "lo you ")), 0);
        assert_eq!(hear(&say(4, 0, 1, "a stranger")), 0);
        assert_eq!(hear(&say(2, 0, 2, "hel")), 1);
        assert_eq!(hear(&say(3, 0, 1, "")), 2);
        assert_eq!(gathered.whole[&Uuid::from_u128(2)], "hello you ");
    }

    #[test]
    fn what_is_of_another_round_or_claims_to_have_no_end_is_nothing() {
        let of = BTreeMap::from([(Uuid::from_u128(2), "a".to_owned())]);
        let mut gathered = Gathered::default();
        gathered.hear(Uuid::from_u128(9), &of, &say(2, 0, 1, "late"));
        assert!(gathered.whole.is_empty() && gathered.parts.is_empty());
        assert_eq!(Word::read(&say(2, 0, 1_000_000, "x")), None);
        assert_eq!(Word::read(&say(2, 1, 1, "x")), None);
    }

    proptest! {
        #[test]
        fn words_read_back_and_parts_make_the_whole(text in "\\PC{0,40}", times in 1_usize..1_500) {
            let about = "production".parse().unwrap();
            let ask = Word::Ask { round: Uuid::from_u128(1), by: Uuid::from_u128(2), about, question: text.clone() };
            prop_assert_eq!(Word::read(&ask.written()), Some(ask));
            let whole = text.repeat(times);
            prop_assume!(whole.len() <= ANSWER_LENGTH_MAX);
            let parts = in_parts(&whole);
            prop_assert_eq!(parts.concat(), whole.as_str());
            for (part, text) in parts.iter().enumerate() {
                let word = say(7, part, parts.len(), text);
                prop_assert!(word.len() < 8_000);
                prop_assert!(Word::read(&word).is_some());
            }
        }

        #[test]
        fn whatever_is_said_is_a_word_or_nothing(text in "(ask|say|x)? ?\\PC{0,80}") {
            let _ = Word::read(&text);
        }
    }
}
