//! `--proxy-pooling` and `--proxy-reset`: words for what the proxy takes.

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

/// When a server connection is cleaned between two clients in transaction pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Reset {
    /// When a client may have left something behind, as far as Holm can see
    Seen,
    /// Always
    Strict,
}

impl From<Reset> for holm_proxy::postgres::Reset {
    fn from(said: Reset) -> Self {
        match said {
            Reset::Seen => Self::Seen,
            Reset::Strict => Self::Strict,
        }
    }
}
