//! Reductions of rows and what follows them; see `shaders/rows.wgsl` and `rows_subgroup.wgsl`.

use std::fmt::Write;

use crate::base::Result;
use crate::gpu::{Caps, Kind, Subgroups, shader};
use crate::graph::NodeId;
use crate::kernels::expr::Expr;
use crate::kernels::fours::{is_aligned, operands_in_fours};
use crate::kernels::map::WORKGROUP;
use crate::kernels::reduce::{RUN, combining};
use crate::kernels::variant::pick;
use crate::kernels::{Access, Launch, fold};
use crate::program::region::{Body, Inst, RowPlan};

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
///
/// Where an adapter has subgroups, measurements can choose `rows_subgroup`; nothing else does.
pub fn launch(plan: &RowPlan, caps: &Caps, access: &Access<'_>) -> Result<(Launch, Vec<NodeId>)> {
    let in_fours = in_fours(plan, access);
    let lanes = shape(plan, caps).with_fours(in_fours.is_some());
    let (kernel, choice) = pick(name(plan), lanes.kernels(caps), caps)?;
    let mut expr = Expr::new(access, 0, &[plan.rows as u32, plan.len as u32])
        .with_fours(in_fours.unwrap_or_default());
    reductions(plan, join_of(kernel), lanes.wide, &mut expr)?;
    let outputs = stores(plan, lanes.wide, &mut expr)?;
    let operands = expr.operands();
    let stored = outputs.len();
    let code = expr.finish_with_outputs(&outputs);
    let launch = Launch {
        kernel,
        label: format!("{kernel} {}x{}", plan.rows, plan.len),
        source: shader::compose(kernel, &lanes.prelude(caps), &[("generated", &code.text)])?,
        params: code.params,
        extra: Vec::new(),
        steps: code.steps,
        grid: fold(plan.rows.div_ceil(lanes.rows()), caps, kernel)?,
        bindings: operands.len() + stored,
        first_output: operands.len(),
        outputs: stored,
        fills_workgroup_memory: true,
        work: 0,
        choice,
    };
    Ok((launch, operands))
}

/// The operands that are read by fours, if a plan is computed so.
fn in_fours(plan: &RowPlan, access: &Access<'_>) -> Option<Vec<NodeId>> {
    let along = plan.combined.iter().map(|c| &c.element).chain(plan.each.iter().map(|e| &e.body));
    let along: Vec<&Body> = along.collect();
    let numbers: Vec<&Body> = plan.combined.iter().map(|c| &c.value).collect();
    let stored = plan.each.is_empty() || stores_by_fours(&plan.position);
    if plan.contiguous && stored { operands_in_fours(&along, 1, &numbers, access) } else { None }
}

/// Whether four neighbours of a row are neighbours where they are stored.
fn stores_by_fours(position: &Body) -> bool {
    let place = matches!(&position.code[..], [Inst::Index { at }] if is_aligned(at));
    place && position.space.dims.last().is_some_and(|extent| extent.is_multiple_of(4))
}

/// What decides about the speed of a plan.
fn name(plan: &RowPlan) -> String {
    let RowPlan { rows, len, combined, each, .. } = plan;
    format!("rows {rows}x{len}, {} reductions, {} results", combined.len(), each.len())
}

/// How invocations are dealt to rows.
#[derive(Clone, Copy)]
pub(super) struct Lanes {
    /// Invocations of a row.
    of_row: usize,
    /// Invocations of a workgroup.
    workgroup: usize,
    /// Whether an invocation takes four neighbours at once.
    wide: bool,
}

impl Lanes {
    /// For rows of so many elements that are neighbours, on a GPU.
    pub(super) fn on_gpu(len: usize) -> Lanes {
        let of_row = lanes(len);
        Lanes { of_row, workgroup: of_row.max(WORKGROUP), wide: false }
    }

    fn with_fours(self, wide: bool) -> Lanes {
        Lanes { wide, ..self }
    }

    /// Rows of a workgroup.
    pub(super) fn rows(self) -> usize {
        self.workgroup / self.of_row
    }

    /// Whether the lanes of a row could exchange values in subgroups.
    pub(super) fn fit_subgroups(self, caps: &Caps) -> bool {
        let whole = |subgroups: Subgroups| self.workgroup.is_multiple_of(subgroups.most as usize);
        self.of_row > 1 && caps.subgroups.is_some_and(whole)
    }

    fn kernels(self, caps: &Caps) -> Vec<&'static str> {
        let subgroups = self.fit_subgroups(caps).then_some("rows_subgroup");
        ["rows"].into_iter().chain(subgroups).collect()
    }

    /// The constants of the kernels.
    pub(super) fn prelude(self, caps: &Caps) -> String {
        let Lanes { of_row, workgroup, wide } = self;
        let wide = if wide { 4 } else { 1 };
        let least = caps.subgroups.map_or(1, |subgroups| subgroups.least);
        format!(
            "const WG = {workgroup}u;\nconst LANES = {of_row}u;\nconst WIDE = {wide}u;\n\
             const RUN = {RUN}u;\n\
             const LEAST_SUBGROUP = {least}u;\n"
        )
    }
}

