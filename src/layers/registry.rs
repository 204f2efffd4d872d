//! The table of layer classes: the only way from a class name in a file to code.

use crate::base::Result;
use crate::layers::Layer;
use crate::layers::config::{Config, Json};
use crate::layers::core;

/// How much of a class is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All config keys, in inference.
    Complete,
    /// What is missing, in words.
    Partial(&'static str),
}

/// The part of Keras's documentation a layer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Core,
    Activation,
    Convolutional,
    Pooling,
    Normalization,
    Merging,
    Reshaping,
    Regularization,
    Preprocessing,
}

/// What the table says of a class.
pub struct LayerDef {
    pub class_name: &'static str,
    pub group: Group,
    pub status: Status,
    /// The constructor's defaults.
    pub defaults: fn() -> Json,
    pub new: fn(&Config) -> Result<Box<dyn Layer>>,
}

macro_rules! layers {
    ($($group:ident: $($module:ident :: $name:ident $(($missing:literal))?),* ;)*) => {
        /// Every layer class this version can load, in the order of Keras's documentation.
        pub const LAYERS: &[LayerDef] = &[$($(LayerDef {
            class_name: stringify!($name),
            group: Group::$group,
            status: layers!(@status $($missing)?),
            defaults: $module::$name::defaults,
            new: $module::$name::from_config,
        }),*),*];
    };
    (@status) => { Status::Complete };
    (@status $missing:literal) => { Status::Partial($missing) };
}

layers! {
    Core: core::InputLayer, core::Dense, core::Activation;
}

/// The definition of a class.
pub fn find(class_name: &str) -> Option<&'static LayerDef> {
    LAYERS.iter().find(|def| def.class_name == class_name)
}
