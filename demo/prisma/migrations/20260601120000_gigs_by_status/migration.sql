-- CreateIndex
-- By hand CONCURRENTLY: bookers work while this is rolled out. PostgreSQL refuses that in a transaction, so this
-- statement is a migration of its own, and Holm runs it outside one.
CREATE INDEX CONCURRENTLY "gigs_status_concert_id_idx" ON "gigs"("status", "concert_id");