/// Invocations of a row that is long enough for all of them.
fn lanes(len: usize) -> usize {
    let fitting = LANES.iter().find(|(longest, _)| len <= *longest);
    fitting.map_or(MOST_LANES, |(_, lanes)| *lanes)
}

/// Invocations of a row, and of a workgroup.
fn shape(plan: &RowPlan, caps: &Caps) -> Lanes {
    match caps.kind {
        // Neighbouring rows are neighbours in memory.
        _ if !plan.contiguous => Lanes { of_row: 1, workgroup: WORKGROUP, wide: false },
        Kind::Software if plan.rows < ENOUGH_ROWS => {
            Lanes { of_row: lanes(plan.len).min(SOFTWARE), workgroup: SOFTWARE, wide: false }
        }
        Kind::Software => Lanes { of_row: 1, workgroup: SOFTWARE, wide: false },
        _ => Lanes::on_gpu(plan.len),
    }
}

/// The file by which a kernel joins the lanes of a row.
fn join_of(kernel: &str) -> &'static str {
    match kernel {
        "rows_subgroup" => "lib/row_join_subgroup",
        _ => "lib/row_join",
    }
}

/// The text of `fn combined`, whose name and those of what it uses end in `name`.
pub(super) fn combined(join: &str, name: &str) -> Result<String> {
    let text = [shader::file(join)?, shader::file("lib/row_stage")?].concat();
    Ok(text.replace("_K", name))
}

/// Adds `fn combine_row`, which finds the numbers of a row.
fn reductions(plan: &RowPlan, join: &str, wide: bool, expr: &mut Expr<'_>) -> Result<()> {
    let mut calls = String::new();
    for (k, combined) in plan.combined.iter().enumerate() {
        let (lane, number) = (combined.element.dtype().lane(), combined.value.dtype().lane());
        expr.text(&format!("alias Acc{k} = {};\n", lane.wgsl()));
        expr.text(&format!("var<private> number{k}: {};\n", number.wgsl()));
        expr.text(&combining(combined.kind, combined.element.dtype(), &k.to_string()));
        elements(&format!("element{k}"), &combined.element, wide, expr)?;
        expr.text(&extended(&k.to_string(), wide));
        expr.function(&format!("value{k}"), &combined.value, Some(lane), &["i"])?;
        expr.text(&self::combined(join, &k.to_string())?);
        // Writing to a string cannot fail.
        let _ = writeln!(calls, "    number{k} = value{k}(combined{k}(i, lane, seat), i);");
    }
    expr.text(&format!("fn combine_row(i: u32, lane: u32, seat: u32) {{\n{calls}}}\n"));
    Ok(())
}

/// Adds the function of an element of a row, or of four.
fn elements(name: &str, body: &Body, wide: bool, expr: &mut Expr<'_>) -> Result<()> {
    if wide {
        return expr.function_of_four(name, body, &["i", "r"]);
    }
    expr.function(name, body, None, &["i", "r"])
}

/// The text of `fn extended`, which combines a run and the element at a place, or four of them.
pub(super) fn extended(name: &str, wide: bool) -> String {
    let next = |run: String, part: &str| format!("combine{name}({run}, e{part})");
    let parts: &[&str] = if wide { &[".x", ".y", ".z", ".w"] } else { &[""] };
    let run = parts.iter().fold("run".to_owned(), |run, part| next(run, part));
    format!(
        "fn extended{name}(run: Acc{name}, i: u32, r: u32) -> Acc{name} {{\n    \
            let e = element{name}(i, r);\n    return {run};\n}}\n"
    )
}

/// Adds `fn store_row`, which stores a row's numbers and elements, and gives the outputs' types.
fn stores(plan: &RowPlan, wide: bool, expr: &mut Expr<'_>) -> Result<Vec<String>> {
    let (mut numbers, mut each) = (String::new(), String::new());
    let mut outputs = Vec::new();
    for (k, combined) in plan.combined.iter().enumerate().filter(|(_, c)| c.stored) {
        let _ = writeln!(numbers, "        out{}[i] = number{k};", outputs.len());
        outputs.push(combined.value.dtype().lane().wgsl().to_owned());
    }
    for value in &plan.each {
        let output = outputs.len();
        elements(&format!("each{output}"), &value.body, wide, expr)?;
        let _ = writeln!(each, "        out{output}[at / WIDE] = each{output}(i, r);");
        let lane = value.body.dtype().lane().wgsl();
        outputs.push(if wide { format!("vec4<{lane}>") } else { lane.to_owned() });
    }
    expr.function("position", &plan.position, None, &["i", "r"])?;
    expr.text(&format!(
        "fn store_row(i: u32, lane: u32) {{\n    \
            if lane == 0u {{\n{numbers}    }}\n    \
            for (var r = lane * WIDE; r < u32(ep[0].y); r += LANES * WIDE) {{\n        \
                let at = u32(position(i, r));\n{each}    }}\n}}\n"
    ));
    Ok(outputs)
}
