//! Keyset pages: a list is always bounded, and the next page begins after the last key of this one.

/// A page holds this many rows at the most, whatever was asked: 500 tenants are about 200 kB of JSON.
pub const LIMIT_MAX: u32 = 500;

/// Which part of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<K> {
    /// The key of the last row that the caller has; `None` begins at the beginning.
    pub after: Option<K>,
    /// How many rows, between 1 and [`LIMIT_MAX`]; what lies outside is brought inside.
    pub limit: u32,
}

impl<K> Page<K> {
    /// The first page, as long as a page can be.
    pub const fn first() -> Self {
        Self { after: None, limit: LIMIT_MAX }
    }

    /// The limit as PostgreSQL takes it.
    pub(crate) fn rows_max(&self) -> i64 {
        self.limit.clamp(1, LIMIT_MAX).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_never_empty_by_request_and_never_unbounded() {
        for (asked, given) in [(0, 1), (1, 1), (500, 500), (501, 500), (u32::MAX, 500)] {
            assert_eq!(Page::<()> { after: None, limit: asked }.rows_max(), given);
        }
    }
}
