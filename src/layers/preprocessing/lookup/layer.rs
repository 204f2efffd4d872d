//! A lookup as a layer.

use std::sync::Arc;

use super::Lookup;
use crate::base::Result;
use crate::layers::host::HostWork;
use crate::layers::layer::layer_base;
use crate::layers::{Args, Context, Layer, LayerBase, Outputs};
use crate::saving::saveable::Assets;
use crate::tensor::Variable;

struct LookupLayer {
    base: LayerBase,
    lookup: Arc<Lookup>,
}

/// The layer of a lookup.
pub(in super::super) fn lookup_layer(mut base: LayerBase, lookup: Arc<Lookup>) -> Box<dyn Layer> {
    base.autocast = false;
    Box::new(LookupLayer { base, lookup })
}

impl Layer for LookupLayer {
    layer_base!();

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let found = cx.on_host(self.lookup.as_ref(), &[args.input()?])?;
        Ok(self.lookup.finish(cx, found)?.into())
    }

    fn vocabulary_size(&self) -> Option<usize> {
        self.lookup.size()
    }

    fn on_host(&self) -> bool {
        true
    }

    fn own_variables(&self) -> Vec<(String, Variable)> {
        self.lookup.variables()
    }

    fn assets(&self) -> Option<Arc<dyn Assets>> {
        Some(self.lookup.clone())
    }
}
