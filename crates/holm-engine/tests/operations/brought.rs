//! Databases that somebody brings: on a server of their own, with an owner who may do nothing else there.

use holm_testkit::{TestServer, new_server};

use crate::world::World;

impl World {
    /// The server that they are on; started when the first of them is wanted.
    pub(crate) async fn brought(&self) -> &TestServer {
        self.brought.get_or_init(|| new_server(&[("max_connections", "400")])).await
    }

    /// Makes one with a table and rows, closed to everyone else, whose role begins with its name; how its owner says where.
    pub(crate) async fn bring(&self, name: &str) -> String {
        let server = self.brought().await;
        let admin = server.connect("postgres").await;
        for sql in [
            format!("CREATE ROLE {name}_owner LOGIN PASSWORD '{}'", password(name)),
            format!("CREATE DATABASE {name} OWNER {name}_owner TEMPLATE template0"),
            format!("REVOKE ALL ON DATABASE {name} FROM PUBLIC"),
        ] {
            admin.batch_execute(&sql).await.unwrap();
        }
        let sql =
            format!("SET ROLE {name}_owner; CREATE TABLE public.gig AS SELECT i AS id, '{name}' AS place FROM generate_series(1, 3) i");
        server.connect(name).await.batch_execute(&sql).await.unwrap();
        format!("postgresql://{name}_owner:{}@{}/{name}", password(name), server.address)
    }
}

fn password(name: &str) -> String {
    format!("brought-with-{name}")
}
