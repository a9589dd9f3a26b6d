//! What `holm dev` says when it is ready: where everything is, and what to try next.

use std::time::Duration;

use super::Args;
use super::directory::Directory;
use super::installation::Installation;

/// Prints to stderr: stdout is for data, and this command has none.
pub(super) fn print(args: &Args, directory: &Directory, installation: &Installation, took: Duration) {
    let (proxy, gateway, api) = (installation.proxy_address(), installation.gateway_address(), installation.api_address());
    let postgres = installation.postgres();
    let dir = directory.path().display();
    eprintln!("Holm is ready after {:.1} s; Ctrl-C stops everything and keeps the data\n", took.as_secs_f64());
    eprintln!("  PostgreSQL  {} from {} ({})", postgres.version, postgres.bin.display(), postgres.source);
    eprintln!("  Proxy       {proxy}      one endpoint, the database name is the tenant");
    eprintln!("  Gateway     {gateway}      one subdomain a tenant");
    eprintln!("  API         http://{api}/v1 (token in {dir}/token)");
    eprintln!("  Data        {dir}\n");
    let names: Vec<&str> = installation.environments().iter().map(|environment| environment.name.as_str()).collect();
    eprintln!("  Environments: {}, each on a server of its own\n", names.join(", "));
    for line in next_steps(args, &names, gateway.port()) {
        eprintln!("  {line}");
    }
}

fn next_steps(args: &Args, environments: &[&str], gateway_port: u16) -> Vec<String> {
    let mut lines = vec!["In another terminal:".to_owned()];
    if environments.contains(&"production") {
        lines.push("  holm tenant list".into());
        lines.push("  holm tenant psql goteborg --env production      then: SELECT * FROM open_gigs LIMIT 5;".into());
        lines.push("  psql \"$(holm tenant url malmo --env production)\"".into());
        lines.push("  holm tenant create uppsala --env production".into());
        lines.push("  holm residency explain goteborg --env production".into());
        lines.push("  holm env print --env production                 DATABASE_URL_GOTEBORG=… for an app".into());
    } else {
        lines.push(format!("  holm tenant create my-first --env {}", environments[0]));
        lines.push(format!("  holm tenant psql my-first --env {}", environments[0]));
    }
    if args.app.is_none() {
        lines.push(format!("  holm dev --app http://127.0.0.1:3000            then: http://<tenant>.localhost:{gateway_port}"));
    }
    lines
}
