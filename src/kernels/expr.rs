//! WGSL text for a region's code. Extents, strides and constants go into the parameters `ep`; the
//! text depends on the structure only, so that one pipeline serves all sizes.

use std::fmt::Write;
use std::ops::Range;

use crate::base::dtype::Lane;
use crate::base::{DType, Result};
use crate::graph::NodeId;
use crate::graph::ops::{Binary, Take, Unary, ones};
use crate::kernels::fours::Neighbours;
use crate::kernels::{Access, Rows};
use crate::program::region::{Body, Inst, Reg};
use crate::program::view::Affine;

/// The bodies of one kernel under construction: they share operands and parameters.
pub struct Expr<'a> {
    access: &'a Access<'a>,
    operands: Vec<NodeId>,
    first_binding: usize,
    /// Bindings that are not operands'.
    hole: Range<usize>,
    /// Words of `ep`, as the shader reads them.
    params: Vec<u32>,
    /// Whether any of it reads the number of a loop's step.
    steps: bool,
    functions: String,
    /// Whether any body draws random bits.
    random: bool,
    /// Operands that are bound as fours of neighbours.
    in_fours: Vec<NodeId>,
}

/// Finished code.
pub struct Code {
    pub text: String,
    /// Words of `ep`.
    pub params: Vec<u32>,
    /// Whether it reads the number of a loop's step.
    pub steps: bool,
}

