//! `--proxy-pooling`: one word for what the proxy takes.

/// For how long a connection of an app has a server connection of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Pooling {
    /// As long as it is open
    Session,
    /// As long as a transaction; `owner` credentials keep sessions
    Transaction,
}

impl From<Pooling> for holm_proxy::postgres::Pooling {
    fn from(said: Pooling) -> Self {
        match said {
            Pooling::Session => Self::Session,
            Pooling::Transaction => Self::Transaction,
        }
    }
}
