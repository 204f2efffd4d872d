//! Layers without variables: a class is its settings and one function of its inputs.

use crate::base::Result;
use crate::graph::Value;
use crate::layers::config::Config;
use crate::layers::{Args, Context, Layer, LayerBase, Outputs};

struct Stateless<F> {
    base: LayerBase,
    keywords: &'static [&'static str],
    call: F,
}

/// A layer whose call is `call`, with settings already read from `config`.
pub(crate) fn stateless<F>(
    class_name: &'static str,
    config: &Config,
    call: F,
) -> Result<Box<dyn Layer>>
where
    F: for<'g> Fn(&Context<'g>, &Args<'g>) -> Result<Value<'g>> + Send + Sync + 'static,
{
    stateless_with(class_name, config, &[], call)
}

/// [`stateless`], for a call that takes keyword arguments.
pub(crate) fn stateless_with<F>(
    class_name: &'static str,
    config: &Config,
    keywords: &'static [&'static str],
    call: F,
) -> Result<Box<dyn Layer>>
where
    F: for<'g> Fn(&Context<'g>, &Args<'g>) -> Result<Value<'g>> + Send + Sync + 'static,
{
    Ok(Box::new(Stateless { base: LayerBase::new(class_name, config)?, keywords, call }))
}

impl<F> Layer for Stateless<F>
where
    F: for<'g> Fn(&Context<'g>, &Args<'g>) -> Result<Value<'g>> + Send + Sync,
{
    fn base(&self) -> &LayerBase {
        &self.base
    }

    fn base_mut(&mut self) -> &mut LayerBase {
        &mut self.base
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        (self.call)(cx, args).map(Outputs::from)
    }

    fn keywords(&self) -> &'static [&'static str] {
        self.keywords
    }
}
