//! Reductions; see `shaders/reduce.wgsl`, `reduce_group.wgsl`, `reduce_subgroup.wgsl`,
//! `reduce_columns.wgsl` and `arg_reduce.wgsl`.

use crate::base::dtype::Lane;
use crate::base::{DType, Error, Result};
use crate::gpu::{Caps, Kind, shader};
use crate::graph::ops::ReduceKind;
use crate::graph::{NodeId, Op};
use crate::kernels::expr::Expr;
use crate::kernels::map::WORKGROUP;
use crate::kernels::rows::{Lanes, combined, extended};
use crate::kernels::variant::pick;
use crate::kernels::{Access, Launch, fold};
use crate::program::region::Body;

/// Elements combined before they join the total: keeps rounding errors of long sums apart.
pub(super) const RUN: usize = 256;

/// Outputs of a workgroup where their elements are neighbours: a transaction of 32 bytes.
const COLS: usize = 8;
/// Fewer elements than this are not shared among invocations.
const LONG: usize = 128;
/// Invocations of each of them.
const SLICES: usize = 32;

/// A reduction with what is fused in front and behind.
pub struct Reduction<'a> {
    /// `Reduce` or `ArgReduce`.
    pub op: &'a Op,
    /// Gives the elements, over the output's and the reduced dimensions.
    pub prologue: &'a Body,
    /// Gives the stored value from the result.
    pub body: &'a Body,
    /// Number of outputs.
    pub outputs: usize,
    /// Number of elements in each.
    pub len: usize,
    /// Whether neighbours in a reduction are neighbours in memory; else neighbouring outputs are.
    pub contiguous: bool,
}

impl Reduction<'_> {
    /// The kernels that can compute a sum or the like, the one for the adapter's kind first.
    fn kernels(&self, caps: &Caps) -> Vec<&'static str> {
        if self.len < LONG {
            return vec!["reduce"];
        }
        let shared = if self.contiguous { "reduce_group" } else { "reduce_columns" };
        // Several invocations for each output pay where there are few; barriers cost a software adapter
        // more than they save.
        let few = self.outputs < 16_384 && caps.kind != Kind::Software;
        let mut kernels = if few { vec![shared, "reduce"] } else { vec!["reduce", shared] };
        // Measurements alone choose it.
        if self.contiguous && Lanes::on_gpu(self.len).fit_subgroups(caps) {
            kernels.push("reduce_subgroup");
        }
        kernels
    }

    fn name(&self) -> String {
        let along = if self.contiguous { "rows" } else { "columns" };
        format!("reduce {along} {}x{}", self.outputs, self.len)
    }
}

/// The launch of a reduction, and the values it reads, in the order of their bindings; the output is
/// bound last.
pub fn launch(
    reduction: &Reduction<'_>,
    caps: &Caps,
    access: &Access<'_>,
) -> Result<(Launch, Vec<NodeId>)> {
    let Reduction { prologue, body, outputs, len, .. } = *reduction;
    let lane = prologue.dtype().lane();
    let mut expr = Expr::new(access, 0, &[outputs as u32, len as u32]);
    expr.text(&format!("alias Acc = {};\n", lane.wgsl()));
    let (kernel, choice, result, prelude) = match reduction.op {
        Op::Reduce(op) => {
            expr.text(&combining(op.kind, prologue.dtype(), ""));
            let (kernel, choice) = pick(reduction.name(), reduction.kernels(caps), caps)?;
            (kernel, choice, lane, constants(kernel, len, caps))
        }
        Op::ArgReduce(op) => {
            expr.text(&winning(lane, op.max));
            ("arg_reduce", None, Lane::I32, constants("arg_reduce", len, caps))
        }
        other => return Err(Error::Internal(format!("{} is no reduction", other.def().label()))),
    };
    expr.function("element", prologue, None, &["i", "r"])?;
    expr.function("value", body, Some(result), &["i"])?;
    if kernel == "reduce_subgroup" {
        expr.text(&extended("", false));
        expr.text(&combined("lib/row_join_subgroup", "")?);
    }
    let operands = expr.operands();
    let code = expr.finish_with_output(body.dtype().lane());
    let each = outputs_of_workgroup(kernel, len);
    let launch = Launch {
        kernel,
        label: format!("{kernel} {outputs}x{len}"),
        source: shader::compose(kernel, &prelude, &[("generated", &code.text)])?,
        params: code.params,
        extra: Vec::new(),
        steps: code.steps,
        grid: fold(outputs.div_ceil(each), caps, kernel)?,
        bindings: operands.len() + access.places.len(),
        first_output: operands.len(),
        outputs: access.places.len(),
        fills_workgroup_memory: kernel.starts_with("reduce_"),
        work: 0,
        choice,
    };
    Ok((launch, operands))
}

/// Outputs of a workgroup.
fn outputs_of_workgroup(kernel: &str, len: usize) -> usize {
    match kernel {
        "reduce_group" => 1,
        "reduce_columns" => COLS,
        "reduce_subgroup" => Lanes::on_gpu(len).rows(),
        _ => WORKGROUP,
    }
}

/// The constants of a kernel.
fn constants(kernel: &str, len: usize, caps: &Caps) -> String {
    match kernel {
        "reduce_columns" => {
            format!("const COLS = {COLS}u;\nconst SLICES = {SLICES}u;\nconst RUN = {RUN}u;\n")
        }
        "reduce_subgroup" => Lanes::on_gpu(len).prelude(caps),
        _ => format!("const WG = {WORKGROUP}u;\nconst RUN = {RUN}u;\n"),
    }
}

/// The text of `start` and `combine`, whose names and `Acc` end in `name`.
pub(super) fn combining(kind: ReduceKind, dtype: DType, name: &str) -> String {
    let lane = dtype.lane();
    let (start, combine) = match (kind, lane) {
        (ReduceKind::Sum, Lane::F32) => ("0.0", "a + b"),
        (ReduceKind::Prod, Lane::F32) => ("1.0", "a * b"),
        (ReduceKind::Max, Lane::F32) => ("-infinity()", "nan_max(a, b)"),
        (ReduceKind::Min, Lane::F32) => ("infinity()", "nan_min(a, b)"),
        (ReduceKind::Sum, Lane::I32) => ("0", "a + b"),
        (ReduceKind::Prod, Lane::I32) => ("1", "a * b"),
        (ReduceKind::Sum, Lane::U32) => ("0u", "a + b"),
        (ReduceKind::Prod, Lane::U32) => ("1u", "a * b"),
        (ReduceKind::Max, Lane::I32) => ("-2147483647 - 1", "max(a, b)"),
        (ReduceKind::Min, Lane::I32) => ("2147483647", "min(a, b)"),
        (ReduceKind::Max, Lane::U32) => ("0u", "max(a, b)"),
        (ReduceKind::Min, Lane::U32) if dtype == DType::Bool => ("1u", "min(a, b)"),
        (ReduceKind::Min, Lane::U32) => ("0xffffffffu", "min(a, b)"),
    };
    format!(
        "fn start{name}() -> Acc{name} {{ return {start}; }}\n\
         fn combine{name}(a: Acc{name}, b: Acc{name}) -> Acc{name} {{ return {combine}; }}\n"
    )
}

fn winning(lane: Lane, max: bool) -> String {
    let better = if max { "x > best" } else { "x < best" };
    let test = match lane {
        Lane::F32 => format!("!is_nan(best) && (is_nan(x) || {better})"),
        _ => better.to_owned(),
    };
    format!("fn wins(x: Acc, best: Acc) -> bool {{ return {test}; }}\n")
}
