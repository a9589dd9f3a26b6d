//! Every command of the console, and who may give it: the one table.
//!
//! Promises: a command that is added here has no role until somebody writes one down, since both matches name every command.

use std::fmt;

/// What somebody may do in the console.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ConsoleRole {
    /// May look on.
    Stats,
    /// May act on tenants and clients too.
    Admin,
}

impl ConsoleRole {
    /// Every role, the least first.
    pub const ALL: [Self; 2] = [Self::Stats, Self::Admin];

    /// The word for people and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stats => "stats",
            Self::Admin => "admin",
        }
    }

    pub(super) fn may(self, verb: Verb) -> bool {
        self >= verb.least()
    }
}

/// A command, without what it is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Verb {
    /// Nothing between two semicolons.
    Nothing,
    /// `SELECT 1`, by which drivers see whether somebody is there.
    SelectOne,
    ShowHelp,
    ShowVersion,
    ShowConfig,
    ShowDatabases,
    ShowPools,
    ShowClients,
    ShowServers,
    ShowStats,
    ShowStatsTotals,
    ShowTotals,
    ShowLists,
    ShowUsers,
    ShowState,
    /// A parameter that every PostgreSQL session has.
    ShowParameter,
    /// A parameter that drivers set at their start.
    SetParameter,
    /// `DISCARD ALL`, with which drivers begin anew: it forgets what is prepared.
    DiscardAll,
    Pause,
    Resume,
    Kill,
    KillClient,
    Reconnect,
    WaitClose,
    /// A command of PgBouncer's that is done elsewhere in Holm, or not at all.
    Reload,
    Shutdown,
    Suspend,
    Disable,
    Enable,
    SetConfig,
}

impl Verb {
    #[cfg(test)]
    const ALL: [Self; 30] = [
        Self::Nothing,
        Self::SelectOne,
        Self::ShowHelp,
        Self::ShowVersion,
        Self::ShowConfig,
        Self::ShowDatabases,
        Self::ShowPools,
        Self::ShowClients,
        Self::ShowServers,
        Self::ShowStats,
        Self::ShowStatsTotals,
        Self::ShowTotals,
        Self::ShowLists,
        Self::ShowUsers,
        Self::ShowState,
        Self::ShowParameter,
        Self::SetParameter,
        Self::DiscardAll,
        Self::Pause,
        Self::Resume,
        Self::Kill,
        Self::KillClient,
        Self::Reconnect,
        Self::WaitClose,
        Self::Reload,
        Self::Shutdown,
        Self::Suspend,
        Self::Disable,
        Self::Enable,
        Self::SetConfig,
    ];

    /// The least role that may.
    const fn least(self) -> ConsoleRole {
        match self {
            Self::Nothing
            | Self::SelectOne
            | Self::ShowHelp
            | Self::ShowVersion
            | Self::ShowConfig
            | Self::ShowDatabases
            | Self::ShowPools
            | Self::ShowClients
            | Self::ShowServers
            | Self::ShowStats
            | Self::ShowStatsTotals
            | Self::ShowTotals
            | Self::ShowLists
            | Self::ShowUsers
            | Self::ShowState
            | Self::ShowParameter
            | Self::SetParameter
            | Self::DiscardAll => ConsoleRole::Stats,
            Self::Pause
            | Self::Resume
            | Self::Kill
            | Self::KillClient
            | Self::Reconnect
            | Self::WaitClose
            | Self::Reload
            | Self::Shutdown
            | Self::Suspend
            | Self::Disable
            | Self::Enable
            | Self::SetConfig => ConsoleRole::Admin,
        }
    }

    /// As people type it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::SelectOne => "SELECT 1",
            Self::ShowHelp => "SHOW HELP",
            Self::ShowVersion => "SHOW VERSION",
            Self::ShowConfig => "SHOW CONFIG",
            Self::ShowDatabases => "SHOW DATABASES",
            Self::ShowPools => "SHOW POOLS",
            Self::ShowClients => "SHOW CLIENTS",
            Self::ShowServers => "SHOW SERVERS",
            Self::ShowStats => "SHOW STATS",
            Self::ShowStatsTotals => "SHOW STATS_TOTALS",
            Self::ShowTotals => "SHOW TOTALS",
            Self::ShowLists => "SHOW LISTS",
            Self::ShowUsers => "SHOW USERS",
            Self::ShowState => "SHOW STATE",
            Self::ShowParameter => "SHOW",
            Self::SetParameter | Self::SetConfig => "SET",
            Self::DiscardAll => "DISCARD ALL",
            Self::Pause => "PAUSE",
            Self::Resume => "RESUME",
            Self::Kill => "KILL",
            Self::KillClient => "KILL_CLIENT",
            Self::Reconnect => "RECONNECT",
            Self::WaitClose => "WAIT_CLOSE",
            Self::Reload => "RELOAD",
            Self::Shutdown => "SHUTDOWN",
            Self::Suspend => "SUSPEND",
            Self::Disable => "DISABLE",
            Self::Enable => "ENABLE",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_role_and_whoever_may_only_look_on_acts_on_nothing() {
        assert_eq!(Verb::ALL.len(), Verb::SetConfig as usize + 1, "a command is missing in the list");
        let cell = |verb, role: ConsoleRole| if role.may(verb) { role.as_str() } else { "-" };
        let table: String = Verb::ALL
            .iter()
            .map(|verb| format!("{verb:?}: {} {}\n", cell(*verb, ConsoleRole::Stats), cell(*verb, ConsoleRole::Admin)))
            .collect();
        insta::assert_snapshot!(table);
    }
}
