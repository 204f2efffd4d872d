//! The passes, in their order. Each can be switched off and dumped.

mod assign;
pub mod attention;
pub use assign::storage_of;
pub mod at_rest;
pub mod fuse;
pub mod hoist;
mod loops;
pub mod memory;
mod packed;
pub mod panels;
mod pull;
pub mod rows;
pub mod samples;
pub mod simplify;

use crate::base::{Error, Result};
use crate::program::Program;

/// A pass that can be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pass {
    /// Exact identities, folding, one form for what has several.
    Simplify,
    /// What depends on variables only is computed once per version of them.
    Hoist,
    /// Several operations in one dispatch. Without it every operation is a dispatch.
    Fuse,
    /// On a device, reductions of the same rows and what follows them in one dispatch.
    Rows,
    /// On a device, attention in one dispatch, without a matrix of scores.
    Attention,
    /// Buffers are used again when their value is dead. Without it every value has its own.
    Memory,
}

impl Pass {
    /// Every pass, in the order in which they run.
    pub const ALL: [Pass; 6] =
        [Pass::Simplify, Pass::Hoist, Pass::Fuse, Pass::Rows, Pass::Attention, Pass::Memory];

    /// The name used on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Pass::Simplify => "simplify",
            Pass::Hoist => "hoist",
            Pass::Fuse => "fuse",
            Pass::Rows => "rows",
            Pass::Attention => "attention",
            Pass::Memory => "memory",
        }
    }

    /// The pass of that name on the command line.
    ///
    /// # Errors
    /// If there is none.
    pub fn from_name(name: &str) -> Result<Pass> {
        let names: Vec<_> = Pass::ALL.iter().map(|p| p.name()).collect();
        Pass::ALL.into_iter().find(|p| p.name() == name).ok_or_else(|| {
            Error::Invalid(format!("no pass '{name}': there are {}", names.join(", ")))
        })
    }
}

/// Which passes run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {
    /// The passes that are left out.
    pub without: Vec<Pass>,
}

impl Options {
    /// Whether a pass runs.
    pub fn has(&self, pass: Pass) -> bool {
        !self.without.contains(&pass)
    }
}

impl Program {
    /// Runs the passes that rewrite the program; `dump` sees it before the first and after each.
    ///
    /// # Errors
    /// If an operation on constants cannot be computed; [`Error::Internal`] if a pass breaks the
    /// program.
    pub fn optimize(
        &mut self,
        options: &Options,
        dump: &mut dyn FnMut(&str, &Program),
    ) -> Result<()> {
        dump("trace", self);
        let mut run = |pass: Pass, f: fn(&mut Program) -> Result<()>, program: &mut Program| {
            if options.has(pass) {
                f(program)?;
                dump(pass.name(), program);
            }
            if cfg!(debug_assertions) { program.verify() } else { Ok(()) }
        };
        run(Pass::Simplify, simplify::run, self)?;
        run(Pass::Hoist, hoist::run, self)
    }
}
