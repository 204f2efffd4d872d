//! Which variables go into which file, and the index that says so.

use crate::base::error::quote;
use crate::base::{Error, Result};
use crate::saving::json::{self, Json};
use crate::saving::store::GroupPlan;

/// How large shards become.
#[derive(Clone, Copy, Debug)]
pub struct ShardSize {
    /// Bytes of the data in one, at most.
    pub bytes: u64,
    /// Whether all variables of an object stay in one shard, as Keras before 3.12 needs it: it looks
    /// for them in one file.
    pub whole_objects: bool,
}

/// Which variables go into which shard.
pub(super) struct ShardPlan {
    /// Names and contents.
    pub(super) shards: Vec<(String, Vec<GroupPlan>)>,
    total_bytes: u64,
}

impl ShardPlan {
    /// Variables in order, a new shard where the next would make one's data exceed its size.
    pub(super) fn new(groups: &[GroupPlan], size: ShardSize, stem: &str) -> Result<ShardPlan> {
        let mut plan = ShardPlan { shards: Vec::new(), total_bytes: 0 };
        plan.add_shard(stem);
        let mut bytes = 0;
        for group in groups {
            if size.whole_objects && bytes + object_bytes(group, size)? > size.bytes {
                plan.add_shard(stem);
                bytes = 0;
            }
            plan.add_group(&group.path, group.name.clone());
            for (key, source) in &group.datasets {
                let more = source.spec().bytes() as u64;
                if more > size.bytes {
                    let what = format!("variable '{}/{key}'", quote(&group.path));
                    return Err(too_large(&what, more, size));
                }
                if bytes + more > size.bytes {
                    plan.add_shard(stem);
                    plan.add_group(&group.path, None);
                    bytes = 0;
                }
                bytes += more;
                plan.total_bytes += more;
                if let Some(group) =
                    plan.shards.last_mut().and_then(|(_, groups)| groups.last_mut())
                {
                    group.datasets.push((key.clone(), source.clone()));
                }
            }
        }
        Ok(plan)
    }

    fn add_shard(&mut self, stem: &str) {
        let name = format!("{stem}_{:05}.weights.h5", self.shards.len());
        self.shards.push((name, Vec::new()));
    }

    fn add_group(&mut self, path: &str, name: Option<String>) {
        if let Some((_, groups)) = self.shards.last_mut() {
            groups.push(GroupPlan { path: path.into(), name, datasets: Vec::new() });
        }
    }

    /// The text of the index, as Keras formats it.
    pub(super) fn index(&self) -> String {
        let mut map: Vec<(&str, Vec<&str>)> = Vec::new();
        for (shard, groups) in &self.shards {
            for group in groups.iter().filter(|group| !group.datasets.is_empty()) {
                match map.last_mut().filter(|(path, _)| *path == group.path) {
                    Some((_, shards)) => shards.push(shard),
                    None => map.push((&group.path, vec![shard])),
                }
            }
        }
        let text = |text: &str| json::to_python(&Json::from(text));
        let entry = |(path, shards): &(&str, Vec<&str>)| {
            let path = text(&format!("/{path}"));
            match shards.as_slice() {
                [one] => format!("        {path}: {}", text(one)),
                many => {
                    let items: Vec<String> =
                        many.iter().map(|name| format!("            {}", text(name))).collect();
                    format!("        {path}: [\n{}\n        ]", items.join(",\n"))
                }
            }
        };
        let entries: Vec<String> = map.iter().map(entry).collect();
        let total = json::to_python(&json::from_float(self.total_bytes as f64));
        let map = match entries.as_slice() {
            [] => "{}".into(),
            _ => format!("{{\n{}\n    }}", entries.join(",\n")),
        };
        format!(
            "{{\n    \"metadata\": {{\n        \"total_size\": {total}\n    }},\n    \
             \"weight_map\": {map}\n}}"
        )
    }
}

/// The bytes of all variables of an object that must stay together.
fn object_bytes(group: &GroupPlan, size: ShardSize) -> Result<u64> {
    let bytes = group.datasets.iter().map(|(_, source)| source.spec().bytes() as u64).sum();
    if bytes > size.bytes {
        let what = format!(
            "the object '{}', all of which Keras before 3.12 needs in one file,",
            quote(&group.path)
        );
        return Err(too_large(&what, bytes, size));
    }
    Ok(bytes)
}

fn too_large(what: &str, bytes: u64, size: ShardSize) -> Error {
    Error::Invalid(format!(
        "{what} takes {bytes} bytes, more than a shard of {}; allow larger shards",
        size.bytes
    ))
}
