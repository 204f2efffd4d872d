//! Right operands of products that are computed from weights of few bits: computed and packed for the
//! product once, where packed operands have room, not for every run. As floats they are not kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::{Result, Spec};
use crate::graph::{NodeId, Op};
use crate::program::Program;
use crate::program::region::Body;
use crate::runtime::host_body::{self, Operand};
use crate::runtime::host_value::{HostValue, Memory};
use crate::tensor::Variable;

/// The packed operands of a plan, by their product's region, with the versions of the variables that
/// they were computed from.
#[derive(Default)]
pub struct Unpacked(Mutex<HashMap<NodeId, Kept>>);

/// Versions, and what was packed.
type Kept = (Vec<u64>, Arc<HostValue>);

/// A right operand in use.
pub struct InUse<'a> {
    unpacked: &'a Unpacked,
    root: NodeId,
    versions: Vec<u64>,
    value: Arc<HostValue>,
}

impl Unpacked {
    /// The right operand of the region at `root`: what `code` computes, or what is kept of it.
    pub fn get(
        &self,
        (program, root): (&Program, NodeId),
        (code, operands): (&Body, &[Operand<'_>]),
        spec: &Spec,
        memory: &Memory,
    ) -> Result<InUse<'_>> {
        let versions = versions(program, code);
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&root).cloned();
        let known = kept.filter(|(known, _)| *known == versions).map(|(_, value)| value);
        let value = match known {
            Some(value) => value,
            None => {
                let array = host_body::map(code, operands, memory.array(spec.clone()))?;
                Arc::new(HostValue::new(array))
            }
        };
        Ok(InUse { unpacked: self, root, versions, value })
    }
}

impl InUse<'_> {
    pub fn value(&self) -> &HostValue {
        &self.value
    }

    /// Keeps what the product has packed.
    pub fn done(self, memory: &Memory) {
        let Some(packed) = Arc::into_inner(self.value).and_then(|v| v.packed_only(memory)) else {
            return;
        };
        let mut kept = self.unpacked.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(self.root, (self.versions, Arc::new(packed)));
    }
}

/// The versions of the variables that code reads, in the order of its operands.
fn versions(program: &Program, code: &Body) -> Vec<u64> {
    let version = |&id: &NodeId| match &program.nodes[id].op {
        Op::Read(read) => program.variables.get(&read.id).map(Variable::version),
        _ => None,
    };
    code.operands.iter().filter_map(version).collect()
}
