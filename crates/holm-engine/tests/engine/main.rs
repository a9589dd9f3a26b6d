//! What the control plane promises, on a real PostgreSQL.

#[cfg(test)]
mod support;

#[cfg(test)]
mod access;
#[cfg(test)]
mod adding;
#[cfg(test)]
mod adopting;
#[cfg(test)]
mod adopting_urls;
#[cfg(test)]
mod approvals;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod certified;
#[cfg(test)]
mod client_certificates;
#[cfg(test)]
mod clusters;
#[cfg(test)]
mod copying;
#[cfg(test)]
mod copying_across;
#[cfg(test)]
mod creating;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod deleting;
#[cfg(test)]
mod draining;
#[cfg(test)]
mod encrypted;
#[cfg(test)]
mod expiring;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod holding;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod mails;
#[cfg(test)]
mod near;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod on_plans;
#[cfg(test)]
mod parity;
mod pausing;
#[cfg(test)]
mod placing;
#[cfg(test)]
mod pulse;
#[cfg(test)]
mod renaming;
#[cfg(test)]
mod replacing;
#[cfg(test)]
mod residency_answers;
#[cfg(test)]
mod residency_as_of;
#[cfg(test)]
mod residency_records;
mod residency_registered;
#[cfg(test)]
mod residency_seen;
#[cfg(test)]
mod rotating;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod scheduling;
#[cfg(test)]
mod seeding;
#[cfg(test)]
mod set_server;
#[cfg(test)]
mod statistics;
mod strangers;
mod templates;
#[cfg(test)]
mod twins;
#[cfg(test)]
mod vault;
#[cfg(test)]
mod webhooks;
