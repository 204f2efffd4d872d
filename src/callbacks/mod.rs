//! `keras.callbacks`: what a training does besides training.
//!
//! A callback is a struct with the arguments of Keras's class as methods, given to
//! [`FitOptions`](crate::trainers::FitOptions). One of your own implements
//! [`Callback`], or is made of functions with [`LambdaCallback`]. What Keras prints
//! with `verbose` goes to the `log` crate.
//!
//! ```no_run
//! # fn main() -> keraunos::Result<()> {
//! use keraunos::callbacks::{EarlyStopping, ModelCheckpoint};
//! use keraunos::trainers::FitOptions;
//! use keraunos::Device;
//! # let mut model = keraunos::load_model("model.keras")?;
//! # let data = keraunos::trainers::Data::default();
//! let mut stop = EarlyStopping::new().monitor("val_loss").patience(3_usize);
//! let mut keep = ModelCheckpoint::new("best.keras")?.save_best_only(true);
//! let mut options = FitOptions { epochs: 50, validation_split: 0.1, ..FitOptions::on(Device::Host) };
//! options.callbacks.push(&mut stop);
//! options.callbacks.push(&mut keep);
//! let history = model.fit(&data, &mut options)?;
//! # Ok(())
//! # }
//! ```

mod arguments;
mod backup;
mod backup_and_restore;
mod csv_logger;
mod early_stopping;
mod file_name;
mod lambda_callback;
mod learning_rate_scheduler;
mod model_checkpoint;
mod monitor;
mod progbar_logger;
mod reduce_lr_on_plateau;
mod save_freq;
mod swap_ema_weights;
mod tensor_board;

mod terminate_on_nan;

pub use backup_and_restore::BackupAndRestore;
pub use csv_logger::CSVLogger;
pub use early_stopping::EarlyStopping;
pub use lambda_callback::LambdaCallback;
pub use learning_rate_scheduler::LearningRateScheduler;
pub use model_checkpoint::ModelCheckpoint;
pub use monitor::Mode;
pub use progbar_logger::ProgbarLogger;
pub use reduce_lr_on_plateau::ReduceLROnPlateau;
pub use save_freq::SaveFreq;
pub use swap_ema_weights::SwapEMAWeights;
pub use tensor_board::{TensorBoard, UpdateFreq};

pub use terminate_on_nan::TerminateOnNaN;

pub use crate::trainers::{Callback, History};
