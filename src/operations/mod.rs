//! `keras.ops` as nodes of a functional model: one row of a table each.
//!
//! An operation's config holds the arguments of its constructor; tensors and the scalars of a call are
//! the call's arguments. An operation is a [`Layer`] without variables.

mod attention;
mod bits;
mod borders;
mod call;
mod complex;
mod control;
mod core;
mod creation;
pub(crate) mod ctc;
mod ctc_beam;
mod diagonals;
mod elementwise;
mod fake_quant;
pub(crate) mod formulas;
mod image;
pub(crate) mod indexing;
mod linalg;
pub(crate) mod linear;
mod losses;
mod math;
pub(crate) mod nn;
mod norm;
mod patches;
pub(crate) mod promotion;
mod rearrange;
pub(crate) mod reductions;
mod saturating;
mod scatter;
mod segments;
mod shapes;
mod signal;
mod sorting;
mod statistics;
mod unique;

use serde_json::Map;

use crate::base::{Error, Result};
use crate::layers::config::{Config, Json};
use crate::layers::layer::layer_base;
use crate::layers::weight_rules::WeightRules;
use crate::layers::{Args, Context, DTypePolicy, Layer, LayerBase, Outputs};

use crate::saving::saveable::Kind;

use call::Call;

/// What the table says of an operation.
pub struct OperationDef {
    /// The operation's class, as it stands in a model's config.
    pub class_name: &'static str,
    /// Names of the call's arguments, in order.
    pub arguments: &'static [&'static str],
    /// The argument that stands for any other keyword of a call: `(arguments; this)` in a table.
    pub keywords: Option<&'static str>,
    /// The constructor's defaults; required arguments are null.
    pub defaults: fn() -> Json,
    call: for<'a, 'g> fn(&Call<'a, 'g>) -> Result<Outputs<'g>>,
}

/// Every operation, by the Python module that files name.
pub const OPERATIONS: &[(&str, &[OperationDef])] = &[
    ("keras.src.ops.numpy", elementwise::ELEMENTWISE),
    ("keras.src.quantizers.quantizers", fake_quant::FAKE_QUANT),
    ("keras.src.ops.numpy", reductions::REDUCTIONS),
    ("keras.src.ops.numpy", shapes::SHAPES),
    ("keras.src.ops.numpy", indexing::INDEXING),
    ("keras.src.ops.numpy", linear::LINEAR),
    ("keras.src.ops.numpy", bits::BITS),
    ("keras.src.ops.numpy", creation::CREATION),
    ("keras.src.ops.numpy", diagonals::DIAGONALS),
    ("keras.src.ops.numpy", scatter::PICKING),
    ("keras.src.ops.numpy", sorting::SORTING),
    ("keras.src.ops.numpy", statistics::STATISTICS),
    ("keras.src.ops.math", sorting::LARGEST),
    ("keras.src.ops.numpy", control::POSITIONS),
    ("keras.src.ops.math", segments::SEGMENTS),
    ("keras.src.ops.core", scatter::SCATTER),
    ("keras.src.ops.core", control::CONTROL),
    ("keras.src.ops.linalg", control::DERIVATIVES),
    ("keras.src.ops.linalg", control::EIGENVALUES),
    ("keras.src.ops.einops", rearrange::EINOPS),
    ("keras.src.ops.linalg", linalg::LINALG),
    ("keras.src.ops.linalg", norm::NORM),
    ("keras.src.ops.numpy", linalg::DETERMINANTS),
    ("keras.src.ops.math", linalg::LOG_DETERMINANTS),
    ("keras.src.ops.nn", attention::ATTENTION),
    ("keras.src.ops.nn", ctc::CTC),
    ("keras.src.ops.numpy", unique::UNIQUE),
    ("keras.src.ops.nn", losses::LOSSES),
    ("keras.src.ops.nn", nn::NN),
    ("keras.src.ops.math", math::MATH),
    ("keras.src.ops.math", complex::VIEWS),
    ("keras.src.ops.nn", complex::POLAR),
    ("keras.src.ops.math", signal::SIGNAL),
    ("keras.src.ops.core", core::CORE),
    ("keras.src.ops.image", image::IMAGE),
    ("keras.src.ops.image", borders::BORDERS),
    ("keras.src.ops.image", patches::PATCHES),
    ("keras.src.ops.nn", patches::BLOCKS),
    ("keras.src.activations.activations", nn::ACTIVATIONS),
];

