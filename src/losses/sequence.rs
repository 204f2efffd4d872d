//! Losses of sequences.

use crate::base::{DType, Error};
use crate::losses::function::{formula, functions};
use crate::operations::ctc::ctc_loss;

functions! {
    /// Losses of sequences of labels without an alignment.
    SEQUENCE:
    ctc |_| formula(|t, p| {
        let (labels, scores) = (t.shape(), p.shape());
        match (labels.as_slice(), scores.as_slice()) {
            (&[rows, _], &[batch, steps, classes])
                if rows == batch && steps * classes > 0 => {
                // Class 0 is blank; labels end where only it follows.
                let labels = t.cast(DType::Int32);
                let given = labels.binary("ne", labels.like(0.0)).cast(DType::Int32).sum(&[1]);
                let scores = if p.dtype() == DType::Float64 { p } else { p.cast(DType::Float32) };
                let lengths = [given, given.like(steps as f64)];
                p.graph().ok(ctc_loss(labels, scores, lengths, 0))
            }
            _ => {
                let found = format!("labels {labels} and predictions {scores}");
                let expected = "labels (batch, labels) and scores (batch, steps, classes)";
                p.graph().failed(Error::shape("ctc", found, expected))
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use crate::base::{DType, Spec};
    use crate::graph::Graph;
    use crate::losses::function;
    use crate::program::{Options, Program};
    use crate::runtime::{Compiled, Device};
    use crate::tensor::Tensor;

    #[test]
    fn one_label_in_two_steps_has_three_alignments() {
        let graph = Graph::new();
        let labels = graph.input(Spec::new([1, 2], DType::Int32));
        let scores = graph.input(Spec::new([1, 2, 2], DType::Float32));
        let ctc = function("ctc").unwrap().with_defaults("a test").unwrap();
        let loss = ctc.call(labels, scores).values.id();
        let program = Program::new(graph.finish().unwrap(), &[loss]);
        let options = Options::default();
        let compiled = Compiled::new(program, &Device::Host, &options, &mut |_, _| {}).unwrap();
        // Both classes are equally probable: of four paths only that of two blanks is wrong.
        let labels = Tensor::new([1, 2], &[1i32, 0]).unwrap();
        let scores = Tensor::new([1, 2, 2], &[0.0f32; 4]).unwrap();
        let found: Vec<f64> = compiled.run(&[labels, scores]).unwrap()[0].iter_f64().collect();
        assert!((found[0] + 0.75f64.ln()).abs() < 1e-6, "{found:?}");
    }
}
