//! SQL text as PostgreSQL's scanner sees it: where statements begin and end.
//!
//! Promises: a script that PostgreSQL accepts is split where its own scanner would, and so where `psql` would (which reads
//! line by line, and misses that an `E''` string may go on behind a comment); anything else is split somewhere or refused,
//! never a panic. Refuses to know grammar: words are looked at to find `BEGIN ATOMIC` bodies and statements that
//! cannot run in a transaction, nothing else.

mod lexer;
mod position;
mod split;

pub use position::Position;
pub(crate) use split::line_comments;
pub use split::{Statement, SyntaxFault, SyntaxProblem, split};