/// Those of them that only say why they are not computed, by the reason.
pub const REFUSED: &[(&str, &[OperationDef])] = &[
    ("calls functions of the user's Python code, which no file holds", control::CONTROL),
    ("calls functions of the user's Python code, which no file holds", control::DERIVATIVES),
    ("how many positions there are depends on the data", control::POSITIONS),
    (
        "complex eigenvalues in no order of their own; Keras on JAX has it on processors only",
        control::EIGENVALUES,
    ),
];

/// Functions of plain numbers, which no file holds as nodes: Keras calls them at once.
pub const FUNCTIONS: &[OperationDef] = creation::FUNCTIONS;

/// The definition of an operation.
pub fn find(module: &str, class_name: &str) -> Option<&'static OperationDef> {
    let tables = OPERATIONS.iter().filter(|(name, _)| *name == module);
    tables.flat_map(|(_, table)| table.iter()).find(|def| def.class_name == class_name)
}

/// Declares a table: `operations! { NAME: Class(arguments) { constructor: default } |c| body; … }`.
/// The body gives a `Result` of a value or of several.
macro_rules! operations {
    ($(#[$doc:meta])* $table:ident:
        $($class:ident($($argument:ident),* $(; $open:ident)?) $({ $($key:ident : $default:tt),* })?
            |$c:ident| $body:expr;)*
    ) => {
        $(#[$doc])*
        pub(super) const $table: &[$crate::operations::OperationDef] = &[$(
            $crate::operations::OperationDef {
                class_name: stringify!($class),
                arguments: &[$(stringify!($argument)),*],
                keywords: [$(Some(stringify!($open)),)? None][0],
                defaults: || serde_json::json!({ $($(stringify!($key): $default),*)? }),
                call: |$c| Result::map($body, Into::into),
            }
        ),*];
    };
}
use operations;

impl OperationDef {
    /// An operation with the constructor's arguments in `config`.
    ///
    /// # Errors
    /// If the name is not one a node can have.
    #[allow(clippy::new_ret_no_self, reason = "called like the constructors of other tables")]
    pub fn create(&'static self, config: &Config) -> Result<Box<dyn Layer>> {
        if let Json::Object(defaults) = (self.defaults)() {
            defaults.keys().for_each(|key| {
                config.get(key);
            });
        }
        let name = match config.optional_str("name")? {
            Some(name) if name.contains('/') => {
                return Err(config.bad("name", "a name without '/'"));
            }
            Some(name) => name.to_owned(),
            None => crate::base::naming::snake_case(self.class_name),
        };
        let base = LayerBase {
            class_name: self.class_name,
            name,
            trainable: true,
            policy: DTypePolicy::FLOAT32,
            autocast: false,
            built: true,
            variables: Vec::new(),
            rules: WeightRules::default(),
            adaptation: None,
        };
        let (owner, given) = (config.owner().to_owned(), config.given().clone());
        Ok(Box::new(Operation { base, def: self, owner, given }))
    }
}

/// Floats of eight bits mix with no other dtype in Keras, and nothing here computes in them.
fn refuse_float8(def: &OperationDef, args: &Args<'_>) -> Result<()> {
    let mut given = None;
    args.visit(&mut |value| given = Some(value.dtype()).filter(|d| d.is_float8()).or(given));
    match given.filter(|_| def.class_name != "Cast") {
        Some(dtype) => Err(Error::Unsupported(format!(
            "{} of {dtype}: cast to float32 or another dtype first",
            def.class_name
        ))),
        None => Ok(()),
    }
}

struct Operation {
    base: LayerBase,
    def: &'static OperationDef,
    /// What errors call the operation, and the arguments of its constructor.
    owner: String,
    given: Map<String, Json>,
}

impl Layer for Operation {
    layer_base!();

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let config = &Config::new(self.owner.clone(), self.given.clone(), (self.def.defaults)());
        let call = &Call { cx, config, args, arguments: self.def.arguments };
        refuse_float8(self.def, args)?;
        match complex::is_given(args) {
            true => complex::call(self.def, call),
            false => (self.def.call)(call),
        }
    }

    fn kind(&self) -> Kind {
        Kind::Operation
    }

    fn keywords(&self) -> &'static [&'static str] {
        self.def.arguments
    }

    fn takes_any_keyword(&self) -> bool {
        self.def.keywords.is_some()
    }
}
