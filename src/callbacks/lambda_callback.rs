//! `keras.callbacks.LambdaCallback`.

use crate::base::Result;
use crate::trainers::{Callback, Logs, Run};

type OnRun<'f> = Option<Box<dyn FnMut(&mut Run<'_>) -> Result<()> + 'f>>;
type OnNumber<'f> = Option<Box<dyn FnMut(&mut Run<'_>, usize) -> Result<()> + 'f>>;
type OnEnd<'f> = Option<Box<dyn FnMut(&mut Run<'_>, &Logs) -> Result<()> + 'f>>;
type OnEpochEnd<'f> = Option<Box<dyn FnMut(&mut Run<'_>, usize, &mut Logs) -> Result<()> + 'f>>;

/// A callback made of functions.
#[derive(Default)]
pub struct LambdaCallback<'f> {
    on_train_begin: OnRun<'f>,
    on_train_end: OnEnd<'f>,
    on_epoch_begin: OnNumber<'f>,
    on_epoch_end: OnEpochEnd<'f>,
    on_train_batch_begin: OnNumber<'f>,
    on_train_batch_end: OnNumber<'f>,
    on_test_begin: OnRun<'f>,
    on_test_end: OnEnd<'f>,
    on_test_batch_begin: OnNumber<'f>,
    on_test_batch_end: OnNumber<'f>,
}

/// A method that takes the function for an event, and the event that calls it.
macro_rules! events {
    ($($name:ident($($argument:ident: $type:ty),*)),* $(,)?) => {
        impl<'f> LambdaCallback<'f> {
            /// A callback that does nothing yet.
            pub fn new() -> LambdaCallback<'f> {
                LambdaCallback::default()
            }

            $(
                /// What to do at the event of this name.
                #[must_use]
                pub fn $name(
                    mut self,
                    f: impl FnMut(&mut Run<'_>, $($type),*) -> Result<()> + 'f,
                ) -> LambdaCallback<'f> {
                    self.$name = Some(Box::new(f));
                    self
                }
            )*
        }

        impl Callback for LambdaCallback<'_> {
            $(
                fn $name(&mut self, run: &mut Run<'_>, $($argument: $type),*) -> Result<()> {
                    self.$name.as_mut().map_or(Ok(()), |f| f(run, $($argument),*))
                }
            )*
        }
    };
}

events! {
    on_train_begin(),
    on_train_end(logs: &Logs),
    on_epoch_begin(epoch: usize),
    on_epoch_end(epoch: usize, logs: &mut Logs),
    on_train_batch_begin(batch: usize),
    on_train_batch_end(batch: usize),
    on_test_begin(),
    on_test_end(logs: &Logs),
    on_test_batch_begin(batch: usize),
    on_test_batch_end(batch: usize),
}
