//! Layers that work on the host while the rest of a model is traced: on text, on tables, with hashes.
//!
//! Such a layer gives finished tensors, which the graph takes as further inputs. What it works on must
//! be known by then: an input of the model, what another such layer gave, or a value that the part of
//! the graph before it computes.

use crate::base::{DType, Error, Result, Spec, SymbolicShape};
use crate::graph::{Graph, NodeId, Value};
use crate::layers::layer::layer_base;
use crate::layers::{Args, Context, Layer, LayerBase, Outputs, SymbolicSpec};
use crate::tensor::Tensor;

/// What runs the work of such layers during a trace.
pub trait HostRun {
    /// Gives `work` the tensors of `inputs` and puts what it returns into the graph. The same layer (by
    /// the address `layer`) with the same inputs works once.
    ///
    /// # Errors
    /// When a tensor cannot be computed, and what the work reports.
    fn run(
        &self,
        graph: &Graph,
        layer: usize,
        inputs: &[NodeId],
        work: &mut dyn FnMut(&[Tensor]) -> Result<Tensor>,
    ) -> Result<NodeId>;
}

/// A layer's work on finished tensors.
pub(crate) trait HostWork: Send + Sync + 'static {
    /// What `work` gives, as far as the inputs' specs tell.
    fn output(&self, inputs: &[Spec]) -> Result<SymbolicSpec>;

    /// Computes on the host.
    fn work(&self, inputs: &[Tensor]) -> Result<Tensor>;

    /// What the graph does with the result; nothing, for most.
    fn finish<'g>(&self, _cx: &Context<'g>, result: Value<'g>) -> Result<Value<'g>> {
        Ok(result)
    }
}

impl<'g> Context<'g> {
    /// What a layer's work on the host gives for values of the graph: the result itself in a prediction,
    /// a stand-in of its shape where only shapes are traced.
    pub(crate) fn on_host(&self, work: &impl HostWork, inputs: &[Value<'g>]) -> Result<Value<'g>> {
        let specs: Vec<Spec> = inputs.iter().map(|v| v.spec()).collect();
        let spec = work.output(&specs)?;
        let graph = self.graph();
        let Some(host) = self.host() else {
            if self.training() {
                return Err(Error::Unsupported(
                    "training through work on the host; prepare the data with a model of its own, \
                     as Keras asks for outside of TensorFlow"
                        .into(),
                ));
            }
            let shape = spec.shape.filled(self.unknown());
            return Ok(graph.input(Spec::new(shape, spec.dtype)));
        };
        let ids: Vec<NodeId> = inputs.iter().map(|v| v.id()).collect();
        let layer = std::ptr::from_ref(work).addr();
        let id = host.run(graph, layer, &ids, &mut |tensors| work.work(tensors))?;
        Ok(graph.at(id))
    }
}

/// A layer that is its work on the host, and what the graph does with the result.
struct HostLayer<W> {
    base: LayerBase,
    work: W,
}

/// A layer that is its work on the host.
pub(crate) fn host_layer(mut base: LayerBase, work: impl HostWork) -> Box<dyn Layer> {
    base.autocast = false;
    Box::new(HostLayer { base, work })
}

impl<W: HostWork> Layer for HostLayer<W> {
    layer_base!();

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let result = cx.on_host(&self.work, &args.inputs()?)?;
        Ok(self.work.finish(cx, result)?.into())
    }

    fn on_host(&self) -> bool {
        true
    }
}

/// Whether a layer or a part of it works on the host.
pub(crate) fn any_on_host(layer: &dyn Layer) -> bool {
    let inner = |part: &std::sync::Arc<dyn Layer>| any_on_host(part.as_ref());
    let mut parts = layer.children().into_iter();
    layer.on_host() || parts.any(|(_, nested)| nested.flatten().into_iter().any(inner))
}

/// The shape of one input, with a dtype.
pub(crate) fn same_shape(input: &Spec, dtype: DType) -> SymbolicSpec {
    SymbolicSpec { shape: SymbolicShape::from(&input.shape), dtype }
}

/// The only input.
pub(crate) fn only<T>(inputs: &[T]) -> Result<&T> {
    match inputs {
        [one] => Ok(one),
        all => Err(Error::shape("call", format!("{} tensors", all.len()), "one tensor")),
    }
}

/// Indices as int32, in which Keras gives them where integers have 32 bits.
///
/// # Errors
/// For an index that does not fit.
pub(crate) fn int32(shape: &crate::base::Shape, indices: &[i64]) -> Result<Tensor> {
    let narrow = |&x: &i64| {
        i32::try_from(x).map_err(|_| Error::DType {
            context: format!("value {x}"),
            found: DType::Int64.name().into(),
            expected: "a value that fits int32".into(),
        })
    };
    let indices: Vec<i32> = indices.iter().map(narrow).collect::<Result<_>>()?;
    Tensor::new(shape.clone(), &indices)
}
