//! `keras.ops` that are not computed: each says why.

use crate::base::{Error, Result};
use crate::graph::Value;
use crate::operations::call::Call;
use crate::operations::operations;

operations! {
    /// Control flow, in `keras.ops.core`: its functions are the user's Python code.
    CONTROL:
    AssociativeScan(f, elems) { reverse: false, axis: 0 } |c| python(c, "associative_scan");
    Cond(pred, true_fn, false_fn) |c| python(c, "cond");
    ForiLoop(init_val) { lower: null, upper: null, body_fun: null } |c| python(c, "fori_loop");
    Map(f, xs) |c| python(c, "map");
    Scan(f, init, xs) { length: null, reverse: false, unroll: 1 } |c| python(c, "scan");
    Switch(index, branches, operands) |c| python(c, "switch");
    VectorizedMap(elements) { function: null } |c| python(c, "vectorized_map");
    WhileLoop(loop_vars) { cond: null, body: null, maximum_iterations: null } |c| python(c, "while_loop");
}

operations! {
    /// Derivatives of the user's Python code, in `keras.ops.linalg`.
    DERIVATIVES:
    JVP(fun, primals, tangents) { has_aux: false } |c| python(c, "jvp");
}

operations! {
    /// Positions, in `keras.ops.numpy`.
    POSITIONS:
    Nonzero(x) |c| nonzero(c);
}

operations! {
    /// Eigenvalues of matrices that are not symmetric, in `keras.ops.linalg`.
    EIGENVALUES:
    Eig(x) |c| eig(c);
}

fn python<'g>(c: &Call<'_, 'g>, name: &str) -> Result<Value<'g>> {
    Err(Error::Unsupported(format!(
        "keras.ops.{name} ({}) calls functions of the user's Python code, which a file does not hold: \
         write the layer in Rust and register it in its place",
        c.config.owner()
    )))
}

fn nonzero<'g>(_: &Call<'_, 'g>) -> Result<Value<'g>> {
    let what =
        "nonzero: how many positions it gives depends on the data, and a graph has fixed shapes";
    Err(Error::Unsupported(what.into()))
}

fn eig<'g>(_: &Call<'_, 'g>) -> Result<Value<'g>> {
    let what = "eig: its eigenvalues are complex and in no order of their own, and Keras on JAX has it on \
                processors only; eigh takes symmetric matrices apart";
    Err(Error::Unsupported(what.into()))
}