impl<'a> Expr<'a> {
    /// Code whose operands are bound from `first_binding` on; `header` are the first words of `ep`.
    pub fn new(access: &'a Access<'a>, first_binding: usize, header: &[u32]) -> Expr<'a> {
        let mut params = header.to_vec();
        params.resize(header.len().next_multiple_of(4), 0);
        Expr {
            access,
            operands: Vec::new(),
            first_binding,
            hole: 0..0,
            params,
            steps: false,
            functions: String::new(),
            random: false,
            in_fours: Vec::new(),
        }
    }

    /// The same code, whose functions [of four](Expr::function_of_four) read these operands by fours.
    pub(super) fn with_fours(self, in_fours: Vec<NodeId>) -> Expr<'a> {
        Expr { in_fours, ..self }
    }

    /// The same code, where operands leave out some bindings.
    pub fn with_hole(self, hole: Range<usize>) -> Expr<'a> {
        Expr { hole, ..self }
    }

    /// The binding of an operand, or behind the last one.
    fn binding(&self, operand: usize) -> usize {
        let binding = self.first_binding + operand;
        if binding < self.hole.start { binding } else { binding + self.hole.len() }
    }

    /// Adds `fn name(acc: …, coordinates…) -> lane` that computes a body.
    pub fn function(
        &mut self,
        name: &str,
        body: &Body,
        anchor: Option<Lane>,
        coordinates: &[&str],
    ) -> Result<()> {
        let mut arguments: Vec<String> = coordinates.iter().map(|c| format!("{c}: u32")).collect();
        if let Some(lane) = anchor {
            arguments.insert(0, format!("acc: {}", lane.wgsl()));
        }
        let operands: Vec<usize> = body.operands.iter().map(|&id| self.operand(id)).collect();
        let mut text = String::new();
        self.unravel(&mut text, body, coordinates);
        for (reg, inst) in body.code.iter().enumerate() {
            let value = self.inst(inst, body, &operands)?;
            // Writing to a string cannot fail.
            let _ = writeln!(text, "    let v{reg} = {value};");
        }
        let _ = writeln!(
            self.functions,
            "fn {name}({}) -> {} {{\n{text}    return v{};\n}}",
            arguments.join(", "),
            body.dtype().lane().wgsl(),
            body.code.len() - 1
        );
        Ok(())
    }

    /// Adds `fn name(coordinates…) -> vec4<lane>` that computes a body for four neighbours along its
    /// last dimension; the coordinates are those of the first, which is a multiple of four.
    pub(super) fn function_of_four(
        &mut self,
        name: &str,
        body: &Body,
        coordinates: &[&str],
    ) -> Result<()> {
        let arguments: Vec<String> = coordinates.iter().map(|c| format!("{c}: u32")).collect();
        let operands: Vec<usize> = body.operands.iter().map(|&id| self.operand(id)).collect();
        let mut text = String::new();
        self.unravel(&mut text, body, coordinates);
        let mut neighbours = Neighbours::along_last(&body.space);
        for (reg, inst) in body.code.iter().enumerate() {
            let lane = inst.dtype().lane().wgsl();
            let value = match inst {
                Inst::Load { operand, at, .. }
                    if self.in_fours.contains(&body.operands[*operand]) =>
                {
                    neighbours.add(reg);
                    format!("e{}[u32({}) / 4u]", operands[*operand], self.affine(at))
                }
                _ => neighbours.value(reg, self.inst(inst, body, &operands)?, lane),
            };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "    let v{reg} = {value};");
        }
        let lane = body.dtype().lane().wgsl();
        let _ = writeln!(
            self.functions,
            "fn {name}({}) -> vec4<{lane}> {{\n{text}    return vec4<{lane}>(v{});\n}}",
            arguments.join(", "),
            body.code.len() - 1
        );
        Ok(())
    }

    /// Adds text that needs nothing from here.
    pub fn text(&mut self, text: &str) {
        self.functions.push_str(text);
    }

    /// Operands in the order of their bindings.
    pub fn operands(&self) -> Vec<NodeId> {
        self.operands.clone()
    }

    /// Declarations and functions of an epilogue: `ep` is at group 1, binding 1. The kernel declares
    /// `out`; a second place is bound at `second`.
    pub fn finish(self, output: Lane, second: usize) -> Code {
        self.written(output, 1, second)
    }

    /// Declarations and functions of a kernel that is generated as a whole: `ep` is at group 1,
    /// binding 0, places for the result are bound behind the operands.
    pub fn finish_with_output(mut self, output: Lane) -> Code {
        let binding = self.first_binding + self.operands.len();
        self.functions.push_str(&place("out", binding, "Out"));
        self.written(output, 0, binding + 1)
    }

    /// The same for a kernel with several outputs, `out0`, `out1` and so on, of these types, which it
    /// stores itself.
    pub fn finish_with_outputs(mut self, outputs: &[String]) -> Code {
        let binding = self.first_binding + self.operands.len();
        for (k, element) in outputs.iter().enumerate() {
            let place = place(&format!("out{k}"), binding + k, element);
            self.functions.push_str(&place);
        }
        self.assembled("", 0)
    }

    fn written(mut self, output: Lane, params_binding: usize, second: usize) -> Code {
        self.store(second);
        self.assembled(&format!("alias Out = {};\n", output.wgsl()), params_binding)
    }

    fn assembled(mut self, aliases: &str, params_binding: usize) -> Code {
        let mut text = String::from("#import lib/math\n");
        if self.random {
            text.push_str("#import lib/random\n");
        }
        for (i, &id) in self.operands.iter().enumerate() {
            let (binding, dtype) = (self.binding(i), (self.access.dtype_of)(id));
            let packed = (self.access.is_packed)(id);
            let word = match dtype.lane().wgsl() {
                _ if packed => "u32".to_owned(),
                lane if self.in_fours.contains(&id) => format!("vec4<{lane}>"),
                lane => lane.to_owned(),
            };
            let _ = writeln!(
                text,
                "@group(0) @binding({binding}) var<storage, read> e{i}: array<{word}>;",
            );
            if packed {
                text.push_str(&unpacking(i, dtype));
            }
        }
        text.push_str(aliases);
        self.params.resize(self.params.len().next_multiple_of(4), 0);
        if !self.params.is_empty() {
            let words = self.params.len() / 4;
            let _ = writeln!(
                text,
                "@group(1) @binding({params_binding}) var<uniform> ep: array<vec4<i32>, {words}>;"
            );
        }
        if self.steps {
            text.push_str("@group(1) @binding(2) var<uniform> loop_step: vec4<i32>;\n");
        }
        text.push_str(&self.functions);
        Code { text, params: self.params, steps: self.steps }
    }

    /// Adds `fn store`.
    fn store(&mut self, second: usize) {
        let mut lines = String::new();
        for (name, rows) in ["out", "also"].into_iter().zip(&self.access.places) {
            let row = rows.map_or(String::new(), |rows| format!(" + u32({})", self.row(rows)));
            let _ = write!(lines, " {name}[i{row}] = value;");
        }
        if self.access.places.len() > 1 {
            self.functions.push_str(&place("also", second, "Out"));
        }
        let _ = writeln!(self.functions, "fn store(i: u32, value: Out) {{{lines} }}");
    }

    fn operand(&mut self, id: NodeId) -> usize {
        if let Some(known) = self.operands.iter().position(|&o| o == id) {
            return known;
        }
        self.operands.push(id);
        self.operands.len() - 1
    }

    /// Where the row of this step starts.
    fn row(&mut self, rows: Rows) -> String {
        self.steps = true;
        let (first, by) = (self.param(rows.first as u32), self.param(rows.by as u32));
        format!("{first} + loop_step.x * {by}")
    }

    /// A position in an operand.
    fn position(&mut self, operand: usize, at: &Affine) -> String {
        let at = self.affine(at);
        match (self.access.rows_of)(self.operands[operand]) {
            Some(rows) => format!("{at} + {}", self.row(rows)),
            None => at,
        }
    }

    /// The element of an operand at a position.
    fn element(&self, operand: usize, at: &str) -> String {
        if (self.access.is_packed)(self.operands[operand]) {
            return format!("element_of_e{operand}(u32({at}))");
        }
        format!("e{operand}[u32({at})]")
    }

    /// An int32 of the parameters.
    fn param(&mut self, word: u32) -> String {
        let i = self.params.len();
        self.params.push(word);
        format!("ep[{}].{}", i / 4, ["x", "y", "z", "w"][i % 4])
    }

    /// The index along every dimension of the space, `d0`, `d1`, …, from the coordinates.
    fn unravel(&mut self, text: &mut String, body: &Body, coordinates: &[&str]) {
        for (group, coordinate) in coordinates.iter().enumerate() {
            let dims: Vec<usize> =
                (0..body.space.rank()).filter(|&d| body.space.group[d] == group).collect();
            let Some((&outer, inner)) = dims.split_first() else { continue };
            let mut rest = (*coordinate).to_string();
            for &dim in inner.iter().rev() {
                let extent = self.param(body.space.dims[dim] as u32);
                let _ = writeln!(text, "    let d{dim} = i32({rest} % u32({extent}));");
                let _ = writeln!(text, "    let r{dim} = {rest} / u32({extent});");
                rest = format!("r{dim}");
            }
            let _ = writeln!(text, "    let d{outer} = i32({rest});");
        }
    }

    fn affine(&mut self, affine: &Affine) -> String {
        let mut terms: Vec<String> = Vec::new();
        for (dim, &stride) in affine.strides.iter().enumerate() {
            match stride {
                0 => {}
                1 => terms.push(format!("d{dim}")),
                _ => {
                    let stride = self.param(stride as u32);
                    terms.push(format!("d{dim} * {stride}"));
                }
            }
        }
        if affine.offset != 0 || terms.is_empty() {
            terms.push(self.param(affine.offset as u32));
        }
        terms.join(" + ")
    }

    fn inst(&mut self, inst: &Inst, body: &Body, operands: &[usize]) -> Result<String> {
        let lane = |reg: Reg| body.code[reg].dtype().lane();
        Ok(match inst {
            Inst::Anchor { dtype } => rounded(*dtype, "acc".into()),
            Inst::Row { combined, .. } => format!("number{combined}"),
            Inst::Load { operand, at, .. } => {
                let operand = operands[*operand];
                let at = self.position(operand, at);
                self.element(operand, &at)
            }
            Inst::Gather { operand, at, index, extent, stride, .. } => {
                let last = self.param((extent - 1) as u32);
                let stride = self.param(*stride as u32);
                let operand = operands[*operand];
                let at = self.position(operand, at);
                // Unsigned indices above the largest int32 are clamped before they change sign.
                let index = match lane(*index) {
                    Lane::U32 => format!("i32(min(v{index}, u32({last})))"),
                    _ => format!("clamp(v{index}, 0, {last})"),
                };
                self.element(operand, &format!("{at} + {index} * {stride}"))
            }
            Inst::Scalar { dtype, bits } => self.scalar(*dtype, *bits),
            Inst::Index { at } => self.affine(at),
            Inst::Unary { name, x, dtype } => {
                let text = Unary { name }.row()?.wgsl;
                rounded(*dtype, substitute(text, lane(*x), &[("x", *x)]))
            }
            Inst::Binary { name, a, b, dtype } => {
                let row = Binary { name }.row()?;
                let lane = lane(*a);
                let text = if lane == Lane::F32 { row.wgsl } else { row.wgsl_int };
                rounded(*dtype, substitute(text, lane, &[("a", *a), ("b", *b)]))
            }
            Inst::Select { condition, a, b, .. } => {
                format!("select(v{b}, v{a}, v{condition} != 0u)")
            }
            Inst::Cast { x, dtype } if body.code[*x].dtype() == *dtype => format!("v{x}"),
            Inst::Cast { x, dtype } => rounded(*dtype, cast(*x, lane(*x), *dtype)),
            Inst::Bitcast { x, dtype } => word_of(*dtype, &bits_of(body.code[*x].dtype(), *x)),
            Inst::Inside { bounds, x, dtype, otherwise } => {
                let otherwise = self.scalar(*dtype, *otherwise);
                let tests: Vec<String> = bounds
                    .iter()
                    .map(|(at, extent)| {
                        // One unsigned comparison tests both sides.
                        let at = self.affine(at);
                        format!("u32({at}) < u32({})", self.param(*extent as u32))
                    })
                    .collect();
                format!("select({otherwise}, v{x}, {})", tests.join(" && "))
            }
            Inst::Random { key, at, take } => self.random(*key, at, *take),
            Inst::Part { at, parts, .. } => self.part(at, parts),
        })
    }

    fn random(&mut self, key: [Reg; 2], at: &Affine, take: Take) -> String {
        self.random = true;
        let block = format!("threefry(v{}, v{}, u32({}))", key[0], key[1], self.affine(at));
        match take {
            Take::First => format!("{block}.x"),
            Take::Second => format!("{block}.y"),
            Take::Mixed { width, bits } => {
                let lower = self.scalar(DType::UInt32, ones(width));
                let shift = self.scalar(DType::UInt32, width.saturating_sub(bits));
                format!("mixed_bits({block}, {lower}, {shift})")
            }
        }
    }

    fn part(&mut self, at: &Affine, parts: &[(i64, Reg)]) -> String {
        let at = self.affine(at);
        let mut rest = parts.iter().rev();
        let mut text = rest.next().map_or(String::new(), |(_, reg)| format!("v{reg}"));
        for (end, reg) in rest {
            let end = self.param(*end as u32);
            text = format!("select({text}, v{reg}, {at} < {end})");
        }
        text
    }

    fn scalar(&mut self, dtype: DType, bits: u32) -> String {
        let word = self.param(bits);
        match dtype.lane() {
            Lane::I32 => word,
            lane => format!("bitcast<{}>({word})", lane.wgsl()),
        }
    }
}

