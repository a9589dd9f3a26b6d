//! Whatever clients say, the proxy answers as PostgreSQL does: pipelines made from a seed, half of them wrong somewhere, said to a
//! server directly and through the proxy in both poolings, by two clients in turn who use the same names for different things.
//!
//! A failure prints the seed: `HOLM_SEED=… cargo test -p holm-proxy --test postgres differential` says the same again, and
//! `HOLM_SEED=any` says something new.

use std::fmt::Write as _;
use std::hash::{BuildHasher, RandomState};

use holm_core::credential::Level;
use holm_core::role::RoleName;
use holm_testkit::new_server;
use tokio::net::TcpStream;
use tokio_postgres::NoTls;

use crate::raw::{Message, Raw, startup};
use crate::support::{SECRET, Tenant, World, config};

/// Pipelines in one run; each is a few to a dozen messages.
const PIPELINES: usize = 400;

/// What a run begins with that is told nothing.
const SEED: u64 = 6_062_004_256_959_930_348;

/// Names of statements and portals; the last is one that nobody makes.
const NAMES: [&str; 5] = ["", "a", "b", "Quoted Name", "never"];

/// `%` is the table of the client: nobody waits for another's rows.
const TEXTS: &[&str] = &[
    "SELECT 1",
    "SELECT $1::int4 + 1",
    "SELECT $1::text, $2::int4",
    "SELECT id, word FROM % ORDER BY id LIMIT 3",
    "SELECT word FROM % WHERE id = $1::int4",
    "INSERT INTO % VALUES ($1::int4, 'new') ON CONFLICT (id) DO NOTHING",
    "INSERT INTO % VALUES (1, 'there already')",
    "UPDATE % SET word = word WHERE id < 3",
    "SELECT generate_series(1, 200)",
    "SELECT 1/0",
    "SELECT nothing FROM nowhere",
    "selec",
    "",
    ";",
    " -- only a comment",
    "BEGIN",
    "BEGIN ISOLATION LEVEL SERIALIZABLE",
    "COMMIT",
    "COMMIT AND CHAIN",
    "ROLLBACK",
    "SAVEPOINT here",
    "ROLLBACK TO here",
    "RELEASE here",
    "SELECT 1; SELECT 2",
    "BEGIN; SELECT 1; COMMIT",
    "SELECT nextval('%_numbers'), nextval('%_numbers')",
    "SELECT nextval('%_numbers'); SELECT currval('%_numbers'), lastval()",
    "SELECT 1; SELECT 1/0; SELECT 2",
    "DECLARE c CURSOR FOR SELECT generate_series(1, 5)",
    "DECLARE h CURSOR WITH HOLD FOR SELECT generate_series(1, 5)",
    "FETCH 2 FROM c",
    "FETCH 2 FROM h",
    "CLOSE ALL",
    "PREPARE by_sql AS SELECT 41",
    "PREPARE \"By SQL\" (int4) AS SELECT $1",
    "EXECUTE by_sql",
    "EXECUTE \"By SQL\" (7)",
    "EXECUTE a",
    "EXECUTE b (3)",
    "EXPLAIN (COSTS OFF) EXECUTE \"Quoted Name\"",
    "EXECUTE a; SELECT 2",
    "SELECT 1; DEALLOCATE b",
    "DEALLOCATE \"By SQL\"",
    "DEALLOCATE never",
    "SELECT name FROM pg_prepared_statements WHERE name NOT LIKE 'holm %' AND from_sql ORDER BY 1",
    "SET application_name = 'differential'",
    "SET LOCAL application_name = 'for now'",
    "SHOW application_name",
    "SET statement_timeout = '61s'",
    "SHOW statement_timeout",
    "SET nothing.at_all = 'x'",
    "RESET ALL",
    "DISCARD ALL",
    "CREATE TEMP TABLE IF NOT EXISTS mine (n int4)",
    "INSERT INTO mine VALUES (1)",
    "SELECT count(*) FROM mine",
    "DROP TABLE IF EXISTS mine",
    "COPY % TO STDOUT",
    "DO $$ BEGIN RAISE NOTICE 'said by %', 'a block'; END $$",
    "SELECT pg_try_advisory_xact_lock(1)",
    "EXPLAIN (COSTS OFF) SELECT 1",
    "SELECT repeat('x', 20000)",
];

