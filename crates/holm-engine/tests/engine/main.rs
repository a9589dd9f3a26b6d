//! What the control plane promises, on a real PostgreSQL.

#[cfg(test)]
mod support;

#[cfg(test)]
mod clusters;
#[cfg(test)]
mod creating;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod seeding;
#[cfg(test)]
mod templates;
#[cfg(test)]
mod twins;
