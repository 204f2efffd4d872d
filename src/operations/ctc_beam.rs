//! Beam search over the labels of `ctc_decode`, as Keras does it on JAX.
//!
//! A beam holds distinct paths `(batch, width, steps)`, −1 behind their ends, in two scores each: of having
//! emitted the last label just now, and of having seen a blank since. Every step extends all paths by all
//! classes, adds the scores of equal ones and keeps the best; of equal scores, the later path in
//! lexicographic order. Classes count from the back meanwhile, which makes ties those of TensorFlow.

use crate::base::{DType, Error, Result};
use crate::graph::Value;

/// How paths of a beam are ordered, pairwise `(batch, width, width)`: the first token in which two
/// differ.
struct Pairs<'g> {
    same: Value<'g>,
    /// That token of the first path and of the second one; −1 where a path has ended.
    tokens: [Value<'g>; 2],
}

impl<'g> Pairs<'g> {
    fn of(paths: Value<'g>) -> Pairs<'g> {
        let (batch, width, steps) = (paths.extent(0), paths.extent(1), paths.extent(2));
        let (all, end) = ([batch, width, width, steps], steps as f64);
        let first = paths.reshape([batch, width, 1, steps]).broadcast(all);
        let second = paths.reshape([batch, 1, width, steps]).broadcast(all);
        let time = paths.graph().iota(all, 3);
        let place = first.binary("ne", second).select(time, time.like(end)).min(&[3]);
        let here = time.binary("eq", place.reshape([batch, width, width, 1]));
        let token = |x: Value<'g>| here.select(x, x.like(0.0)).sum(&[3]);
        Pairs { same: place.binary("eq", place.like(end)), tokens: [token(first), token(second)] }
    }

    /// Where the path of this token has ended before the other.
    fn ended(&self, token: usize) -> Value<'g> {
        let token = self.tokens[token];
        token.binary("lt", token.like(0.0)).binary("and", self.same.unary("not"))
    }
}

/// ln(eᵃ + eᵇ) of logarithms that may be minus infinity.
fn log_add<'g>(a: Value<'g>, b: Value<'g>) -> Value<'g> {
    let (high, low) = (a.maximum(b), a.minimum(b));
    let none = high.binary("eq", high.like(f64::NEG_INFINITY));
    let gap = none.select(high.like(0.0), low - high);
    high + none.select(gap, gap.exp().unary("log1p"))
}

fn column(x: Value<'_>) -> Value<'_> {
    x.reshape([x.extent(0), x.extent(1), 1])
}

fn nowhere(x: Value<'_>) -> Value<'_> {
    x.like(f64::NEG_INFINITY)
}

/// The best `top` paths `(top, batch, steps)` and their scores `(batch, top)`.
pub(super) fn search<'g>(
    inputs: Value<'g>,
    lengths: Value<'g>,
    blank: usize,
    [width, top]: [usize; 2],
) -> Result<Vec<Value<'g>>> {
    let graph = inputs.graph();
    let (batch, steps, classes) = (inputs.extent(0), inputs.extent(1), inputs.extent(2));
    let log = inputs.log_softmax(&[2]).reverse(&[2]);
    let blank = classes - 1 - blank;
    let rest = log.narrow(1, 1, steps - 1).transpose(&[1, 0, 2]);
    let time = graph.iota([steps - 1, batch, 1], 0) + 1.0;
    let open = time.binary("lt", lengths.reshape([1, batch, 1]));
    let start = first_beam(log.narrow(1, 0, 1).reshape([batch, classes]), blank, [width, steps]);
    let (_, carries) =
        graph.loop_over_time(steps - 1, false, &[rest, open], &start, |x, beam| {
            let (&[x, open], &[paths, emitted, blanked]) = (x, beam) else {
                return Err(Error::Internal("beam search: a step of other values".into()));
            };
            let next = step(x, blank, [paths, emitted, blanked]);
            let wide = open.reshape([batch, 1, 1]);
            let kept = [(wide, paths), (open, emitted), (open, blanked)];
            let next = kept.into_iter().zip(next).map(|((open, old), new)| open.select(new, old));
            Ok((vec![], next.collect()))
        })?;
    let &[paths, emitted, blanked] = carries.as_slice() else {
        return Err(Error::Internal("beam search: other carries".into()));
    };
    let high = emitted.maximum(blanked).max(&[1]).reshape([batch, 1]);
    let scores = ((emitted - high).exp() + (blanked - high).exp()).log() + high;
    let pairs = Pairs::of(paths);
    let [own, other] = pairs.tokens;
    let place = other.binary("lt", own).cast(DType::Int32).sum(&[2]);
    let best = best_of(scores, place, top).reverse(&[1]);
    let chosen = best.reshape([batch, top, 1]).broadcast([batch, top, steps]);
    let labels = paths.take_along(chosen, 1);
    let labels =
        labels.binary("lt", labels.like(0.0)).select(labels, -labels + (classes - 1) as f64);
    Ok(vec![labels.transpose(&[1, 0, 2]), scores.take_along(best, 1)])
}

