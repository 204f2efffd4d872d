//! Writing weights files in one pass.
//!
//! All structure comes first, then all data, so every address is known before the first byte is
//! written and no tensor is ever held: the structure is built in memory, the data is streamed.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use super::encode::{Encoded, GlobalHeap, HeapString, MAX_TEXTS};
use super::structure::{Placed, PlacedData, Structure};
use crate::base::error::quote;
use crate::base::stream::CHUNK;
use crate::base::{DType, Error, Result, ResultExt, Source};
use crate::saving::store::GroupPlan;

/// A weights file that can be written, laid out as h5py lays out Keras's files: superblock
/// version 0, symbol tables, contiguous little-endian data.
pub struct H5Writer {
    structure: Vec<u8>,
    data: PlacedData,
    len: u64,
}

/// An attribute of a group: text, as Keras hangs it on groups of weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The path of the group; the root's is empty.
    pub path: String,
    /// The attribute's name.
    pub name: String,
    /// What it holds.
    pub value: AttributeValue,
}

/// What an attribute holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// One string.
    Text(String),
    /// A list of strings. As in Keras, a long one is split into attributes whose names end in
    /// `0`, `1`...
    Texts(Vec<String>),
}

/// A group while the file is laid out; members are in the byte order of their names.
#[derive(Default)]
struct Node {
    attributes: Vec<(String, AttributeValue)>,
    members: BTreeMap<String, Item>,
}

enum Item {
    Group(Node),
    Dataset(Arc<dyn Source>),
}

impl H5Writer {
    /// Lays out a file with these groups. Groups on the way to them are added.
    ///
    /// # Errors
    /// [`Error::Invalid`] if two objects have the same path or a name cannot be written.
    pub fn new(plans: &[GroupPlan]) -> Result<H5Writer> {
        H5Writer::with_attributes(plans, Vec::new())
    }

    /// Lays out a file with these groups and further attributes.
    ///
    /// # Errors
    /// As [`H5Writer::new`].
    pub fn with_attributes(plans: &[GroupPlan], attributes: Vec<Attribute>) -> Result<H5Writer> {
        let mut root = Node::default();
        for plan in plans {
            root.add(plan).at(|| format!("group '{}'", quote(&plan.path)))?;
        }
        for Attribute { path, name, value } in attributes {
            let group = root.group(&path).at(|| format!("group '{}'", quote(&path)))?;
            group.attributes.extend(split(name, value));
        }
        let mut layout =
            Layout { structure: Structure::new(), texts: Texts::default(), data: Vec::new() };
        layout.texts.place(&root, &mut layout.structure)?;
        let root = layout.group(&root)?;
        let (structure, data) = layout.structure.finish(&root, &layout.data);
        let len = data
            .last()
            .map_or(structure.len() as u64, |(at, source)| at + source.spec().bytes() as u64);
        Ok(H5Writer { structure, data, len })
    }

    /// Number of bytes of the file.
    #[expect(clippy::len_without_is_empty, reason = "a file always has its superblock")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Writes the file in order; `progress` is given the number of bytes written so far.
    ///
    /// # Errors
    /// If a source cannot be read, or gave bytes that are not to be believed, or `out` refuses ([`Error::Io`] with an empty path).
    pub fn write_to(&self, out: &mut dyn Write, progress: &mut dyn FnMut(u64)) -> Result<()> {
        let mut write = |bytes: &[u8]| out.write_all(bytes).map_err(|e| Error::io("", e));
        write(&self.structure)?;
        let mut written = self.structure.len() as u64;
        let mut chunk = Vec::new();
        for (start, source) in &self.data {
            let gap = start - written;
            write(&[0; 8][..gap as usize])?;
            let total = source.spec().bytes();
            chunk.resize(chunk.len().max(total.min(CHUNK)), 0);
            let mut offset = 0;
            while offset < total {
                let piece = &mut chunk[..CHUNK.min(total - offset)];
                source.read(offset, piece)?;
                write(piece)?;
                offset += piece.len();
                progress(start + offset as u64);
            }
            written = start + total as u64;
        }
        self.data.iter().try_for_each(|(_, source)| source.check())?;
        progress(self.len);
        Ok(())
    }
}

impl Node {
    /// The group at a path, made where it is missing.
    fn group(&mut self, path: &str) -> Result<&mut Node> {
        let mut node = self;
        for part in path.split('/').filter(|_| !path.is_empty()) {
            check_name(part)?;
            let member =
                node.members.entry(part.into()).or_insert_with(|| Item::Group(Node::default()));
            node = match member {
                Item::Group(group) => group,
                Item::Dataset(_) => return Err(taken(part)),
            };
        }
        Ok(node)
    }

