//! Layers without variables: a class is its settings and one function of its inputs.

use crate::base::Result;
use crate::graph::Value;
use crate::layers::config::Config;
use crate::layers::{Args, Context, Layer, LayerBase, Outputs, masks};

/// The mask of a layer's output from those of its inputs.
pub(crate) type MaskRule =
    dyn for<'g> Fn(&Args<'g>, &[Option<Value<'g>>]) -> Result<Option<Value<'g>>> + Send + Sync;

struct Stateless<F> {
    base: LayerBase,
    keywords: &'static [&'static str],
    mask: Option<Box<MaskRule>>,
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
    let base = LayerBase::new(class_name, config)?;
    Ok(Box::new(Stateless { base, keywords, mask: None, call }))
}

/// [`stateless`], for a layer of several inputs that has a rule of its own for the output's mask.
pub(crate) fn stateless_masked<F>(
    class_name: &'static str,
    config: &Config,
    mask: Box<MaskRule>,
    call: F,
) -> Result<Box<dyn Layer>>
where
    F: for<'g> Fn(&Context<'g>, &Args<'g>) -> Result<Value<'g>> + Send + Sync + 'static,
{
    let base = LayerBase::new(class_name, config)?;
    Ok(Box::new(Stateless { base, keywords: &[], mask: Some(mask), call }))
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

    fn compute_mask<'g>(
        &self,
        _: &Context<'g>,
        args: &Args<'g>,
        previous: &[Option<Value<'g>>],
    ) -> Result<Vec<Option<Value<'g>>>> {
        match &self.mask {
            Some(mask) => Ok(vec![mask(args, previous)?]),
            None if masks::keeps(self.base.class_name) => Ok(previous.to_vec()),
            None => Ok(Vec::new()),
        }
    }

    fn keywords(&self) -> &'static [&'static str] {
        self.keywords
    }
}
