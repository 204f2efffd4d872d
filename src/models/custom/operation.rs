//! Operations of the user's own as nodes of a model.

use crate::base::Result;
use crate::layers::config::Config;
use crate::layers::layer::layer_base;
use crate::layers::{Args, Context, Layer, LayerBase, Outputs};
use crate::models::custom::OperationCall;
use crate::saving::Kind;

pub(super) struct CustomOperation {
    base: LayerBase,
    call: OperationCall,
}

impl CustomOperation {
    /// A node with the name of `config`. Operations take values as they are, whatever their dtype.
    pub fn layer(config: &Config, call: OperationCall) -> Result<Box<dyn Layer>> {
        let mut base = LayerBase::new("Operation", config)?;
        base.autocast = false;
        base.built = true;
        Ok(Box::new(CustomOperation { base, call }))
    }
}

impl Layer for CustomOperation {
    layer_base!();

    fn call<'g>(&self, _: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        (self.call)(args)
    }

    fn kind(&self) -> Kind {
        Kind::Operation
    }
}
