//! A line that one can leave from the middle: first come, first served, everything in O(1).
//!
//! Refuses to know who stands in it: whoever enters keeps the [`Spot`] that he got.

#[derive(Debug)]
pub(super) struct Line<T> {
    spots: Vec<Standing<T>>,
    /// Spots that nobody stands on, to be taken again.
    free: Vec<usize>,
    first: Option<usize>,
    last: Option<usize>,
}

/// Where somebody stands; good until he leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot(usize);

#[derive(Debug)]
struct Standing<T> {
    who: T,
    before: Option<usize>,
    behind: Option<usize>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { spots: Vec::new(), free: Vec::new(), first: None, last: None }
    }
}

impl<T: Copy> Line<T> {
    pub(super) fn len(&self) -> usize {
        self.spots.len() - self.free.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn first(&self) -> Option<T> {
        self.first.map(|first| self.spots[first].who)
    }

    pub(super) fn enter(&mut self, who: T) -> Spot {
        let standing = Standing { who, before: self.last, behind: None };
        let spot = if let Some(spot) = self.free.pop() {
            self.spots[spot] = standing;
            spot
        } else {
            self.spots.push(standing);
            self.spots.len() - 1
        };
        match self.last {
            Some(last) => self.spots[last].behind = Some(spot),
            None => self.first = Some(spot),
        }
        self.last = Some(spot);
        Spot(spot)
    }

    pub(super) fn leave(&mut self, Spot(spot): Spot) -> T {
        let Standing { who, before, behind } = self.spots[spot];
        match before {
            Some(before) => self.spots[before].behind = behind,
            None => self.first = behind,
        }
        match behind {
            Some(behind) => self.spots[behind].before = before,
            None => self.last = before,
        }
        self.free.push(spot);
        if self.is_empty() {
            // A burst's memory does not outlive the burst.
            *self = Self::default();
        }
        who
    }
}