/// The declaration of a place for the result.
fn place(name: &str, binding: usize, element: &str) -> String {
    format!("@group(0) @binding({binding}) var<storage, read_write> {name}: array<{element}>;\n")
}

/// The function that takes an element of a packed operand out of its word.
fn unpacking(operand: usize, dtype: DType) -> String {
    let each = 4 / dtype.bytes_at_rest();
    let bits = 32 / each;
    let mask = (1u32 << bits) - 1;
    let element = word_of(dtype, "bits");
    format!(
        "fn element_of_e{operand}(i: u32) -> {} {{\n    \
            let bits = (e{operand}[i / {each}u] >> (i % {each}u * {bits}u)) & {mask:#x}u;\n    \
            return {element};\n}}\n",
        dtype.lane().wgsl()
    )
}

/// A table row's text with registers for its variables and the lane's name for `LANE`.
fn substitute(text: &str, lane: Lane, variables: &[(&str, Reg)]) -> String {
    replaced(text, |word| match variables.iter().find(|(name, _)| *name == word) {
        Some((_, reg)) => format!("v{reg}"),
        None => word.replace("LANE", lane.wgsl()),
    })
}

/// The text with another one for each of its words.
pub(super) fn replaced(text: &str, by: impl Fn(&str) -> String) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_word) {
        out.push_str(&rest[..start]);
        let word = &rest[start..];
        let end = word.find(|c| !is_word(c)).unwrap_or(word.len());
        out.push_str(&by(&word[..end]));
        rest = &word[end..];
    }
    out + rest
}

