//! Sorted collections made one entry at a time.
//!
//! `collect` into a `BTreeMap` or `BTreeSet` sorts first and then builds the tree in bulk, which is
//! 5 to 7 KB of code for each type it is done with. What is collected here is small, and inserting
//! costs a few hundred bytes: the program is what has to be small.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Makes sorted collections of what an iterator yields, in place of `collect`.
pub trait Sorted: Iterator + Sized {
    /// Returns the pairs as a map; of those with equal keys it has the last value.
    fn into_map<K: Ord, V>(self) -> BTreeMap<K, V>
    where
        Self: Iterator<Item = (K, V)>,
    {
        inserted(self)
    }

    /// Returns the items as a set.
    fn into_set(self) -> BTreeSet<Self::Item>
    where
        Self::Item: Ord,
    {
        inserted(self)
    }

    /// Returns the pairs as a JSON object; of those with equal names it has the last value.
    fn into_object(self) -> Map<String, Value>
    where
        Self: Iterator<Item = (String, Value)>,
    {
        inserted(self)
    }
}

impl<I: Iterator> Sorted for I {}

/// Extending such a collection inserts.
fn inserted<C: Default + Extend<T>, T>(items: impl Iterator<Item = T>) -> C {
    let mut all = C::default();
    all.extend(items);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_makes_what_collect_makes() {
        let pairs = [("b", 1), ("a", 2), ("b", 3)];
        assert_eq!(pairs.into_iter().into_map(), pairs.into_iter().collect::<BTreeMap<_, _>>());
        assert_eq!(pairs.into_iter().into_set(), pairs.into_iter().collect::<BTreeSet<_>>());
        let pairs = || pairs.into_iter().map(|(name, value)| (name.to_owned(), value.into()));
        assert_eq!(pairs().into_object(), pairs().collect::<Map<_, _>>());
    }
}
