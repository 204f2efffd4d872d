//! Nested structures of values, the pytrees in which Keras passes inputs and outputs.

/// A value, a list, or a mapping in insertion order, to any depth.
#[derive(Clone, Debug, PartialEq)]
pub enum Nested<T> {
    /// Keras's `None` where a value may be left out.
    None,
    /// One value.
    Leaf(T),
    /// A list, and also Keras's tuple.
    List(Vec<Nested<T>>),
    /// A mapping by name, in the order in which it was written.
    Dict(Vec<(String, Nested<T>)>),
}

impl<T> Nested<T> {
    /// A list of leaves; a single leaf stays bare.
    pub fn from_leaves(mut leaves: Vec<T>) -> Nested<T> {
        match leaves.len() {
            1 => leaves.pop().map_or(Nested::None, Nested::Leaf),
            _ => Nested::List(leaves.into_iter().map(Nested::Leaf).collect()),
        }
    }

    /// The leaves in Keras's flattening order: lists by position, mappings by sorted key.
    pub fn flatten(&self) -> Vec<&T> {
        let mut out = Vec::new();
        self.visit(&mut |leaf| out.push(leaf));
        out
    }

    fn visit<'a>(&'a self, f: &mut dyn FnMut(&'a T)) {
        match self {
            Nested::None => {}
            Nested::Leaf(t) => f(t),
            Nested::List(items) => items.iter().for_each(|n| n.visit(f)),
            Nested::Dict(items) => sorted(items).into_iter().for_each(|(_, (_, n))| n.visit(f)),
        }
    }

    /// The same structure with every leaf replaced; leaves are visited in flattening order, mappings
    /// keep theirs.
    ///
    /// # Errors
    /// The first that `f` gives.
    pub fn try_map<U, E>(
        &self,
        f: &mut dyn FnMut(&T) -> std::result::Result<U, E>,
    ) -> std::result::Result<Nested<U>, E> {
        Ok(match self {
            Nested::None => Nested::None,
            Nested::Leaf(t) => Nested::Leaf(f(t)?),
            Nested::List(items) => {
                Nested::List(items.iter().map(|n| n.try_map(f)).collect::<Result<_, E>>()?)
            }
            Nested::Dict(items) => {
                let mut mapped = Vec::with_capacity(items.len());
                for (place, (key, n)) in sorted(items) {
                    mapped.push((place, (key.clone(), n.try_map(f)?)));
                }
                mapped.sort_by_key(|(place, _)| *place);
                Nested::Dict(mapped.into_iter().map(|(_, item)| item).collect())
            }
        })
    }

    /// The leaf, when the structure is exactly one.
    pub fn leaf(&self) -> Option<&T> {
        match self {
            Nested::Leaf(t) => Some(t),
            _ => None,
        }
    }
}

/// The items of a mapping by key, with their places in it.
fn sorted<T>(items: &[(String, Nested<T>)]) -> Vec<(usize, &(String, Nested<T>))> {
    let mut items: Vec<_> = items.iter().enumerate().collect();
    items.sort_by(|(_, a), (_, b)| a.0.cmp(&b.0));
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_flatten_by_sorted_key() {
        let n = Nested::Dict(vec![
            ("b".into(), Nested::Leaf(1)),
            ("a".into(), Nested::List(vec![Nested::Leaf(2), Nested::None, Nested::Leaf(3)])),
        ]);
        assert_eq!(n.flatten(), [&2, &3, &1]);
        let mut next = 0..;
        let numbered = n.try_map::<_, ()>(&mut |_| next.next().ok_or(())).unwrap();
        let Nested::Dict(items) = numbered else { panic!("a mapping stays one") };
        assert_eq!((items[0].0.as_str(), items[0].1.leaf()), ("b", Some(&2)));
    }
}
