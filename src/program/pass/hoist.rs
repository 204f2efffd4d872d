//! Moves what depends on variables and constants only into a prelude, run once per version of the
//! variables: batch-norm folding, weight transposition and tables are all this one rule.

use crate::base::Result;
use crate::graph::ops::Hoisted;
use crate::graph::{FusionClass, NodeId, Op};
use crate::program::Program;
use crate::program::pass::packed::taken_by_products;
use crate::program::rewrite::remove_unused;

/// Runs the pass.
pub fn run(program: &mut Program) -> Result<()> {
    let packed = taken_by_products(program);
    let mut fixed = depends_on_variables_only(program);
    // What only a product unpacks stays packed until then.
    fixed.iter_mut().zip(packed).for_each(|(fixed, packed)| *fixed &= !packed);
    let mut hoisted: Vec<NodeId> = Vec::new();
    let assigned = program.outputs.clone();
    for (id, node) in program.nodes.iter().enumerate().filter(|(id, _)| !fixed[*id]) {
        debug_assert!(!node.inputs.contains(&id));
        for &input in &node.inputs {
            hoist_from(program, &fixed, input, &mut hoisted);
        }
    }
    for id in assigned.into_iter().filter(|&id| fixed[id]) {
        hoist_from(program, &fixed, id, &mut hoisted);
    }
    if hoisted.is_empty() {
        return Ok(());
    }
    let mut prelude = Program {
        nodes: program.nodes.clone(),
        outputs: hoisted.clone(),
        variables: program.variables.clone(),
        ..Program::default()
    };
    remove_unused(&mut prelude);
    for (index, &id) in hoisted.iter().enumerate() {
        let node = &mut program.nodes[id];
        node.op = Op::Hoisted(Hoisted { index, spec: node.spec.clone() });
        node.inputs.clear();
    }
    program.prelude = Some(Box::new(prelude));
    remove_unused(program);
    Ok(())
}

fn depends_on_variables_only(program: &Program) -> Vec<bool> {
    let mut fixed: Vec<bool> = Vec::with_capacity(program.nodes.len());
    for node in &program.nodes {
        fixed.push(match &node.op {
            Op::Input(_) | Op::Hoisted(_) => false,
            // A variable that every run sets has a new version every time.
            Op::Read(read) if program.assigns.iter().any(|(v, _)| v.id() == read.id) => false,
            _ => node.inputs.iter().all(|&i| fixed[i]),
        });
    }
    fixed
}

/// Hoists the computation behind a value. A view is left where it is: it costs nothing, and a
/// broadcast would cost memory.
fn hoist_from(program: &Program, fixed: &[bool], id: NodeId, hoisted: &mut Vec<NodeId>) {
    if !fixed[id] || hoisted.contains(&id) {
        return;
    }
    let node = &program.nodes[id];
    match node.op.def().fusion() {
        // The result is in a buffer, but a loop stands behind it.
        FusionClass::Leaf if matches!(node.op, Op::LoopResult(_)) => hoisted.push(id),
        FusionClass::Leaf => {}
        FusionClass::View => hoist_from(program, fixed, node.inputs[0], hoisted),
        // What is computed from its own index is computed again rather than loaded.
        _ if !reads_a_variable(program, id) => {}
        _ => hoisted.push(id),
    }
}

fn reads_a_variable(program: &Program, id: NodeId) -> bool {
    let mut open = vec![id];
    let mut seen = std::collections::HashSet::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let node = &program.nodes[id];
        let stored = matches!(&node.op, Op::Constant(c) if c.tensor.len() > 1);
        if stored || matches!(node.op, Op::Read(_)) {
            return true;
        }
        open.extend(&node.inputs);
    }
    false
}