/// What can be prepared whatever happened before.
const PREPARED: &[&str] = &[
    "SELECT 1",
    "SELECT $1::int4 + 1",
    "SELECT id, word FROM % ORDER BY id LIMIT 3",
    "SELECT word FROM % WHERE id = $1::int4",
    "INSERT INTO % VALUES ($1::int4, 'new') ON CONFLICT (id) DO NOTHING",
    "SELECT generate_series(1, 200)",
    "SELECT 1 / $1::int4",
    "UPDATE % SET word = word WHERE id < 3",
    "BEGIN",
    "COMMIT",
    "SHOW application_name",
];

/// What a seed gives, one after the other (Steele, Lea, Flood: splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }

    fn of<T: Copy>(&mut self, some: &[T]) -> T {
        some[self.roll(some.len())]
    }
}

/// Messages that are sent at once, and how often the server says that it is ready after them.
#[derive(Default)]
struct Pipeline {
    bytes: Vec<u8>,
    ready: usize,
    /// Since the last Sync: portals, and whether there is a statement without a name.
    bound: Vec<&'static str>,
    parsed: bool,
    /// For whoever reads of a failure.
    told: String,
}

impl Pipeline {
    fn say(&mut self, tag: u8, body: &[u8]) {
        self.bytes.push(tag);
        self.bytes.extend_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
        self.bytes.extend_from_slice(body);
        if matches!(tag, b'Q' | b'S' | b'F') {
            self.ready += 1;
        }
        self.parsed |= tag == b'P' && body.first() == Some(&0);
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).replace('\0', "·");
        write!(self.told, " {}({shown})", char::from(tag)).unwrap();
    }

    /// One that fits the state that the client's transaction is in.
    fn of(dice: &mut Dice, table: &str, failed: bool) -> Self {
        let mut pipeline = Self::default();
        let text = |dice: &mut Dice| dice.of(TEXTS).replace('%', table);
        match dice.roll(12) {
            10.. if !failed => pipeline.prepare(dice, table),
            0..=3 => {
                let sql = text(dice);
                pipeline.say(b'Q', format!("{sql}\0").as_bytes());
            }
            4 => pipeline.copy_in(dice, table),
            5 => pipeline.call(dice),
            _ => {
                for _ in 0..=dice.roll(3) {
                    for _ in 0..=dice.roll(5) {
                        pipeline.extended(dice, &text);
                    }
                    pipeline.say(b'S', b"");
                    (pipeline.bound, pipeline.parsed) = (Vec::new(), false);
                }
            }
        }
        pipeline
    }

    fn extended(&mut self, dice: &mut Dice, text: &impl Fn(&mut Dice) -> String) {
        // What an error skips counts for names, and for the lack of one (docs/reference/pooling.md, "What differs").
        let known = if self.parsed { &NAMES[..] } else { &NAMES[1..] };
        let (named, portal) = (dice.of(known), dice.of(&["", "", "p", "never"]));
        let bind = |statement: &str, values: usize| {
            let values: Vec<u8> = (0..values).flat_map(|_| [&1_u32.to_be_bytes()[..], b"3"].concat()).collect();
            let count = u16::try_from(values.len() / 5).unwrap().to_be_bytes();
            [portal.as_bytes(), b"\0", statement.as_bytes(), b"\0\0\0", &count, &values, b"\0\0"].concat()
        };
        match dice.roll(12) {
            0..=2 => {
                let sql = text(dice);
                self.say(b'P', format!("\0{sql}\0\0\0").as_bytes());
            }
            // As drivers do: all of it, with as many values as it wants or not.
            3..=5 => {
                let (sql, values, most) = (text(dice), dice.roll(3), dice.of(&[0_u32, 0, 2]));
                self.say(b'P', format!("\0{sql}\0\0\0").as_bytes());
                self.say(b'B', &bind("", values));
                self.say(b'D', format!("P{portal}\0").as_bytes());
                self.say(b'E', &[portal.as_bytes(), b"\0", &most.to_be_bytes()].concat());
            }
            6 => {
                let values = dice.roll(3);
                self.say(b'B', &bind(named, values));
                self.bound.push(portal);
            }
            // PostgreSQL 15 itself crashes where a portal of a transaction that failed is executed after its statement is gone.
            7 if self.bound.contains(&portal) => {
                self.say(b'E', &[portal.as_bytes(), b"\0", &dice.of(&[0_u32, 2]).to_be_bytes()].concat());
            }
            8 => self.say(b'D', format!("S{named}\0").as_bytes()),
            9 | 10 => self.say(b'D', format!("P{portal}\0").as_bytes()),
            _ if dice.roll(2) == 0 => self.say(b'C', format!("P{portal}\0").as_bytes()),
            _ => self.say(b'H', b""),
        }
    }

    /// Gives a name a text, or takes it away: in a pipeline of its own, which nothing makes fail (docs/reference/pooling.md, "What
    /// differs").
    fn prepare(&mut self, dice: &mut Dice, table: &str) {
        let (name, sql) = (dice.of(&NAMES[1..4]), dice.of(PREPARED).replace('%', table));
        if dice.roll(6) == 0 {
            return self.say(b'Q', format!("DEALLOCATE \"{name}\"\0").as_bytes());
        }
        self.say(b'C', format!("S{name}\0").as_bytes());
        if dice.roll(5) > 0 {
            self.say(b'P', format!("{name}\0{sql}\0\0\0").as_bytes());
            if dice.roll(2) == 0 {
                self.say(b'D', format!("S{name}\0").as_bytes());
            }
        }
        self.say(b'S', b"");
    }

    fn copy_in(&mut self, dice: &mut Dice, table: &str) {
        self.say(b'Q', format!("COPY {table} FROM STDIN\0").as_bytes());
        for _ in 0..dice.roll(3) {
            let row = dice.of(&["900\tcopied\n", "not a number\tx\n", "901\tha", "lf\n"]);
            self.say(b'd', row.as_bytes());
        }
        if dice.roll(2) == 0 { self.say(b'f', b"changed my mind\0") } else { self.say(b'c', b"") }
    }

    /// `int4abs`, or a function that is not there.
    fn call(&mut self, dice: &mut Dice) {
        let function = dice.of(&[1251_u32, 1251, 4_000_000_000]).to_be_bytes();
        self.say(b'F', &[&function[..], &[0, 0, 0, 1, 0, 0, 0, 2], b"-5", &[0, 0]].concat());
    }
}

