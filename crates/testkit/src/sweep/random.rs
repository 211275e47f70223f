//! Numbers that a seed decides, so that a sweep can be repeated. SplitMix64 (Steele, Lea, Flood: "Fast splittable
//! pseudorandom number generators", 2014).

#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64, salt: u64) -> Self {
        let mut mixed = Self(seed ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed.next();
        mixed
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 1 to `most`.
    pub(super) fn upto(&mut self, most: u32) -> u32 {
        let spread = self.next() % u64::from(most.max(1));
        u32::try_from(spread).unwrap_or(0) + 1
    }

    /// True once in two.
    pub(super) fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_all_numbers() {
        let draw = |seed, salt| {
            let mut random = Random::new(seed, salt);
            (0..8).map(|_| random.upto(12)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7, 1), draw(7, 1));
        assert_ne!(draw(7, 1), draw(8, 1));
        assert_ne!(draw(7, 1), draw(7, 2));
        assert!(draw(7, 1).into_iter().all(|n| (1..=12).contains(&n)));
    }
}