/// Positions of the `count` largest scores `(batch, n)` in ascending order; of equal ones the last by
/// `place`.
fn best_of<'g>(scores: Value<'g>, place: Value<'g>, count: usize) -> Value<'g> {
    let order = place.argsort(1, false);
    let ascending = scores.take_along(order, 1).argsort(1, false);
    order.take_along(ascending.narrow(1, scores.extent(1) - count, count), 1)
}

/// The beam of the best classes of the first step.
fn first_beam<'g>(x: Value<'g>, blank: usize, [width, steps]: [usize; 2]) -> Vec<Value<'g>> {
    let (batch, classes) = (x.extent(0), x.extent(1));
    let count = classes.min(width);
    let best = x.argsort(1, false).narrow(1, classes - count, count);
    let scores = x.take_along(best, 1);
    let is_blank = best.binary("eq", best.like(blank as f64));
    let label = is_blank.select(best.like(-1.0), best);
    let more = width - count;
    let filled = |x: Value<'g>| x.pad(&[0; 2], &[0, more], f64::NEG_INFINITY);
    let emitted = filled(is_blank.select(nowhere(scores), scores));
    let blanked = filled(is_blank.select(scores, nowhere(scores)));
    let paths = label.reshape([batch, count, 1]).pad(&[0; 3], &[0, more, steps - 1], -1.0);
    vec![paths, emitted, blanked]
}

