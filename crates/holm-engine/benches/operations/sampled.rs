//! Tenants that are rows only, each with a data key and sealed logins of its own, so that routes can be made of them.

use holm_engine::secret::sample;

use crate::{Bench, Outcome};

const AT_ONCE: usize = 1_000;

const DATABASES: &str = "
INSERT INTO database (id, cluster_id, environment_id, template_id, name, state, sealed_logins, ready_at)
SELECT s.id, d.cluster_id, d.environment_id, d.template_id, 't_' || replace(s.id::text, '-', ''), 'claimed', s.sealed, now()
FROM (SELECT * FROM database WHERE template_id IS NOT NULL LIMIT 1) d, unnest($1::uuid[], $2::bytea[]) AS s (id, sealed)";
const KEYS: &str = "
INSERT INTO data_key (id, database_id, purpose, master_key_id, wrapped)
SELECT s.id, s.database, 'logins', $4, s.wrapped FROM unnest($1::uuid[], $2::uuid[], $3::bytea[]) AS s (id, database, wrapped)";
const TENANTS_OF_THEM: &str = "
INSERT INTO tenant (id, environment_id, slug, database_id, state, seeded, epoch, parameters, route_version)
SELECT gen_random_uuid(), d.environment_id, $2 || '-' || replace(d.id::text, '-', ''), d.id, 'serving', true, 1, '[]', c.version
FROM unnest($1::uuid[]) AS s (id)
JOIN database d ON d.id = s.id
CROSS JOIN route_clock c";

/// Makes so many, named by a word.
pub(crate) async fn make(bench: &Bench, word: &str, tenants: usize) -> Outcome<()> {
    let samples = sample::sealed_logins(&bench.control, tenants).await?;
    let client = bench.client().await;
    // Each name is locked while it is taken.
    for some in samples.chunks(AT_ONCE) {
        let databases: Vec<_> = some.iter().map(|sample| sample.database).collect();
        let sealed: Vec<&[u8]> = some.iter().map(|sample| &*sample.sealed_logins).collect();
        let keys: Vec<_> = some.iter().map(|sample| sample.key).collect();
        let wrapped: Vec<&[u8]> = some.iter().map(|sample| &*sample.wrapped).collect();
        client.execute(DATABASES, &[&databases, &sealed]).await?;
        client.execute(KEYS, &[&keys, &databases, &wrapped, &some[0].master_key]).await?;
        client.execute(TENANTS_OF_THEM, &[&databases, &word]).await?;
    }
    client.batch_execute("VACUUM ANALYZE").await?;
    Ok(())
}