/// What one of them was answered, without what may differ: identities of tables, lines of PostgreSQL's source, and settings that are reported.
fn normal((tag, body): &Message) -> Option<(char, String)> {
    let body = match tag {
        b'S' => return None,
        b'E' | b'N' => {
            let fields = body.split(|byte| *byte == 0).filter(|field| !field.is_empty() && !b"FLR".contains(&field[0]));
            without_name(&fields.map(|field| String::from_utf8_lossy(field).into_owned()).collect::<Vec<_>>().join(" | "))
        }
        b'T' => columns(body),
        _ => String::from_utf8_lossy(body).into_owned(),
    };
    Some((char::from(*tag), body))
}

/// A server in transaction pooling knows a statement by another name than its client.
fn without_name(text: &str) -> String {
    const BEFORE: &str = "prepared statement \"";
    match text.split_once(BEFORE) {
        Some((before, after)) => format!("{before}{BEFORE}…\"{}", after.split_once('"').map_or("", |(_, rest)| rest)),
        None => text.to_owned(),
    }
}

/// Names and types.
fn columns(mut body: &[u8]) -> String {
    let mut all = String::new();
    body = &body[2..];
    while let Some(end) = body.iter().position(|byte| *byte == 0) {
        let (name, rest) = (&body[..end], &body[end + 1..]);
        write!(all, "{} {:?}, ", String::from_utf8_lossy(name), &rest[4..18]).unwrap();
        body = &rest[18..];
    }
    all
}

/// In a transaction that has failed, what cannot be prepared for a client is one more error, of whichever two there are.
async fn answers(client: &mut Raw, pipeline: &Pipeline, mut failed: bool) -> Vec<(char, String)> {
    client.send(&pipeline.bytes).await;
    let mut said = Vec::new();
    for _ in 0..pipeline.ready {
        loop {
            let Some(message) = client.next().await else {
                said.push(('!', "closed".to_owned()));
                return said;
            };
            match message.0 {
                b'E' if failed => said.push(('E', "another error".to_owned())),
                _ => said.extend(normal(&message)),
            }
            if message.0 == b'Z' {
                failed = message.1 == b"E";
                break;
            }
        }
    }
    said
}

