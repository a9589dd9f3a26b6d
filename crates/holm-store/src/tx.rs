//! A transaction: what must happen together, and the one place where routes get their version.
//!
//! Promises: what was done is told of in the same transaction ([`crate::audit`]); routes that were changed are stamped with
//! one new version as the last act before the commit, so that writers queue only there, versions have no gaps, and no two
//! writers wait for each other. The end of the audit log and the clock are locked for one round trip and the commit itself.
//! Dropped without a commit, it is rolled back. Refuses to commit after a statement failed, which PostgreSQL would silently turn into a rollback.

use holm_core::audit::NewEntry;
use holm_core::id::{ClusterId, CredentialId, EnvironmentId, TenantId};
use holm_core::route::RouteVersion;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::audit;
use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;
use crate::session::{Params, Session, Statement};
use crate::wake::Told;

/// Advances the clock and stamps what changed; a tenant's epoch with it, since each change of its row is written to a dozen indexes. The clock's row is locked here and until the commit, after every other lock.
pub(crate) const STAMP: &str = "\
WITH clock AS (
    UPDATE route_clock
    SET version = version + 1
    RETURNING version, membership
), environments AS (
    UPDATE environment SET route_version = clock.version FROM clock WHERE id = ANY($1)
), clusters AS (
    UPDATE cluster SET route_version = clock.version FROM clock WHERE id = ANY($2)
), credentials AS (
    UPDATE credential SET route_version = clock.version FROM clock WHERE id = ANY($3)
), tenants AS (
    UPDATE tenant SET route_version = clock.version, epoch = epoch + (id = ANY($5))::integer FROM clock WHERE id = ANY($4)
)
SELECT version, membership
FROM clock";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[STAMP];

/// An open transaction. Rows are waited for in the order environment, cluster, template, tenant, database, credential; then
/// the end of the audit log, then the clock. Who gives out databases waits for none: it skips what is locked.
pub struct Tx {
    session: Session,
    catalog: Catalog,
    failed: bool,
    told: Told,
    environments: Vec<Uuid>,
    clusters: Vec<Uuid>,
    credentials: Vec<Uuid>,
    tenants: Vec<Uuid>,
    /// Of [`Self::tenants`], those whose epoch grows.
    outrun: Vec<Uuid>,
    entries: Vec<NewEntry>,
    finished: bool,
}

impl Tx {
    pub(crate) async fn begin(mut session: Session, catalog: Catalog) -> Result<Self, StoreError> {
        session.control("BEGIN").await?;
        Ok(Self::begun(session, catalog))
    }

    /// Begins with a first statement, in one round trip.
    pub(crate) async fn begin_with(catalog: &Catalog, sql: &'static str, params: Params<'_>) -> Result<(Self, Vec<Row>), StoreError> {
        let mut session = catalog.session().await?;
        let rows = session.begin_with(sql, params).await;
        // Before the answer is looked at: dropped, it rolls back what may have been begun.
        let tx = Self::begun(session, catalog.clone());
        Ok((tx, rows?))
    }

    fn begun(session: Session, catalog: Catalog) -> Self {
        Self {
            session,
            catalog,
            failed: false,
            told: Told::default(),
            environments: Vec::new(),
            clusters: Vec::new(),
            credentials: Vec::new(),
            tenants: Vec::new(),
            outrun: Vec::new(),
            entries: Vec::new(),
            finished: false,
        }
    }