/// A beam after one more step of scores `(batch, classes)`.
fn step<'g>(
    x: Value<'g>,
    blank: usize,
    [paths, emitted, blanked]: [Value<'g>; 3],
) -> [Value<'g>; 3] {
    let graph = x.graph();
    let (batch, width, steps) = (paths.extent(0), paths.extent(1), paths.extent(2));
    let classes = x.extent(1);
    let pairs = Pairs::of(paths);
    let length = paths.binary("ge", paths.like(0.0)).cast(DType::Int32).sum(&[2]);
    let time = graph.iota(paths.shape(), 2);
    let at_end = time.binary("eq", column(length) - 1.0);
    let tail = at_end.select(paths, paths.like(0.0)).sum(&[2]);
    let has_tail = length.binary("gt", length.like(0.0));
    let class = graph.iota([batch, width, classes], 2);
    let scores = x.reshape([batch, 1, classes]).broadcast([batch, width, classes]);
    let repeats = class.binary("eq", column(tail)).binary("and", column(has_tail));
    // The same path: by its last label again, or by a blank.
    let again = repeats.select(scores, scores.like(0.0)).sum(&[2]) + emitted;
    let again = has_tail.select(again, nowhere(again));
    let by_blank = x.narrow(1, blank, 1);
    let (from_label, from_blank) = (emitted + by_blank, blanked + by_blank);
    let high = from_label.maximum(from_blank).max(&[1]).reshape([batch, 1]);
    let stay_blank = ((from_label - high).exp() + (from_blank - high).exp()).log() + high;
    // Longer paths: a label after itself needs a blank between them.
    let is_blank = class.binary("eq", class.like(blank as f64));
    let usable = |x: Value<'g>, not: Value<'g>| not.select(nowhere(x), x);
    let after_label = usable(scores + column(emitted), is_blank.binary("or", repeats));
    let after_blank = usable(scores + column(blanked), is_blank);
    let longer_high = after_label.maximum(after_blank).max(&[1, 2]).reshape([batch, 1]);
    let high = again.max(&[1]).reshape([batch, 1]).maximum(longer_high);
    let wide_high = high.reshape([batch, 1, 1]);
    let longer = (after_label - wide_high).exp() + (after_blank - wide_high).exp();
    // A longer path that the beam holds already joins it.
    let own = length.reshape([batch, width, 1]) + 1.0;
    let joins = own.binary("eq", length.reshape([batch, 1, width]));
    let joins = pairs.ended(0).binary("and", joins);
    let by = pairs.tokens[1];
    let joined = longer.take_along(by, 2);
    let joined = joins.select(joined, joined.like(0.0)).sum(&[1]);
    let each = graph.iota([batch, width, width, classes], 3);
    let taken = each
        .binary("eq", by.reshape([batch, width, width, 1]))
        .binary("and", joins.reshape([batch, width, width, 1]))
        .max(&[2]);
    let longer = taken.select(longer.like(0.0), longer);
    let stay = ((again - high).exp() + joined).log() + high;
    let longer = longer.log() + wide_high;
    // All candidates: each path as it is, then by each class.
    let count = width * (classes + 1);
    let all = |stay: Value<'g>, longer: Value<'g>| {
        graph.concat(&[column(stay), longer], 2).reshape([batch, count])
    };
    let emits = all(stay, longer);
    let blanks = all(stay_blank, nowhere(longer));
    let totals = log_add(emits, blanks);
    let chosen = best_of(totals, places(&pairs, classes).reshape([batch, count]), width);
    let per = classes as f64 + 1.0;
    let parent = chosen.binary("floor_div", chosen.like(per));
    let label = column(chosen.binary("mod", chosen.like(per)) - 1.0);
    let before = paths.take_along(column(parent).broadcast([batch, width, steps]), 1);
    let end = time.binary("eq", column(length.take_along(parent, 1)));
    let added = end.binary("and", label.binary("ge", label.like(0.0)));
    let longer = added.select(label, before);
    // What has no probability is no path.
    let total = column(totals.take_along(chosen, 1));
    let void = total.binary("eq", nowhere(total));
    let paths = void.select(longer.like(-1.0), longer);
    [paths, emits.take_along(chosen, 1), blanks.take_along(chosen, 1)]
}

/// The place of each candidate `(batch, width, classes + 1)` in lexicographic order: how many candidates
/// of each path come before it.
fn places<'g>(pairs: &Pairs<'g>, classes: usize) -> Value<'g> {
    let (batch, width) = (pairs.same.extent(0), pairs.same.extent(1));
    let all = [batch, width, classes + 1, width];
    let spread = |x: Value<'g>| x.reshape([batch, width, 1, width]).broadcast(all);
    let [own, other] = pairs.tokens.map(spread);
    let label = pairs.same.graph().iota(all, 2) - 1.0;
    let every = label.like(classes as f64 + 1.0);
    let none = label.like(0.0);
    let apart = other.binary("lt", own).select(every, none);
    let is_longer = spread(pairs.ended(0));
    let longer = other.binary("lt", label).select(every, none);
    let before = spread(pairs.ended(1)).select(own + 2.0, apart);
    let before = is_longer.select(longer, before);
    spread(pairs.same).select(label + 1.0, before).sum(&[3])
}
