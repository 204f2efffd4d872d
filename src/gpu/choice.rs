//! Which of several kernels computes a problem on an adapter.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The kernels that can compute a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelChoice {
    /// The problem, its extents and what else decides about speed, such as `matmul 1x64x64x64`.
    pub problem: String,
    /// Names of kernels; the first is the one that the adapter's kind asks for.
    pub kernels: Vec<&'static str>,
}

/// Kernels that were found to be the best of an adapter, by their problem. Copies share them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices(Arc<BTreeMap<String, String>>);

impl Choices {
    /// The kernel for a problem: the one that was found, if it is one of those that can compute it,
    /// else the first.
    pub fn pick(&self, choice: &KernelChoice) -> Option<&'static str> {
        let found = self.0.get(&choice.problem);
        let known = found.and_then(|name| choice.kernels.iter().find(|kernel| *kernel == name));
        known.or(choice.kernels.first()).copied()
    }

    /// Number of problems.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no problem.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, String)> for Choices {
    /// Problems and the names of their kernels.
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Choices {
        Choices(Arc::new(pairs.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_found_kernel_is_taken_where_it_can_compute_the_problem() {
        let choice =
            |problem: &str| KernelChoice { problem: problem.into(), kernels: vec!["a", "b"] };
        let pairs = [("one", "b"), ("two", "c")];
        let choices: Choices =
            pairs.map(|(p, k)| (p.to_owned(), k.to_owned())).into_iter().collect();
        assert_eq!(choices.pick(&choice("one")), Some("b"));
        assert_eq!(
            choices.pick(&choice("two")),
            Some("a"),
            "a kernel that is none of the problem's"
        );
        assert_eq!(choices.pick(&choice("three")), Some("a"));
        assert_eq!(
            choices.pick(&KernelChoice { problem: "one".into(), kernels: Vec::new() }),
            None
        );
    }
}