    fn add(&mut self, plan: &GroupPlan) -> Result<()> {
        let node = self.group(&plan.path)?;
        if let Some(name) = &plan.name {
            node.attributes.retain(|(attribute, _)| attribute != NAME);
            node.attributes.push((NAME.into(), AttributeValue::Text(name.clone())));
        }
        for (key, source) in &plan.datasets {
            check_name(key)?;
            let item = Item::Dataset(source.clone());
            if node.members.insert(key.clone(), item).is_some() {
                return Err(taken(key));
            }
        }
        Ok(())
    }
}

/// The attribute or attributes that hold a value.
fn split(name: String, value: AttributeValue) -> Vec<(String, AttributeValue)> {
    match value {
        AttributeValue::Texts(texts) if texts.len() > MAX_TEXTS => {
            let part = |(i, part): (usize, &[String])| {
                (format!("{name}{i}"), AttributeValue::Texts(part.to_vec()))
            };
            texts.chunks(MAX_TEXTS).enumerate().map(part).collect()
        }
        whole => vec![(name, whole)],
    }
}

fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name == "." || name.contains(['/', '\0']) {
        return Err(Error::Invalid(format!("'{}' cannot be a name in HDF5", quote(name))));
    }
    Ok(())
}

fn taken(name: &str) -> Error {
    Error::Invalid(format!("'{}' is used for two objects", quote(name)))
}

/// The attribute strings of all objects, in the order in which objects are laid out.
#[derive(Default)]
struct Texts(std::collections::VecDeque<HeapString>);

impl Texts {
    /// Puts the strings into global heaps, ahead of the objects that refer to them.
    fn place(&mut self, root: &Node, structure: &mut Structure) -> Result<()> {
        let mut texts = Vec::new();
        collect_texts(root, &mut texts);
        let mut texts = texts.into_iter().peekable();
        while texts.peek().is_some() {
            let mut heap = GlobalHeap::new(structure.end());
            while let Some(text) = texts.next_if(|_| !heap.is_full()) {
                if u32::try_from(text.len()).is_err() {
                    return Err(Error::Invalid("a name of more than 4 GiB".into()));
                }
                self.0.push_back(heap.push(text));
            }
            structure.push(&heap.finish());
        }
        Ok(())
    }

    fn next(&mut self) -> Result<HeapString> {
        self.0.pop_front().ok_or_else(|| Error::Internal("an HDF5 string was not placed".into()))
    }
}

/// The attribute of a group of variables that holds the object's name.
const NAME: &str = "name";
/// The attribute of a dataset, and its value, that tells bfloat16 from other opaque data.
const DTYPE: &str = "dtype";
const BFLOAT16: &str = "bfloat16";

fn collect_texts<'a>(node: &'a Node, texts: &mut Vec<&'a str>) {
    for item in node.members.values() {
        match item {
            Item::Group(group) => collect_texts(group, texts),
            Item::Dataset(source) if source.spec().dtype == DType::BFloat16 => texts.push(BFLOAT16),
            Item::Dataset(_) => {}
        }
    }
    for (_, value) in &node.attributes {
        match value {
            AttributeValue::Text(text) => texts.push(text),
            AttributeValue::Texts(all) => texts.extend(all.iter().map(String::as_str)),
        }
    }
}

/// The file as it is laid out: members before the groups that list them.
struct Layout {
    structure: Structure,
    texts: Texts,
    data: Vec<Arc<dyn Source>>,
}

impl Layout {
    /// Returns the address of the group's header.
    fn group(&mut self, node: &Node) -> Result<Placed> {
        let mut members = Vec::with_capacity(node.members.len());
        for (name, item) in &node.members {
            let placed = match item {
                Item::Group(group) => self.group(group)?,
                Item::Dataset(source) => self.dataset(source)?,
            };
            members.push((name.as_str(), placed));
        }
        let mut attributes = Vec::with_capacity(node.attributes.len());
        for (name, value) in &node.attributes {
            let (count, is_list) = match value {
                AttributeValue::Text(_) => (1, false),
                AttributeValue::Texts(texts) => (texts.len(), true),
            };
            attributes.push(self.attribute(name, count, is_list)?);
        }
        self.structure.group(&members, &attributes)
    }

    /// An attribute that takes the next `count` strings.
    fn attribute(&mut self, name: &str, count: usize, is_list: bool) -> Result<Encoded> {
        let texts = (0..count).map(|_| self.texts.next()).collect::<Result<_>>()?;
        Ok(Encoded { name: name.into(), texts, is_list })
    }

    fn dataset(&mut self, source: &Arc<dyn Source>) -> Result<Placed> {
        let bfloat16 = source.spec().dtype == DType::BFloat16;
        let attribute = bfloat16.then(|| self.attribute(DTYPE, 1, false)).transpose()?;
        self.data.push(source.clone());
        self.structure.dataset(source.spec(), attribute.as_slice())
    }
}
