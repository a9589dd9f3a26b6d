//! How many of a cluster's connections one tenant may have, and its share against others'.
//!
//! Promises: a minimum is never above its maximum, and nothing here is more than PostgreSQL can have. What a cluster keeps back
//! from its tenants is counted in one place ([`shared_by_tenants`]). Refuses to know what a cluster has: that the minimums of
//! all its tenants fit into it is whoever sets them to see to.

use std::fmt;

/// `max_connections` of a PostgreSQL server can be no more (`MAX_BACKENDS`).
pub const CONNECTIONS_MAX: u32 = 262_143;

/// A hundred to one is more than two tenants of one cluster ever differ.
pub const WEIGHT_MAX: u32 = 100;

/// Of so many connections one is kept back for administration and cancel requests; below that number none is.
const RESERVED_ONE_IN: u32 = 20;

/// How many of a cluster's connections its tenants share.
pub const fn shared_by_tenants(connections_max: u32) -> u32 {
    connections_max - connections_max / RESERVED_ONE_IN
}

/// What one tenant may have, by an operator's word.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TenantLimits {
    min: u32,
    max: Option<u32>,
    weight: u32,
}

/// Why limits cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLimits {
    /// More than its maximum.
    #[error("a minimum of {min} connections is more than the maximum of {max}")]
    MinAboveMax {
        /// The minimum.
        min: u32,
        /// The maximum.
        max: u32,
    },
    /// None at all.
    #[error("a maximum of 0 connections would let no session work")]
    NoneAtAll,
    /// More than a server can have.
    #[error("{0} connections are more than a PostgreSQL server can have, which is {CONNECTIONS_MAX}")]
    TooMany(u32),
    /// Not a share.
    #[error("a weight is 1 to {WEIGHT_MAX}, not {0}")]
    Weight(u32),
}

impl Default for TenantLimits {
    /// No minimum, all that the cluster has, one share.
    fn default() -> Self {
        Self { min: 0, max: None, weight: 1 }
    }
}

impl TenantLimits {
    /// Checks the three together; no maximum is all that the cluster has.
    ///
    /// # Errors
    /// [`InvalidLimits`].
    pub const fn new(min: u32, max: Option<u32>, weight: u32) -> Result<Self, InvalidLimits> {
        if min > CONNECTIONS_MAX {
            return Err(InvalidLimits::TooMany(min));
        }
        match max {
            Some(0) => return Err(InvalidLimits::NoneAtAll),
            Some(max) if max > CONNECTIONS_MAX => return Err(InvalidLimits::TooMany(max)),
            Some(max) if min > max => return Err(InvalidLimits::MinAboveMax { min, max }),
            Some(_) | None => {}
        }
        if weight == 0 || weight > WEIGHT_MAX {
            return Err(InvalidLimits::Weight(weight));
        }
        Ok(Self { min, max, weight })
    }

    /// As many as nobody takes from it.
    pub const fn min(self) -> u32 {
        self.min
    }

    /// As many as it may have, if it is not all.
    pub const fn max(self) -> Option<u32> {
        self.max
    }

    /// Its share against others'.
    pub const fn weight(self) -> u32 {
        self.weight
    }

    /// With the changes that somebody asked for.
    ///
    /// # Errors
    /// [`InvalidLimits`]; what they would be together.
    pub fn changed(self, change: &LimitsChange) -> Result<Self, InvalidLimits> {
        let from = if change.reset { Self::default() } else { self };
        Self::new(change.min.unwrap_or(from.min), change.max.unwrap_or(from.max), change.weight.unwrap_or(from.weight))
    }
}

impl fmt::Display for TenantLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "min={} max=", self.min)?;
        match self.max {
            Some(max) => write!(f, "{max}")?,
            None => f.write_str("all")?,
        }
        write!(f, " weight={}", self.weight)
    }
}

/// What somebody wants to be different; what is not named stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LimitsChange {
    /// Everything that is not named is as with a new tenant.
    pub reset: bool,
    /// The minimum.
    pub min: Option<u32>,
    /// The maximum; `Some(None)` is all that the cluster has.
    pub max: Option<Option<u32>>,
    /// The weight.
    pub weight: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_cannot_be_are_refused_with_the_numbers() {
        assert_eq!(TenantLimits::new(0, None, 1), Ok(TenantLimits::default()));
        assert!(TenantLimits::new(CONNECTIONS_MAX, None, WEIGHT_MAX).is_ok());
        assert!(TenantLimits::new(3, Some(3), 1).is_ok());
        for (refused, text) in [
            (TenantLimits::new(4, Some(3), 1), "a minimum of 4 connections is more than the maximum of 3"),
            (TenantLimits::new(0, Some(0), 1), "a maximum of 0 connections would let no session work"),
            (
                TenantLimits::new(CONNECTIONS_MAX + 1, None, 1),
                "262144 connections are more than a PostgreSQL server can have, which is 262143",
            ),
            (TenantLimits::new(0, Some(u32::MAX), 1), "4294967295 connections are more than a PostgreSQL server can have, which is 262143"),
            (TenantLimits::new(0, None, 0), "a weight is 1 to 100, not 0"),
            (TenantLimits::new(0, None, 101), "a weight is 1 to 100, not 101"),
        ] {
            assert_eq!(refused.unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name_and_is_checked_as_a_whole() {
        let five = TenantLimits::new(2, Some(5), 7).unwrap();
        assert_eq!(five.changed(&LimitsChange::default()), Ok(five));
        assert_eq!(five.changed(&LimitsChange { max: Some(None), ..Default::default() }).unwrap().to_string(), "min=2 max=all weight=7");
        assert_eq!(
            five.changed(&LimitsChange { max: Some(Some(1)), ..Default::default() }),
            Err(InvalidLimits::MinAboveMax { min: 2, max: 1 })
        );
        assert_eq!(five.changed(&LimitsChange { reset: true, ..Default::default() }), Ok(TenantLimits::default()));
        let only_weight = LimitsChange { reset: true, weight: Some(3), ..Default::default() };
        assert_eq!(five.changed(&only_weight).unwrap().to_string(), "min=0 max=all weight=3");
    }

    #[test]
    fn tenants_share_all_of_a_small_cluster_and_all_but_a_twentieth_of_a_large_one() {
        assert_eq!([1, 19, 20, 97, 100].map(shared_by_tenants), [1, 19, 19, 93, 95]);
    }
}
