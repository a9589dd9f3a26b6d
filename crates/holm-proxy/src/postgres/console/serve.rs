//! One client of the console, from its welcome to its last word.
//!
//! Promises: who may do what is looked up before anything is done, and whatever is done is written down with who did it; a
//! client that goes, or a node that shuts down, ends every wait. A simple query and what `extended` says is to be run go one way.

use std::net::SocketAddr;

use holm_core::error::{ErrorCode, Problem};
use holm_core::route::Route;
use holm_pgwire::message;

use crate::postgres::Node;
use crate::postgres::authentication::random;
use crate::postgres::client::Client;
use crate::postgres::closing::last_words;
use crate::postgres::conversation::{Broken, Conversation};
use crate::postgres::counters::Disconnect;
use crate::postgres::refusal;
use crate::postgres::stop::Reason;
use crate::postgres::transaction::inventory::Which;

use super::act::{self, Done};
use super::answer::{Answer, Gone, fixed};
use super::extended::{Extended, Next, Objection, Run};
use super::grammar::{self, Command, Complaint, PARAMETERS};
use super::login::Entered;
use super::names::tenant_of;
use super::rights::Verb;
use super::{show, tables};

/// The longest command is some hundred bytes.
const QUERY_LENGTH_MAX: usize = 8 * 1024;

/// Why a session ends.
enum End {
    Terminated,
    Gone,
    Stopped,
    Violation(Problem),
}

/// Serves somebody who is in.
pub(in crate::postgres) async fn serve(
    node: &Node,
    (mut conversation, entered): (Conversation<Client>, Entered),
    peer: SocketAddr,
) -> Disconnect {
    tracing::info!(console.user = entered.name, console.role = entered.role.as_str(), peer.addr = %peer, "somebody came to the console");
    let end = match welcome(&mut conversation, &entered).await {
        Ok(()) => talk(node, &mut conversation, Who { entered: &entered, peer }).await,
        Err(Gone) => End::Gone,
    };
    let (words, disconnect) = match end {
        End::Terminated => return Disconnect::Terminated,
        End::Gone => return Disconnect::ClientGone,
        End::Stopped => (refusal::stopped(Reason::ShuttingDown), Disconnect::Stopped),
        End::Violation(problem) => (problem, Disconnect::ClientViolation),
    };
    last_words(conversation.into_parts().0, &refusal::fatal(&words)).await;
    disconnect
}

async fn welcome(conversation: &mut Conversation<Client>, entered: &Entered) -> Result<(), Gone> {
    let mut out = entered.answer.clone();
    PARAMETERS.iter().for_each(|(_, name, value)| message::parameter_status(&mut out, name.as_bytes(), value.as_bytes()));
    // Nothing of the console is cancelled: a key of nothing.
    message::backend_key_data(&mut out, 0, &random::<4>());
    message::ready_for_query(&mut out);
    conversation.send(&out).await.map_err(|_| Gone)
}

/// Somebody who is in, and from where.
#[derive(Clone, Copy)]
struct Who<'w> {
    entered: &'w Entered,
    peer: SocketAddr,
}

async fn talk(node: &Node, conversation: &mut Conversation<Client>, who: Who<'_>) -> End {
    let (mut answer, mut extended) = (Answer::new(conversation), Extended::default());
    loop {
        // Both are safe to drop: what was read so far stays in the inbox.
        let frame = tokio::select! {
            biased;
            () = node.console.over.cancelled() => return End::Stopped,
            frame = answer.conversation().frame(QUERY_LENGTH_MAX) => frame,
        };
        let (tag, body) = match frame {
            Ok(frame) => (frame.tag, frame.body.to_vec()),
            Err(Broken::Malformed(malformed)) => return End::Violation(refusal::violation(&malformed.to_string())),
            Err(_) => return End::Gone,
        };
        let done = match tag {
            b'X' => return End::Terminated,
            b'Q' if !extended.passes_over() => {
                extended.simple();
                simple(node, &body, &mut answer, &mut extended, who).await
            }
            _ => match step(node, (tag, &body), &mut answer, &mut extended, who).await {
                Ok(done) => done,
                Err(problem) => return End::Violation(problem),
            },
        };
        if done == Err(Gone) {
            return if node.console.over.is_cancelled() { End::Stopped } else { End::Gone };
        }
    }
}

