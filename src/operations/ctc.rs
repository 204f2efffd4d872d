//! `keras.ops.ctc_loss` and `ctc_decode`: connectionist temporal classification (Graves et al. 2006).

use crate::base::{DType, Error, Result};
use crate::graph::Value;
use crate::operations::call::Call;
use crate::operations::nn::one_hot_of;
use crate::operations::operations;
use crate::operations::promotion::{Kind, result_type};

operations! {
    /// Sequences of labels without an alignment.
    CTC:
    CTCLoss(target, output, target_length, output_length) { mask_index: 0 } |c| {
        let output = scores(c, 1)?;
        let (batch, labels) = (output.extent(0), c.value(0)?.shape().get(1).copied());
        let labels = labels.ok_or_else(|| c.bad(0, "labels (batch, labels)"))?;
        let target = whole(c, 0, &[batch, labels])?;
        let lengths = [whole(c, 2, &[batch])?, whole(c, 3, &[batch])?];
        ctc_loss(target, output, lengths, blank(c, output)?)
    };
    CTCDecode(inputs, sequence_lengths)
        { strategy: "greedy", beam_width: 100, top_paths: 1, merge_repeated: true, mask_index: 0 } |c| {
        let inputs = scores(c, 0)?;
        let (batch, blank) = (inputs.extent(0), blank(c, inputs)?);
        let lengths = whole(c, 1, &[batch])?;
        match c.config.str("strategy")? {
            "greedy" => greedy(inputs, lengths, blank, c.config.bool("merge_repeated")?),
            "beam_search" => {
                let (width, top) = (c.config.size("beam_width")?, c.config.size("top_paths")?);
                if width > MAX_WIDTH || top > width {
                    let expected = format!("at most {MAX_WIDTH}, and no fewer than top_paths");
                    return Err(c.config.bad("beam_width", &expected));
                }
                super::ctc_beam::search(inputs, lengths, blank, [width, top])
            }
            _ => Err(c.config.bad("strategy", "\"greedy\" or \"beam_search\"")),
        }
    };
}

/// The most paths of a beam: every step compares them pairwise.
const MAX_WIDTH: usize = 1 << 10;

/// What an impossible step adds to a logarithm.
const LOG_EPSILON: f64 = -1e5;

/// Scores of classes `(batch, steps, classes)` in at least float32.
fn scores<'g>(c: &Call<'_, 'g>, position: usize) -> Result<Value<'g>> {
    let x = c.operand(position)?;
    let dtype = result_type(&[x.kind(), Kind::Strong(DType::Float32)]);
    let x = x.cast(c.cx, dtype);
    let fits = x.rank() == 3 && x.extent(1) > 0 && x.extent(2) > 0;
    if fits { Ok(x) } else { Err(c.bad(position, "scores (batch, steps, classes)")) }
}

/// Integers of a shape.
fn whole<'g>(c: &Call<'_, 'g>, position: usize, shape: &[usize]) -> Result<Value<'g>> {
    let x = c.value(position)?;
    let fits = *x.shape().as_slice() == *shape && !x.dtype().is_float();
    if fits {
        Ok(x.cast(DType::Int32))
    } else {
        Err(c.bad(position, &format!("integers {shape:?}")))
    }
}

/// The class that stands for no label: the last one where none is named.
fn blank(c: &Call<'_, '_>, scores: Value<'_>) -> Result<usize> {
    let classes = scores.extent(2);
    if c.config.is_null("mask_index") {
        return Ok(classes - 1);
    }
    let blank = usize::try_from(c.config.int("mask_index")?).ok().filter(|&blank| blank < classes);
    blank.ok_or_else(|| c.config.bad("mask_index", &format!("one of {classes} classes")))
}

/// ln(eᵃ + eᵇ).
fn log_add<'g>(a: Value<'g>, b: Value<'g>) -> Value<'g> {
    // Of equal numbers each has half of the slope: a maximum would share its own.
    a.binary("lt", b).select(b, a) + (-(a - b).abs()).exp().unary("log1p")
}

/// `phi` with the scores of its labels but the first added to by `more`, as logarithms.
fn with_added<'g>(phi: Value<'g>, more: Value<'g>) -> Value<'g> {
    let labels = more.extent(1);
    let rest = log_add(phi.narrow(1, 1, labels), more);
    phi.graph().concat(&[phi.narrow(1, 0, 1), rest], 1)
}

