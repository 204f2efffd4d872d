//! Histograms as TensorBoard draws them.

/// Buckets of a histogram.
const BUCKETS: usize = 30;

/// Left edge, right edge and count of each bucket. Values that are all the same come into the last of
/// buckets without width.
pub fn buckets(values: &[f64]) -> Vec<[f64; 3]> {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let (low, high) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if low > high {
        return Vec::new();
    }
    let width = (high - low) / BUCKETS as f64;
    let edge = |i: usize| if i == BUCKETS { high } else { low + width * i as f64 };
    let mut all: Vec<[f64; 3]> = (0..BUCKETS).map(|i| [edge(i), edge(i + 1), 0.0]).collect();
    for value in finite() {
        let bucket = if width > 0.0 { ((value - low) / width) as usize } else { BUCKETS };
        all[bucket.min(BUCKETS - 1)][2] += 1.0;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_one_bucket() {
        let all = buckets(&[0.0, 0.1, 1.0, 30.0, f64::NAN]);
        assert_eq!(all.len(), 30);
        assert_eq!(
            (all[0], all[1], all[29]),
            ([0.0, 1.0, 2.0], [1.0, 2.0, 1.0], [29.0, 30.0, 1.0])
        );
        let same = buckets(&[2.0; 5]);
        assert_eq!((same[0], same[29]), ([2.0, 2.0, 0.0], [2.0, 2.0, 5.0]));
        assert!(buckets(&[]).is_empty());
    }
}