/// A message of the extended protocol.
///
/// # Errors
/// It is none, or cannot be read: the session ends with it.
async fn step(
    node: &Node,
    (tag, body): (u8, &[u8]),
    answer: &mut Answer<'_>,
    extended: &mut Extended,
    who: Who<'_>,
) -> Result<Result<(), Gone>, Problem> {
    Ok(match extended.on(tag, body, answer.piece()) {
        Ok(Next::Said) => answer.send_a_piece().await,
        Ok(Next::PassedOver) => Ok(()),
        Ok(Next::Flush) => answer.send().await,
        Ok(Next::Ready) => answer.ready().await,
        Ok(Next::Run(Run { command, formats, rows_max })) => {
            answer.rows(tables::columns(&command).as_deref().unwrap_or_default(), &formats, rows_max);
            let done = run(node, &command, answer, extended, who).await;
            if answer.is_error() {
                extended.failed();
            }
            done
        }
        Ok(Next::Other) => {
            return Err(refusal::violation(&format!("a message of type {} has no meaning in the console", tag.escape_ascii())));
        }
        Err(Objection::Malformed(malformed)) => return Err(refusal::violation(&malformed.to_string())),
        Err(objection) => {
            answer.error(&objected(&objection));
            answer.send().await
        }
    })
}

async fn simple(node: &Node, body: &[u8], answer: &mut Answer<'_>, extended: &mut Extended, who: Who<'_>) -> Result<(), Gone> {
    let text = body.strip_suffix(&[0]).and_then(|text| std::str::from_utf8(text).ok());
    let command = text.ok_or_else(|| Complaint::Unknown("text that is not UTF-8".to_owned())).and_then(grammar::read);
    match command {
        Ok(command) => {
            if who.entered.role.may(command.verb) {
                answer.describe(tables::columns(&command).as_deref());
            }
            run(node, &command, answer, extended, who).await?;
        }
        Err(complaint) => answer.error(&not_understood(&complaint)),
    }
    // What failed is over: only what came in the extended protocol waits for Sync.
    answer.ready().await
}

/// Runs a command whose rows' columns are known to `answer`.
async fn run(node: &Node, command: &Command, answer: &mut Answer<'_>, extended: &mut Extended, who: Who<'_>) -> Result<(), Gone> {
    if who.entered.role.may(command.verb) {
        obey(node, command, answer, who).await?;
    } else {
        tracing::info!(console.user = who.entered.name, verb = %command.verb, peer.addr = %who.peer, "a command of the console was refused");
        answer.error(&not_allowed(command.verb));
    }
    if command.verb == Verb::DiscardAll {
        extended.discard();
    }
    Ok(())
}

async fn obey(node: &Node, command: &Command, answer: &mut Answer<'_>, Who { entered, peer }: Who<'_>) -> Result<(), Gone> {
    let Command { verb, about } = command;
    match verb {
        Verb::Nothing => answer.empty(),
        Verb::SelectOne => {
            answer.row(&[fixed("1")]).await?;
            answer.complete("SELECT 1");
        }
        Verb::SetParameter | Verb::DiscardAll => answer.complete(verb.as_str()),
        Verb::ShowHelp
        | Verb::ShowVersion
        | Verb::ShowConfig
        | Verb::ShowDatabases
        | Verb::ShowPools
        | Verb::ShowClients
        | Verb::ShowServers
        | Verb::ShowStats
        | Verb::ShowStatsTotals
        | Verb::ShowTotals
        | Verb::ShowLists
        | Verb::ShowUsers
        | Verb::ShowState
        | Verb::ShowParameter => show::show(node, *verb, about.as_deref(), answer).await?,
        Verb::Pause | Verb::Resume | Verb::Kill | Verb::KillClient | Verb::Reconnect | Verb::WaitClose => {
            tracing::info!(console.user = entered.name, verb = %verb, about = about.as_deref().map(refusal::shown), peer.addr = %peer, "a command of the console");
            let done = {
                let conversation = answer.conversation();
                // All are safe to drop: an act that has begun goes on without its client.
                tokio::select! {
                    done = act(node, *verb, about.as_deref()) => done,
                    () = node.console.over.cancelled() => return Err(Gone),
                    () = conversation.gone(QUERY_LENGTH_MAX) => return Err(Gone),
                }
            };
            match done {
                Ok(Done { notice }) => {
                    notice.into_iter().for_each(|(what, hint)| answer.notice(&what, None, Some(&hint)));
                    answer.complete(verb.as_str());
                }
                Err(problem) => answer.error(&problem),
            }
        }
        Verb::Reload | Verb::Shutdown | Verb::Suspend | Verb::Disable | Verb::Enable | Verb::SetConfig => answer.error(&elsewhere(*verb)),
    }
    Ok(())
}