fn cast(x: Reg, from: Lane, to: DType) -> String {
    match (from, to.lane()) {
        // By bits: a compiler may assume that no value is NaN, which is true.
        _ if to == DType::Bool && from == Lane::F32 => {
            format!("u32((bitcast<u32>(v{x}) & 0x7fffffffu) != 0u)")
        }
        _ if to == DType::Bool => format!("u32(v{x} != {}(0))", from.wgsl()),
        (Lane::F32, Lane::I32) => format!("f32_to_i32(v{x})"),
        (Lane::F32, Lane::U32) => format!("f32_to_u32(v{x})"),
        (from, lane) if from == lane => format!("v{x}"),
        (_, lane) => format!("{}(v{x})", lane.wgsl()),
    }
}

/// The stored bits of a register, as u32.
fn bits_of(dtype: DType, x: Reg) -> String {
    match dtype {
        DType::Float16 => format!("f16_bits(v{x})"),
        DType::BFloat16 => format!("(bitcast<u32>(v{x}) >> 16u)"),
        DType::Float8E4M3FN => format!("e4m3fn_bits(v{x})"),
        DType::Float8E5M2 => format!("e5m2_bits(v{x})"),
        _ => match dtype.size() {
            1 => format!("(bitcast<u32>(v{x}) & 0xffu)"),
            2 => format!("(bitcast<u32>(v{x}) & 0xffffu)"),
            _ => format!("bitcast<u32>(v{x})"),
        },
    }
}

