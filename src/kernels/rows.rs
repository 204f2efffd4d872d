//! Reductions of rows and what follows them; see `shaders/rows.wgsl`.

use std::fmt::Write;

use crate::base::Result;
use crate::base::dtype::Lane;
use crate::gpu::{Caps, Kind, shader};
use crate::graph::NodeId;
use crate::kernels::expr::Expr;
use crate::kernels::map::WORKGROUP;
use crate::kernels::reduce::{RUN, combining};
use crate::kernels::{Access, Launch, fold};
use crate::program::region::RowPlan;

/// Invocations for each row, by the longest row that they are for.
const LANES: [(usize, usize); 4] = [(16, 1), (128, 8), (512, 32), (2048, 128)];
/// Invocations for longer rows.
const MOST_LANES: usize = 256;
/// Invocations of a workgroup on a software adapter, which computes as many at a time. Barriers cost
/// it more than reading apart: a row has one invocation unless rows are few.
const SOFTWARE: usize = 8;
/// Rows that keep all cores of a software adapter busy, each with one invocation.
const ENOUGH_ROWS: usize = 64;

/// The launch of a region of rows, and the values it reads, in the order of their bindings; the
/// outputs are bound last, in the order of [`RowPlan::stores`].
pub fn launch(plan: &RowPlan, caps: &Caps, access: &Access<'_>) -> Result<(Launch, Vec<NodeId>)> {
    let mut expr = Expr::new(access, 0, &[plan.rows as u32, plan.len as u32]);
    reductions(plan, &mut expr)?;
    let outputs = stores(plan, &mut expr)?;
    let operands = expr.operands();
    let stored = outputs.len();
    let code = expr.finish_with_outputs(&outputs);
    let [lanes, workgroup] = shape(plan, caps);
    let prelude =
        format!("const WG = {workgroup}u;\nconst LANES = {lanes}u;\nconst RUN = {RUN}u;\n");
    let launch = Launch {
        kernel: "rows",
        label: format!("rows {}x{}", plan.rows, plan.len),
        source: shader::compose("rows", &prelude, &[("generated", &code.text)])?,
        params: code.params,
        extra: Vec::new(),
        steps: code.steps,
        grid: fold(plan.rows.div_ceil(workgroup / lanes), caps, "rows")?,
        bindings: operands.len() + stored,
        first_output: operands.len(),
        outputs: stored,
        fills_workgroup_memory: true,
        choice: None,
    };
    Ok((launch, operands))
}

/// Invocations of a row, and of a workgroup.
fn shape(plan: &RowPlan, caps: &Caps) -> [usize; 2] {
    let fitting = LANES.iter().find(|(longest, _)| plan.len <= *longest);
    let lanes = fitting.map_or(MOST_LANES, |(_, lanes)| *lanes);
    match caps.kind {
        // Neighbouring rows are neighbours in memory.
        _ if !plan.contiguous => [1, WORKGROUP],
        Kind::Software if plan.rows < ENOUGH_ROWS => [lanes.min(SOFTWARE), SOFTWARE],
        Kind::Software => [1, SOFTWARE],
        _ => [lanes, lanes.max(WORKGROUP)],
    }
}

/// Adds `fn combine_row`, which finds the numbers of a row.
fn reductions(plan: &RowPlan, expr: &mut Expr<'_>) -> Result<()> {
    let stage = shader::file("lib/row_stage")?;
    let mut calls = String::new();
    for (k, combined) in plan.combined.iter().enumerate() {
        let (lane, number) = (combined.element.dtype().lane(), combined.value.dtype().lane());
        expr.text(&format!("alias Acc{k} = {};\n", lane.wgsl()));
        expr.text(&format!("var<private> number{k}: {};\n", number.wgsl()));
        expr.text(&combining(combined.kind, combined.element.dtype(), &k.to_string()));
        expr.function(&format!("element{k}"), &combined.element, None, &["i", "r"])?;
        expr.function(&format!("value{k}"), &combined.value, Some(lane), &["i"])?;
        expr.text(&stage.replace("_K", &k.to_string()));
        // Writing to a string cannot fail.
        let _ = writeln!(calls, "    number{k} = value{k}(combined{k}(i, lane, seat), i);");
    }
    expr.text(&format!("fn combine_row(i: u32, lane: u32, seat: u32) {{\n{calls}}}\n"));
    Ok(())
}

/// Adds `fn store_row`, which stores a row's numbers and elements, and gives the outputs' lanes.
fn stores(plan: &RowPlan, expr: &mut Expr<'_>) -> Result<Vec<Lane>> {
    let (mut numbers, mut each) = (String::new(), String::new());
    let mut outputs = Vec::new();
    for (k, combined) in plan.combined.iter().enumerate().filter(|(_, c)| c.stored) {
        let _ = writeln!(numbers, "        out{}[i] = number{k};", outputs.len());
        outputs.push(combined.value.dtype().lane());
    }
    for value in &plan.each {
        let output = outputs.len();
        expr.function(&format!("each{output}"), &value.body, None, &["i", "r"])?;
        let _ = writeln!(each, "        out{output}[at] = each{output}(i, r);");
        outputs.push(value.body.dtype().lane());
    }
    expr.function("position", &plan.position, None, &["i", "r"])?;
    expr.text(&format!(
        "fn store_row(i: u32, lane: u32) {{\n    \
            if lane == 0u {{\n{numbers}    }}\n    \
            for (var r = lane; r < u32(ep[0].y); r += LANES) {{\n        \
                let at = u32(position(i, r));\n{each}    }}\n}}\n"
    ));
    Ok(outputs)
}
