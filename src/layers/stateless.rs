//! Layers without variables: a class is its settings and one function of its inputs.

use crate::base::Result;
use crate::graph::Value;
use crate::layers::config::Config;
use crate::layers::{Args, Context, Layer, LayerBase, Outputs, masks};

struct Stateless<F> {
    base: LayerBase,
    keywords: &'static [&'static str],
    call: F,
    mask: Option<Box<dyn MaskRule>>,
}

/// What makes the mask of an output from a call's arguments and the masks of its first one.
pub(crate) trait MaskRule: Send + Sync {
    /// # Errors
    /// If a mask does not fit its input.
    fn mask<'g>(&self, args: &Args<'g>, masks: &[Option<Value<'g>>]) -> Result<Option<Value<'g>>>;
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
    Ok(Box::new(Stateless { base, keywords, call, mask: None }))
}

/// [`stateless`], for a layer with a rule of its own about masks.
pub(crate) fn stateless_masked<F>(
    class_name: &'static str,
    config: &Config,
    mask: impl MaskRule + 'static,
    call: F,
) -> Result<Box<dyn Layer>>
where
    F: for<'g> Fn(&Context<'g>, &Args<'g>) -> Result<Value<'g>> + Send + Sync + 'static,
{
    let (base, mask) = (LayerBase::new(class_name, config)?, Some(Box::new(mask) as _));
    Ok(Box::new(Stateless { base, keywords: &[], call, mask }))
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

    fn output_mask<'g>(
        &self,
        _: &Context<'g>,
        args: &Args<'g>,
        masks: &[Option<Value<'g>>],
    ) -> Result<Option<Value<'g>>> {
        match &self.mask {
            Some(rule) => rule.mask(args, masks),
            None => {
                let first = masks.first().copied().flatten();
                Ok(first.filter(|_| masks::keeps(self.base.class_name)))
            }
        }
    }

    fn keywords(&self) -> &'static [&'static str] {
        self.keywords
    }
}
