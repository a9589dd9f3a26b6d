//! The processes on the catalog: which routes each uses, which Holm each is, and who is silent.

use std::collections::BTreeSet;

use holm_core::route::RouteVersion;

use super::Finding;
use crate::control::Control;
use crate::node::{self, Node};

pub(super) async fn examine(control: &Control, version: RouteVersion) -> Vec<Finding> {
    let nodes = match node::list(control).await {
        Ok(nodes) => nodes,
        Err(problem) => return vec![Finding::of("nodes", &problem)],
    };
    let mut findings: Vec<Finding> = nodes.iter().filter(|node| !node::replaced(&nodes, node)).map(|node| one(node, version)).collect();
    let living = nodes.iter().filter(|node| node::lives(node));
    let versions: BTreeSet<&str> = living.clone().map(|node| node.holm_version.as_str()).collect();
    if versions.len() > 1 {
        let text = format!("different versions of Holm run: {}", Vec::from_iter(versions).join(", "));
        findings.push(Finding::warning("nodes", text, "this is fine while you upgrade; finish with the newest on every node"));
    }
    let names: BTreeSet<&str> = living.clone().map(|node| node.name.as_str()).collect();
    if names.len() < living.count() {
        findings.push(Finding::warning(
            "nodes",
            "two that run have one name",
            "give each a name of its own with `--node-name`: a silent node of a name is forgotten when another has it",
        ));
    }
    findings
}

fn one(node: &Node, version: RouteVersion) -> Finding {
    let check = format!("node {}", node.name);
    let what = format!("{}, Holm {}", node.role.as_str(), node.holm_version);
    let silent = node.silent.as_secs();
    let uses = node.route_version;
    if !node.role.carries() {
        return if node::lives(node) {
            Finding::good(check, what)
        } else {
            Finding::warning(check, format!("{what}: not heard of for {silent} s"), "others carry on its operations; start it again")
        };
    }
    if node::lives(node) {
        // What it has not taken up yet is a moment old, or a finding of the data plane.
        return Finding::good(check, format!("{what}: uses route version {} of {version}", uses.min(version)));
    }
    let text = format!("{what}: not heard of for {silent} s; if it still runs, or is started so, it serves the routes of version {uses}");
    let next = format!(
        "stop it or let it reach the catalog; one that is gone is forgotten when another of its name starts, or by `holm node forget {}`",
        node.name
    );
    Finding::bad(check, text, next)
}
