//! A plan, and what came of it, as people read it.
//!
//! Promises: what stands in the files can neither move a terminal's cursor nor break a line.

use super::view::{DatabaseView, PlanView, State};
use crate::output::visible;
use crate::pgbouncer::settings::Fate;

/// What would be done.
pub(super) fn plan(view: &PlanView) -> String {
    let ready = count(view, State::Ready);
    let of = view.databases.len();
    let mut page = Page(String::new());
    page.line(&format!("{}: {ready} of {} ready to be adopted in {}", view.file, databases(of), view.environment));
    for database in &view.databases {
        page.gap();
        planned(&mut page, database);
    }
    settings(&mut page, view);
    page.gap();
    for note in &view.notes {
        page.line(&format!("note: {note}"));
    }
    if ready > 0 {
        page.line("nothing was changed; with `--apply` those that are ready are adopted");
    }
    page.0
}

/// What was done.
pub(super) fn applied(view: &PlanView) -> String {
    let mut page = Page(String::new());
    let there = count(view, State::Adopted) + count(view, State::There);
    for database in &view.databases {
        let tenant = database.tenant.as_ref().map_or_else(String::new, |tenant| format!(" as {}", tenant.slug));
        let why = database.why().map_or_else(String::new, |why| format!(": {why}"));
        page.line(&format!("{:8} {}{tenant}{why}", database.state.as_str(), database.name));
        let next =
            database.problem.iter().flat_map(|problem| &problem.next).chain(database.obstacles.iter().map(|obstacle| &obstacle.next));
        for next in next {
            page.line(&format!("         → {next}"));
        }
    }
    page.line(&format!("{there} of {} are tenants' in {}", databases(view.databases.len()), view.environment));
    page.0
}

fn count(view: &PlanView, state: State) -> usize {
    view.databases.iter().filter(|database| database.state == state).count()
}

fn databases(count: usize) -> String {
    if count == 1 { "1 database".to_owned() } else { format!("{count} databases") }
}

fn planned(page: &mut Page, database: &DatabaseView) {
    match &database.tenant {
        Some(tenant) => {
            let most =
                tenant.max.map_or_else(|| "as many connections as its server has".to_owned(), |max| format!("at most {max} connections"));
            let at = format!("database {} at {} as role {}", tenant.database, tenant.server, tenant.role);
            page.line(&format!("{} ({}) becomes tenant {}: {at}, {most}", database.name, database.place, tenant.slug));
            if let Some(sql) = &database.before {
                page.line(&format!("  first, on its server: {sql};"));
            }
            for command in &tenant.commands {
                page.line(&format!("  {command}"));
            }
        }
        None => {
            page.line(&format!("{} ({}) is not ready", database.name, database.place));
            for obstacle in &database.obstacles {
                page.line(&format!("  ✗ {}", obstacle.why));
                page.line(&format!("    → {}", obstacle.next));
            }
        }
    }
    for note in &database.notes {
        page.line(&format!("  note: {note}"));
    }
}

fn settings(page: &mut Page, view: &PlanView) {
    for fate in [Fate::Becomes, Fate::Lost, Fate::Unknown, Fate::Unneeded] {
        let mut of_this = view.settings.iter().filter(|setting| setting.fate == fate).peekable();
        if of_this.peek().is_none() {
            continue;
        }
        page.gap();
        page.line(match fate {
            Fate::Becomes => "Settings that have a counterpart:",
            Fate::Lost => "Settings that nothing in Holm does:",
            Fate::Unknown => "Settings that PgBouncer 1.25 does not have:",
            Fate::Unneeded => "Settings that Holm does without:",
        });
        for setting in of_this {
            page.line(&format!("  [{}] {}: {}", setting.section, setting.name, setting.how));
        }
    }
}

struct Page(String);

impl Page {
    fn line(&mut self, text: &str) {
        self.0 += &visible(text);
        self.0.push('\n');
    }

    fn gap(&mut self) {
        self.0.push('\n');
    }
}
