//! Operations without inputs: where values come from.

use std::hash::{Hash, Hasher};

use crate::base::{DType, Error, Result, Shape, Spec};
use crate::graph::{FusionClass, OpDef, Value, Vjp};
use crate::tensor::{Array, Tensor, VariableId, Words};

/// The model input at a position.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Input {
    /// Position among the model's inputs.
    pub index: usize,
    /// Shape and dtype of the input.
    pub spec: Spec,
}

/// The value of a variable, or some of its rows: a device may bind only a part of a large one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Read {
    /// The variable.
    pub id: VariableId,
    /// Spec of the rows.
    pub spec: Spec,
    /// The row of the variable that the value starts with; 0 for all of it.
    pub first_row: usize,
}

/// A value that depends on variables only, computed once per version of them by a prelude program.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hoisted {
    /// Position among the prelude's outputs.
    pub index: usize,
    /// Shape and dtype of the value.
    pub spec: Spec,
}

/// What an input of a loop is in one step, while the loop's body is traced. Finished graphs have none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Placeholder {
    /// Different for every placeholder of a graph.
    pub id: usize,
    /// Shape and dtype that the loop's input has in one step.
    pub spec: Spec,
}

/// A tensor known while tracing.
#[derive(Clone, Debug)]
pub struct Constant {
    /// The value.
    pub tensor: Tensor,
}

impl PartialEq for Constant {
    // By bytes, so that NaN equals itself and 0.0 differs from -0.0.
    fn eq(&self, other: &Constant) -> bool {
        self.tensor.spec() == other.tensor.spec() && self.tensor.bytes() == other.tensor.bytes()
    }
}

impl Eq for Constant {}

impl Hash for Constant {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.tensor.spec().hash(state);
        self.tensor.bytes().iter().take(64).for_each(|b| b.hash(state));
    }
}

/// The index along one axis, as int32.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Iota {
    /// Shape of the result.
    pub shape: Shape,
    /// The axis whose index each element is.
    pub axis: usize,
}

macro_rules! provided_leaf {
    ($($name:ident: $what:literal),*) => { $(
        impl OpDef for $name {
            fn label(&self) -> String {
                self.text()
            }
            fn infer(&self, _: &[&Spec]) -> Result<Spec> {
                Ok(self.spec.clone())
            }
            fn vjp<'g>(&self, _: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
                Vec::new()
            }
            fn eval(&self, _: &[&Array], _: &Spec) -> Result<Array> {
                Err(Error::Internal(concat!("a ", $what, " must be given, not computed").into()))
            }
            fn fusion(&self) -> FusionClass {
                FusionClass::Leaf
            }
        }
    )* };
}
provided_leaf!(
    Input: "model input",
    Read: "variable",
    Hoisted: "hoisted value",
    Placeholder: "value of one step of a loop"
);

impl Input {
    fn text(&self) -> String {
        format!("input {}", self.index)
    }
}

impl Read {
    fn text(&self) -> String {
        match self.first_row {
            0 => "variable".into(),
            row => format!("variable from row {row}"),
        }
    }
}

impl Hoisted {
    fn text(&self) -> String {
        format!("hoisted {}", self.index)
    }
}

impl Placeholder {
    fn text(&self) -> String {
        "a value of one step of a loop".into()
    }
}

impl OpDef for Constant {
    fn label(&self) -> String {
        match self.tensor.len() {
            1 => format!("constant {}", self.tensor.iter_f64().next().unwrap_or(0.0)),
            _ => "constant".into(),
        }
    }
    fn infer(&self, _: &[&Spec]) -> Result<Spec> {
        Ok(self.tensor.spec().clone())
    }
    fn vjp<'g>(&self, _: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        Vec::new()
    }
    fn eval(&self, _: &[&Array], _: &Spec) -> Result<Array> {
        self.tensor.to_array()
    }
    fn fusion(&self) -> FusionClass {
        FusionClass::Leaf
    }
}

impl OpDef for Iota {
    fn label(&self) -> String {
        format!("iota axis={}", self.axis)
    }
    fn infer(&self, _: &[&Spec]) -> Result<Spec> {
        Ok(Spec::new(self.shape.clone(), DType::Int32))
    }
    fn vjp<'g>(&self, _: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        Vec::new()
    }
    fn eval(&self, _: &[&Array], output: &Spec) -> Result<Array> {
        let stride = self.shape.strides()[self.axis];
        let extent = self.shape[self.axis];
        let words = (0..self.shape.len()).map(|i| ((i / stride) % extent) as i32).collect();
        Ok(crate::graph::array(output.clone(), Words::I32(words)))
    }
    fn fusion(&self) -> FusionClass {
        FusionClass::Map
    }
}
