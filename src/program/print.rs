//! Readable dumps.

use std::fmt::{self, Display, Formatter};

use crate::graph::{Node, Op};
use crate::program::Program;

impl Display for Program {
    /// One line per operation: value, spec, operation, inputs, layer.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(prelude) = &self.prelude {
            writeln!(f, "prelude")?;
            for line in prelude.to_string().lines() {
                writeln!(f, "  {line}")?;
            }
        }
        for (id, node) in self.nodes.iter().enumerate() {
            writeln!(f, "{}", line(self, id, node))?;
        }
        let outputs: Vec<String> = self.outputs.iter().map(|id| format!("%{id}")).collect();
        writeln!(f, "return {}", outputs.join(", "))
    }
}

fn line(program: &Program, id: usize, node: &Node) -> String {
    let name = match &node.op {
        Op::Read(read) => {
            let variable = program.variables.get(&read.id);
            format!("variable {}", variable.map_or("?", |v| v.name()))
        }
        op => op.def().label(),
    };
    let inputs: Vec<String> = node.inputs.iter().map(|i| format!("%{i}")).collect();
    let call = if inputs.is_empty() { name } else { format!("{name}({})", inputs.join(", ")) };
    let text = format!("%{id:<4} {:<28} {call}", node.spec.to_string());
    if node.scope.is_empty() { text } else { format!("{text:<96} {}", node.scope) }
}