/// The negative logarithm of each target's probability, (batch,): target (batch, labels) and
/// lengths (batch,) of targets and outputs in int32, output (batch, steps, classes). Two states for each label are carried over the steps, having emitted it
/// (`emit`) and having seen a blank after it (`phi`), as optax and Keras do it.
pub(crate) fn ctc_loss<'g>(
    target: Value<'g>,
    output: Value<'g>,
    [target_length, output_length]: [Value<'g>; 2],
    blank: usize,
) -> Result<Value<'g>> {
    let (batch, steps, labels) = (output.extent(0), output.extent(1), target.extent(1));
    let graph = output.graph();
    let log = output.log_softmax(&[2]);
    let hot = one_hot_of(target, output.extent(2), 2).cast(log.dtype());
    let emitted = log.matmul_flags(hot, false, true).transpose(&[1, 0, 2]);
    let blanks = log.narrow(2, blank, 1).transpose(&[1, 0, 2]);
    let time = graph.iota([steps, batch, 1], 0);
    let open = time.binary("lt", output_length.reshape([1, batch, 1]));
    let number = |x: f64, n: usize| graph.scalar(x, log.dtype()).broadcast([batch, n]);
    let start = graph.concat(&[number(0.0, 1), number(LOG_EPSILON, labels)], 1);
    // No step leads from a label to an equal one without a blank between them.
    let repeated = repeats(target).cast(log.dtype());
    let (stay, leave) = (repeated * LOG_EPSILON, (-repeated + 1.0) * LOG_EPSILON);
    let (_, carries) = graph.loop_over_time(
        steps,
        false,
        &[emitted, blanks, open],
        &[start, number(LOG_EPSILON, labels)],
        |step, carries| {
            let (&[emitted, blank, open], &[phi, emit]) = (step, carries) else {
                return Err(Error::Internal("ctc_loss: a step of other values".into()));
            };
            let passed = with_added(phi, emit + stay);
            let next_emit = log_add(passed.narrow(1, 0, labels) + emitted, emit + emitted);
            let next_phi = with_added(passed + blank, emit + blank + leave);
            Ok((vec![], vec![open.select(next_phi, phi), open.select(next_emit, emit)]))
        },
    )?;
    let &[phi, emit] = carries.as_slice() else {
        return Err(Error::Internal("ctc_loss: other carries".into()));
    };
    let count = target_length.maximum(target_length.like(0.0));
    let count = count.minimum(count.like(labels as f64));
    let last = one_hot_of(count, labels + 1, 1);
    let ends = with_added(phi, emit);
    Ok(-last.select(ends, ends.like(0.0)).sum(&[1]))
}

/// Where a label equals the one after it.
fn repeats(target: Value<'_>) -> Value<'_> {
    let labels = target.extent(1);
    if labels == 0 {
        return target.cast(DType::Bool);
    }
    let same = target.narrow(1, 0, labels - 1).binary("eq", target.narrow(1, 1, labels - 1));
    same.pad(&[0, 0], &[0, 1], 0.0)
}

/// The most probable class of every step without blanks and repetitions, −1 behind the last; and the
/// negative sum of the scores taken.
fn greedy<'g>(
    inputs: Value<'g>,
    lengths: Value<'g>,
    blank: usize,
    merge: bool,
) -> Result<Vec<Value<'g>>> {
    let graph = inputs.graph();
    let (batch, steps) = (inputs.extent(0), inputs.extent(1));
    let time = graph.iota([batch, steps], 1);
    let past = time.binary("ge", lengths.reshape([batch, 1]));
    let classes = inputs.argmax(2);
    let classes = past.select(classes.like(blank as f64), classes);
    let scores = inputs.max(&[2]);
    let score = -past.select(scores.like(0.0), scores).sum(&[1]);
    let mut dropped = classes.binary("eq", classes.like(blank as f64));
    if merge {
        let before = classes.narrow(1, 0, steps - 1).pad(&[0, 1], &[0, 0], blank as f64);
        dropped = dropped.binary("or", classes.binary("eq", before));
    }
    let order = dropped.select(time.like(steps as f64), time).argsort(1, false);
    let labels = dropped.select(classes.like(-1.0), classes).take_along(order, 1);
    Ok(vec![labels.reshape([1, batch, steps]), score.reshape([batch, 1])])
}