    /// Commits. Returns the version that its change of routes has, or `None` if it changed none.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`] when the connection was lost before the answer; after any other error nothing changed.
    ///
    /// # Cancel safety
    /// Must not be dropped while it runs: whether it happened would be unknown, as with `CommitUnknown`.
    pub async fn commit(mut self) -> Result<Option<RouteVersion>, StoreError> {
        if self.failed {
            return Err(StoreError::Fault("a commit after a statement that failed".into()));
        }
        let entries = std::mem::take(&mut self.entries);
        let entries = (!entries.is_empty()).then(|| audit::Columns::of(&entries));
        let stamps = self.changes_routes();
        self.told.changed |= stamps;
        let chain = entries.as_ref().map(audit::Columns::params);
        let ids: Params<'_> = &[&self.environments, &self.clusters, &self.credentials, &self.tenants, &self.outrun];
        let mut last: Vec<Statement<'_>> = chain.iter().map(|params| (audit::APPEND, params.as_slice())).collect();
        if stamps {
            last.push((STAMP, ids));
        }
        let committed = self.session.commit_with(&last, self.told.commit()).await;
        self.finished = committed.is_ok();
        let rows = committed.map_err(|error| match error {
            StoreError::Unavailable(source) => StoreError::CommitUnknown(source),
            definite => definite,
        })?;
        if !stamps {
            return Ok(None);
        }
        let row = rows.last().and_then(|rows| rows.first()).ok_or_else(|| StoreError::Fault("the clock of the routes is gone".into()))?;
        self.catalog.saw_membership(column::count_big(row, "membership")?);
        column::route_version(row, "version").map(Some)
    }

    /// Rolls back and waits for it; dropping does the same without waiting.
    ///
    /// # Errors
    /// Only those of the connection: nothing changed in any case.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn rollback(mut self) -> Result<(), StoreError> {
        self.session.control("ROLLBACK").await?;
        self.finished = true;
        Ok(())
    }

    /// Wakes every process that listens, once this is committed, although no route changes.
    pub const fn wake(&mut self) {
        self.told.changed = true;
    }

    /// Wakes those who carry operations out.
    pub(crate) const fn wake_runners(&mut self) {
        self.told.due = true;
    }

    /// Wakes those who watch operations.
    pub(crate) const fn wake_watchers(&mut self) {
        self.told.told = true;
    }

    /// Whether something of routes, tenants, databases or clusters is changed, so that its commit wakes whoever looks after
    /// them.
    pub const fn changes(&self) -> bool {
        self.told.changed || self.changes_routes()
    }

    pub(crate) fn queue(&mut self, entry: NewEntry) {
        self.entries.push(entry);
    }

    const fn changes_routes(&self) -> bool {
        !(self.environments.is_empty() && self.clusters.is_empty() && self.credentials.is_empty() && self.tenants.is_empty())
    }

    pub(crate) fn changed_environment(&mut self, id: EnvironmentId) {
        self.environments.push(id.as_uuid());
    }

    pub(crate) fn changed_cluster(&mut self, id: ClusterId) {
        self.clusters.push(id.as_uuid());
    }

    pub(crate) fn changed_credential(&mut self, id: CredentialId) {
        self.credentials.push(id.as_uuid());
    }

    pub(crate) fn changed_tenant(&mut self, id: TenantId) {
        self.tenants.push(id.as_uuid());
    }

    /// As [`Self::changed_tenant`], and what was made for its route before is of no use.
    pub(crate) fn outran_tenant(&mut self, id: TenantId) {
        self.outrun.push(id.as_uuid());
        self.tenants.push(id.as_uuid());
    }

    fn noted<T>(&mut self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        self.failed |= answer.is_err();
        answer
    }

    pub(crate) async fn query(&mut self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>, StoreError> {
        let answer = self.session.query(sql, params).await;
        self.noted(answer)
    }

    pub(crate) async fn query_opt(&mut self, sql: &'static str, params: Params<'_>) -> Result<Option<Row>, StoreError> {
        let answer = self.session.query_opt(sql, params).await;
        self.noted(answer)
    }

    pub(crate) async fn query_one(&mut self, sql: &'static str, params: Params<'_>) -> Result<Row, StoreError> {
        let answer = self.session.query_one(sql, params).await;
        self.noted(answer)
    }

    pub(crate) async fn execute(&mut self, sql: &'static str, params: Params<'_>) -> Result<u64, StoreError> {
        let answer = self.session.execute(sql, params).await;
        self.noted(answer)
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if !self.finished {
            self.session.roll_back_unawaited();
        }
    }
}
