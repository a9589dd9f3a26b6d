//! Who is told when something happens: mails, which may be off, and webhooks, which may be dead.

use super::Finding;
use crate::control::Control;

pub(super) async fn examine(control: &Control) -> Vec<Finding> {
    let mail = match control.mail() {
        Some(config) => format!("what needs a person is written to {}", config.summary()),
        None => "off: `HOLM_SMTP_URL` is not set, so that nobody is written to".to_owned(),
    };
    let mut findings = vec![Finding::good("mail", mail)];
    match holm_store::webhook::list(control.catalog()).await {
        Ok(webhooks) => {
            let dead = webhooks.iter().filter(|webhook| webhook.died_at.is_some());
            let dead = dead.map(|webhook| {
                let text = "it has missed something for good, and takes nothing since";
                let next = format!("see what: `holm webhook deliveries {} --state dead`, then `holm webhook replay`", webhook.name);
                Finding::warning(format!("webhook {}", webhook.name), text, next)
            });
            findings.extend(dead);
        }
        Err(error) => findings.push(Finding::of("webhooks", &error.into())),
    }
    findings
}