/// A tenant with a table for each of two clients.
async fn tenant(world: &World, slug: &str) -> Tenant {
    let tenant = world.tenant(slug).await;
    let (role, password) = rw(&tenant);
    let mut config = tokio_postgres::Config::new();
    config.host(&*world.server.address.host).port(world.server.address.port).user(&role).password(password);
    let (client, connection) = config.dbname(tenant.route.database.as_str()).connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    let admin = world.server.connect("postgres").await;
    let grant = format!("GRANT TEMPORARY ON DATABASE {} TO {}", tenant.route.database.as_ident(), role_of(&tenant).as_ident());
    admin.batch_execute(&grant).await.unwrap();
    for table in TABLES {
        let sql = format!(
            "CREATE TABLE {table} (id int4 PRIMARY KEY, word text);
             INSERT INTO {table} SELECT n, 'word ' || n FROM generate_series(1, 5) n;
             CREATE SEQUENCE {table}_numbers"
        );
        client.batch_execute(&sql).await.unwrap();
    }
    tenant
}

const TABLES: [&str; 2] = ["of_one", "of_two"];

fn role_of(tenant: &Tenant) -> RoleName {
    RoleName::of(&tenant.route.database, Level::Rw)
}

fn rw(tenant: &Tenant) -> (String, String) {
    (role_of(tenant).as_str().to_owned(), format!("{} {}", tenant.route.database, Level::Rw))
}

async fn directly(world: &World, tenant: &Tenant) -> Raw {
    let (role, password) = rw(tenant);
    let mut raw = Raw::over(TcpStream::connect((&*world.server.address.host, world.server.address.port)).await.unwrap());
    raw.send(&startup(0, &[("user", &role), ("database", tenant.route.database.as_str())])).await;
    raw.prove(&password).await;
    raw.until(b'Z').await;
    raw
}

async fn proxied(world: &World, slug: &str, pooling: &str) -> Raw {
    let mut raw = Raw::connect(world).await;
    raw.send(&startup(0, &[("user", "app"), ("database", slug), ("options", &format!("-c holm.pooling={pooling}"))])).await;
    raw.prove(SECRET).await;
    raw.until(b'Z').await;
    raw
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_two_clients_say_they_are_answered_as_by_the_server_itself() {
    let seed = match std::env::var("HOLM_SEED").ok() {
        None => SEED,
        Some(seed) => seed.parse().unwrap_or_else(|_| RandomState::new().hash_one(())),
    };
    let world = World::with(config(), Box::leak(Box::new(new_server(&[]).await))).await;
    let bare = tenant(&world, "bare").await;
    tenant(&world, "session").await;
    tenant(&world, "transaction").await;
    let mut clients = Vec::new();
    for _ in TABLES {
        let direct = directly(&world, &bare).await;
        clients.push([direct, proxied(&world, "session", "session").await, proxied(&world, "transaction", "transaction").await]);
    }
    let (mut dice, mut story, mut failed) = (Dice(seed), String::new(), [false; 2]);
    for number in 0..PIPELINES {
        let who = dice.roll(2);
        let pipeline = Pipeline::of(&mut dice, TABLES[who], failed[who]);
        writeln!(story, "{number} client {who}:{}", pipeline.told).unwrap();
        let [direct, others @ ..] = &mut clients[who];
        let right = answers(direct, &pipeline, failed[who]).await;
        for (other, pooling) in others.iter_mut().zip(["session", "transaction"]) {
            let said = answers(other, &pipeline, failed[who]).await;
            let last: Vec<&str> = story.lines().rev().take(12).collect();
            let before = last.into_iter().rev().collect::<Vec<_>>().join("\n");
            assert_eq!(said, right, "{pooling} pooling, HOLM_SEED={seed}, after\n{before}");
        }
        failed[who] = right.last().is_some_and(|(_, state)| state == "E");
        assert!(right.iter().all(|(tag, _)| *tag != '!'), "HOLM_SEED={seed}: the server closed a session\n{}", pipeline.told);
    }
}
