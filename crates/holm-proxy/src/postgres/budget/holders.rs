//! Who holds how many, and who holds most: everything in O(1) amortised.
//!
//! Promises to remember only those who hold something.

use std::collections::HashMap;
use std::hash::Hash;

#[derive(Debug)]
pub(super) struct Holders<K> {
    held: HashMap<K, Held>,
    /// Those who hold `n + 1`; the last list is never empty.
    by_count: Vec<Vec<K>>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    count: u32,
    /// Where in its list.
    index: usize,
}

impl<K> Default for Holders<K> {
    fn default() -> Self {
        Self { held: HashMap::new(), by_count: Vec::new() }
    }
}

impl<K: Copy + Eq + Hash> Holders<K> {
    pub(super) fn count(&self, who: K) -> u32 {
        self.held.get(&who).map_or(0, |held| held.count)
    }

    /// One of those who hold most, and how many.
    pub(super) fn most(&self) -> Option<(K, u32)> {
        let who = *self.by_count.last()?.last()?;
        Some((who, self.count(who)))
    }

    pub(super) fn gains(&mut self, who: K) {
        let count = self.leave_list(who) + 1;
        self.enter_list(who, count);
    }

    pub(super) fn loses(&mut self, who: K) {
        let count = self.leave_list(who).saturating_sub(1);
        if count > 0 {
            self.enter_list(who, count);
        }
        while self.by_count.last().is_some_and(Vec::is_empty) {
            self.by_count.pop();
        }
    }

    fn leave_list(&mut self, who: K) -> u32 {
        let Some(Held { count, index }) = self.held.remove(&who) else { return 0 };
        let list = &mut self.by_count[count as usize - 1];
        list.swap_remove(index);
        if let Some(moved) = list.get(index) {
            self.held.entry(*moved).and_modify(|held| held.index = index);
        }
        count
    }

    fn enter_list(&mut self, who: K, count: u32) {
        let list = count as usize - 1;
        if self.by_count.len() <= list {
            self.by_count.resize_with(list + 1, Vec::new);
        }
        self.held.insert(who, Held { count, index: self.by_count[list].len() });
        self.by_count[list].push(who);
    }
}