/// The word of an element, from its stored bits.
fn word_of(dtype: DType, bits: &str) -> String {
    match dtype {
        DType::Float16 => format!("f16_of_bits({bits})"),
        DType::BFloat16 => format!("bitcast<f32>({bits} << 16u)"),
        DType::Float8E4M3FN => format!("e4m3fn_of_bits({bits})"),
        DType::Float8E5M2 => format!("e5m2_of_bits({bits})"),
        DType::Bool => format!("u32({bits} != 0u)"),
        _ => rounded(dtype, format!("bitcast<{}>({bits})", dtype.lane().wgsl())),
    }
}

/// The value as its dtype stores it.
fn rounded(dtype: DType, text: String) -> String {
    match dtype {
        DType::Float16 => format!("round_f16({text})"),
        DType::BFloat16 => format!("round_bf16({text})"),
        DType::Float8E4M3FN => format!("round_e4m3fn({text})"),
        DType::Float8E5M2 => format!("round_e5m2({text})"),
        DType::Int16 => format!("((({text}) << 16u) >> 16u)"),
        DType::Int8 => format!("((({text}) << 24u) >> 24u)"),
        DType::UInt16 => format!("(({text}) & 0xffffu)"),
        DType::UInt8 => format!("(({text}) & 0xffu)"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_words_are_variables() {
        let text =
            substitute("safe_exp(x) + floor_div_LANE(a, b)", Lane::I32, &[("x", 3), ("a", 1)]);
        assert_eq!(text, "safe_exp(v3) + floor_div_i32(v1, b)");
    }
}
