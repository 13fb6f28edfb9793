//! Choices that a seed repeats.

/// A sequence of numbers that its seed determines (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Choice(u64);

impl Choice {
    /// Returns the sequence number `stream` of `seed`: each thread draws from one of its own, so
    /// that its choices do not depend on how fast the others are.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut choice = Self(seed ^ stream.wrapping_mul(0xd134_2543_de82_ef95));
        choice.next();
        choice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// Returns true so many times in a hundred.
    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.between(0, 99) < percent
    }

    /// Returns one of `all`, `None` where there is none.
    pub(crate) fn one<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        // Drawn even where there is nothing to choose: the sequence stays the same.
        let drawn = self.next();
        let length = u64::try_from(all.len()).ok().filter(|length| *length > 0)?;
        all.get(usize::try_from(drawn % length).ok()?)
    }

    /// Returns one of `all`, each as often as its weight says.
    pub(crate) fn weighted<T: Copy>(&mut self, all: &[(T, u64)]) -> T {
        let total: u64 = all.iter().map(|(_, weight)| weight).sum();
        let mut drawn = self.between(1, total);
        for (what, weight) in all {
            if drawn <= *weight {
                return *what;
            }
            drawn -= weight;
        }
        all[0].0
    }
}

#[test]
fn a_seed_repeats_its_choices_and_each_stream_has_its_own() {
    let draw = |seed, stream| {
        let mut choice = Choice::new(seed, stream);
        (0..4).map(|_| choice.between(0, 999)).collect::<Vec<_>>()
    };
    assert_eq!(draw(7, 1), draw(7, 1));
    assert_ne!(draw(7, 1), draw(7, 2));
    assert_ne!(draw(7, 1), draw(8, 1));
}
