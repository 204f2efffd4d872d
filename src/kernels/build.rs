//! What all launchers share: grids, parameter words, assembly of the text.

use crate::base::{Error, Result};
use crate::gpu::{Caps, Launch, shader};
use crate::kernels::{Epilogue, HalfFormat, Right};

/// A kernel about to be launched.
pub(super) struct Kernel<'a, P> {
    pub(super) name: &'static str,
    pub(super) label: String,
    /// `const` lines.
    pub(super) prelude: String,
    /// Imports that stand for one of several files: name and file.
    pub(super) modules: Vec<(&'static str, &'static str)>,
    pub(super) params: &'a P,
    /// Workgroups with work.
    pub(super) groups: usize,
    /// Buffers that are read, before the output and the epilogue's operands.
    pub(super) inputs: usize,
    pub(super) fills_workgroup_memory: bool,
}

impl<P: bytemuck::Pod> Kernel<'_, P> {
    pub(super) fn launch(self, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
        let mut modules = vec![("epilogue", epilogue.source.as_str())];
        for (name, file) in self.modules {
            modules.push((name, shader::file(file)?));
        }
        Ok(Launch {
            kernel: self.name,
            source: shader::compose(self.name, &self.prelude, &modules)?,
            params: bytemuck::pod_collect_to_vec(bytemuck::bytes_of(self.params)),
            extra: epilogue.params.clone(),
            steps: epilogue.steps,
            grid: fold(self.groups, caps, &self.label)?,
            bindings: self.inputs + epilogue.places + epilogue.operands,
            first_output: self.inputs,
            outputs: epilogue.places,
            fills_workgroup_memory: self.fills_workgroup_memory,
            label: self.label,
            work: 0,
            choice: None,
        })
    }
}

/// The module of the left operand, by whether four elements of it can be read at once.
pub(super) fn left_operand(aligned: bool) -> (&'static str, &'static str) {
    ("operand_a", if aligned { "lib/a_vec4" } else { "lib/a_scalar" })
}

/// The modules of the right operand, by what it is, and whether four elements of it can be read at
/// once.
pub(super) fn right_operand(right: Right, aligned: bool) -> Vec<(&'static str, &'static str)> {
    let (file, halves) = match (right, aligned) {
        (Right::Computed, _) => ("lib/b_computed", None),
        (Right::Words, true) => ("lib/b_vec4", None),
        (Right::Words, false) => ("lib/b_scalar", None),
        (Right::Halves(format), true) => ("lib/b_halves_vec4", Some(format)),
        (Right::Halves(format), false) => ("lib/b_halves", Some(format)),
    };
    let unpacking = halves.map(|format| match format {
        HalfFormat::Float16 => ("halves", "lib/halves_f16"),
        HalfFormat::BFloat16 => ("halves", "lib/halves_bf16"),
    });
    [("operand_b", file)].into_iter().chain(unpacking).collect()
}

/// The modules of both operands, by what the right one is, and whether four elements of each can be
/// read at once.
pub(super) fn operands(right: Right, [a, b]: [bool; 2]) -> Vec<(&'static str, &'static str)> {
    [left_operand(a)].into_iter().chain(right_operand(right, b)).collect()
}

/// Whether an extent is whole groups of four elements. An empty one is not: its buffer is too small
/// to be bound as an array of four.
pub(super) fn is_fours(extent: usize) -> bool {
    extent > 0 && extent.is_multiple_of(4)
}

/// A grid of at least `groups` workgroups, as few more as folding needs; `lib/index.wgsl` has the
/// other half.
pub fn fold(groups: usize, caps: &Caps, label: &str) -> Result<[u32; 3]> {
    let max = caps.max_groups.max(1) as usize;
    let z = groups.div_ceil(max.saturating_mul(max)).max(1);
    let y = groups.div_ceil(max.saturating_mul(z)).max(1);
    let x = groups.div_ceil(y * z);
    match (u32::try_from(x), u32::try_from(y), u32::try_from(z)) {
        (Ok(x), Ok(y), Ok(z)) if x as usize <= max && z as usize <= max => Ok([x, y, z]),
        _ => Err(Error::Limit {
            what: format!("workgroups of '{label}'"),
            need: groups.to_string(),
            limit: format!("{max} in each dimension"),
            owner: format!("adapter '{}'", caps.name),
        }),
    }
}

/// Extents and strides as the 32-bit words that shaders compute with.
pub(super) fn words<const N: usize>(values: [usize; N]) -> Result<[u32; N]> {
    let mut out = [0; N];
    for (word, value) in out.iter_mut().zip(values) {
        *word = i32::try_from(value).map_err(|_| Error::Limit {
            what: "an extent or a stride of a kernel".into(),
            need: value.to_string(),
            limit: i32::MAX.to_string(),
            owner: "32-bit indices on devices".into(),
        })? as u32;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_cover_the_groups_and_stay_inside_the_limit() {
        let caps = Caps::minimum();
        for groups in [0, 1, 65_535, 65_536, 131_071, 65_535 * 65_535, 65_535 * 65_535 + 1] {
            let grid = fold(groups, &caps, "test").unwrap();
            let covered: usize = grid.iter().map(|&n| n as usize).product();
            assert!(covered >= groups && grid.iter().all(|&n| n <= 65_535), "{groups}: {grid:?}");
        }
    }
}