async fn act(node: &Node, verb: Verb, about: Option<&str>) -> Result<Done, Problem> {
    if verb == Verb::KillClient {
        return act::kill_client(node, about.unwrap_or_default()).await;
    }
    let route = about.map(|name| tenant_of(&node.routes.load(), name)).transpose()?;
    let which = route.as_ref().map_or(Which::All, |route| Which::Tenants(route.tenant));
    let named = |route: Option<&std::sync::Arc<Route>>| route.cloned().ok_or_else(|| not_understood(&Complaint::WhichDatabase(verb)));
    Ok(match verb {
        Verb::Pause => act::pause(node, &*named(route.as_ref())?).await,
        Verb::Resume => act::resume(node, &*named(route.as_ref())?)?,
        Verb::Kill => act::kill(node, &*named(route.as_ref())?).await,
        Verb::Reconnect => act::reconnect(node, which).await,
        _ => act::wait_close(node, which).await,
    })
}

fn not_understood(complaint: &Complaint) -> Problem {
    let problem = Problem::new(ErrorCode::InvalidValue, "the console does not understand this").because(complaint);
    match complaint {
        Complaint::WhichDatabase(verb) => problem
            .next(format!("name one tenant: `{verb} <tenant>`; all at once is not done from here"))
            .next("to stop this node, SIGTERM lets transactions end; to see all tenants, `holm tenant list`"),
        _ => problem.next("see `SHOW HELP`"),
    }
}

fn not_allowed(verb: Verb) -> Problem {
    Problem::new(ErrorCode::NotAllowed, format!("`{verb}` is not for this user"))
        .because("the user was given to the console for looking on (`--console-stats-user`)")
        .next("connect as the user that `--console-user` names")
}

fn objected(objection: &Objection) -> Problem {
    match objection {
        Objection::Complaint(complaint) => not_understood(complaint),
        Objection::Parameters => Problem::new(ErrorCode::NotCarried, "a command of the console has no parameters")
            .because("what it is about is a word of it, and no value")
            .next("write the tenant or the number into the text, as in `PAUSE malmo`"),
        Objection::TooMuch => Problem::new(ErrorCode::NotCarried, "this session holds too many prepared statements")
            .because(objection)
            .next("close those that are not needed, or have the driver prepare fewer"),
        _ => refusal::violation(&objection.to_string()),
    }
}

/// What PgBouncer does here and Holm does elsewhere.
fn elsewhere(verb: Verb) -> Problem {
    let (why, next) = match verb {
        Verb::Reload => (
            "nothing is read from a file while a node runs",
            "certificates are renewed by themselves, or on SIGHUP; everything else is changed live, by `holm`",
        ),
        Verb::Shutdown => ("a node is stopped by whoever started it", "send it SIGTERM: it lets transactions end first"),
        Verb::Suspend => (
            "it is for handing sockets to another process, which Holm does not do",
            "for a restart see docs/how-to/upgrade.md; to stop one tenant, `PAUSE <tenant>`",
        ),
        Verb::Disable => ("whether a tenant lets sessions in is decided for all nodes", "`holm tenant suspend <tenant>`"),
        Verb::Enable => ("whether a tenant lets sessions in is decided for all nodes", "`holm tenant resume <tenant>`"),
        _ => (
            "a node's settings are those that it was started with",
            "limits of one tenant are set by `holm tenant limits`, the rest by flags of `holm serve`",
        ),
    };
    Problem::new(ErrorCode::NotCarried, format!("`{verb}` is not done in the console")).because(why).next(next)
}
