//! The time of the processor that this process uses, which other work on a machine changes less than
//! that of a clock.

use std::fs;

/// In which steps Linux counts, whatever the machine.
const TICKS_PER_SECOND: f64 = 100.0;

/// Positions of the user's and the system's ticks behind the name of the process in `/proc/self/stat`.
const TICKS: [usize; 2] = [11, 12];

/// Seconds that all threads of this process have computed, those of a software adapter's driver among
/// them; `None` where there is no `/proc`.
pub fn seconds() -> Option<f64> {
    parse(&fs::read_to_string("/proc/self/stat").ok()?)
}

fn parse(stat: &str) -> Option<f64> {
    // The name stands in brackets and may have any of them, and spaces, in it.
    let (_, behind) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = behind.split_whitespace().collect();
    let ticks = TICKS.map(|at| fields.get(at)?.parse::<f64>().ok());
    Some(ticks.into_iter().sum::<Option<f64>>()? / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_may_have_brackets_in_it() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 9 0 0 0 150 50 0 0 20 0 8 0 100";
        assert_eq!(parse(stat), Some(2.0));
        assert_eq!(parse("7 (a) S 1"), None);
    }
}
