//! One connection of the pool while one caller has it.
//!
//! Promises: every answer is awaited with a deadline; a connection with an unanswered statement is closed, not reused.

use std::time::Duration;

use deadpool_postgres::Object;
use futures_util::future::{try_join, try_join_all, try_join3};
use tokio::time::timeout;
use tokio_postgres::Row;
use tokio_postgres::error::Severity;
use tokio_postgres::types::ToSql;

use crate::error::StoreError;

/// A little more than the server's own `statement_timeout`: it fires only when the server has fallen silent.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(12);

/// Parameters of a statement.
pub(crate) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A statement with its parameters.
pub(crate) type Statement<'a> = (&'static str, Params<'a>);

/// A connection, and whether a statement on it is still unanswered.
pub(crate) struct Session {
    /// `None` only while being dropped.
    client: Option<Object>,
    unanswered: bool,
}

impl Session {
    pub(crate) const fn new(client: Object) -> Self {
        Self { client: Some(client), unanswered: false }
    }

    fn client(&self) -> &Object {
        self.client.as_ref().expect("taken only by drop")
    }

    async fn answered<T>(
        &mut self,
        what: &'static str,
        answer: impl AsyncFnOnce(&Object) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, StoreError> {
        self.unanswered = true;
        let result = timeout(ANSWER_TIMEOUT, answer(self.client())).await.map_err(|_| StoreError::deadline(what))?;
        self.unanswered = result.as_ref().is_err_and(|error| !is_answer(error));
        Ok(result?)
    }

    pub(crate) async fn query(&mut self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>, StoreError> {
        self.answered(sql, async |client| client.query(&client.prepare_cached(sql).await?, params).await).await
    }

    pub(crate) async fn query_opt(&mut self, sql: &'static str, params: Params<'_>) -> Result<Option<Row>, StoreError> {
        self.answered(sql, async |client| client.query_opt(&client.prepare_cached(sql).await?, params).await).await
    }

    pub(crate) async fn query_one(&mut self, sql: &'static str, params: Params<'_>) -> Result<Row, StoreError> {
        self.answered(sql, async |client| client.query_one(&client.prepare_cached(sql).await?, params).await).await
    }

    /// The number of rows that were affected.
    pub(crate) async fn execute(&mut self, sql: &'static str, params: Params<'_>) -> Result<u64, StoreError> {
        self.answered(sql, async |client| client.execute(&client.prepare_cached(sql).await?, params).await).await
    }

    /// One of `BEGIN`, `COMMIT` and their kin, which need no plan.
    pub(crate) async fn control(&mut self, sql: &'static str) -> Result<(), StoreError> {
        self.answered(sql, async |client| client.batch_execute(sql).await).await
    }

    /// `BEGIN` and the transaction's first statement in one round trip.
    pub(crate) async fn begin_with(&mut self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>, StoreError> {
        let both = async |client: &Object| {
            let prepared = client.prepare_cached(sql).await?;
            // Polled in this order, which is the order in which they are sent.
            try_join(client.batch_execute("BEGIN"), client.query(&prepared, params)).await.map(|((), rows)| rows)
        };
        self.answered(sql, both).await
    }

    /// The last statements of a transaction and its commit in one round trip, so that what they lock is free again as soon as
    /// it can be. After one that fails, the commit is a rollback; none may depend on the answer of another.
    pub(crate) async fn commit_with(&mut self, last: &[Statement<'_>], commit: &'static str) -> Result<Vec<Vec<Row>>, StoreError> {
        let all = async |client: &Object| {
            let prepared = prepared(client, last).await?;
            let rows = try_join_all(prepared.iter().zip(last).map(|(prepared, (_, params))| client.query(prepared, params)));
            try_join(rows, client.batch_execute(commit)).await.map(|(rows, ())| rows)
        };
        self.answered(commit, all).await
    }

    /// A whole transaction in one round trip; none of its statements may depend on the answer of another.
    pub(crate) async fn transaction(&mut self, statements: &[Statement<'_>]) -> Result<Vec<Vec<Row>>, StoreError> {
        let all = async |client: &Object| {
            let prepared = prepared(client, statements).await?;
            let rows = try_join_all(prepared.iter().zip(statements).map(|(prepared, (_, params))| client.query(prepared, params)));
            try_join3(client.batch_execute("BEGIN"), rows, client.batch_execute("COMMIT")).await.map(|((), rows, ())| rows)
        };
        self.answered("a transaction", all).await
    }

    /// Sends `ROLLBACK` without waiting for the answer: a drop cannot wait, and the next statement queues behind it.
    pub(crate) fn roll_back_unawaited(&mut self) {
        use futures_util::FutureExt;
        if self.unanswered {
            return;
        }
        // The first poll puts the message into the connection's queue; what is dropped is only the wait for the answer.
        let sent = self.client().batch_execute("ROLLBACK").now_or_never();
        self.unanswered = matches!(sent, Some(Err(_)));
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.unanswered
            && let Some(client) = self.client.take()
        {
            drop(Object::take(client));
        }
    }
}

async fn prepared(client: &Object, statements: &[Statement<'_>]) -> Result<Vec<tokio_postgres::Statement>, tokio_postgres::Error> {
    let mut prepared = Vec::with_capacity(statements.len());
    for (sql, _) in statements {
        prepared.push(client.prepare_cached(sql).await?);
    }
    Ok(prepared)
}

/// Whether an error is the server's answer, after which it goes on; a FATAL one, or one of the connection, is not.
fn is_answer(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|answer| answer.parsed_severity() == Some(Severity::Error))
}

/// Readers that need several statements to agree.
pub(crate) const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
