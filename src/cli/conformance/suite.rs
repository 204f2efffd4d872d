//! Recorded cases in files: one archive per area, read in memory.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::base::error::quote;
use crate::base::{DType, Error, Nested, Result, ResultExt, Spec};
use crate::saving::bytes::{FileBytes, read_all};
use crate::saving::json::{self, Json};
use crate::saving::npz::Npz;
use crate::saving::{Archive, Limits, ReadAt};
use crate::tensor::Tensor;

/// The areas of the recorded suite, in the order in which they run.
pub const AREAS: &[&str] = &[
    "layers",
    "models",
    "activations",
    "initializers",
    "ops",
    "losses",
    "metrics",
    "optimizers",
    "schedules",
    "regularizers",
    "constraints",
];

/// The cases of one area.
pub struct Area {
    pub name: &'static str,
    pub cases: Vec<Case>,
    archive: Archive,
}

/// One recorded case.
pub struct Case {
    pub id: String,
    pub class: String,
    /// All that is recorded of it, but for its arrays.
    pub record: Json,
    /// The member of the area's archive with the arrays.
    data_file: String,
}

impl Area {
    /// Opens `DIR/NAME.zip`; nothing when there is no such file.
    ///
    /// # Errors
    /// If the file is no archive, or its manifest is not as described.
    pub fn open(directory: &Path, name: &'static str) -> Result<Option<Area>> {
        let path = directory.join(format!("{name}.zip"));
        if !path.exists() {
            return Ok(None);
        }
        Area::read(&path, name).map(Some).at(|| path.display().to_string())
    }

    fn read(path: &Path, name: &'static str) -> Result<Area> {
        let source = Arc::new(FileBytes::open(path)?);
        let archive = Archive::from_source(source, &Limits::default())?;
        let Json::Array(manifest) = read_json(&archive, "manifest.json")? else {
            return Err(malformed("manifest.json is not a list"));
        };
        let mut details = Details::default();
        let case = |entry| Case::new(entry, &archive, &mut details);
        let cases = manifest.into_iter().map(case).collect::<Result<_>>()?;
        Ok(Area { name, cases, archive })
    }

    /// The bytes of a member.
    pub fn member(&self, name: &str) -> Result<Arc<dyn ReadAt>> {
        self.archive.member(name)
    }
}

impl Case {
    fn new(entry: Json, archive: &Archive, details: &mut Details) -> Result<Case> {
        let text = |key: &str| entry.get(key).and_then(Json::as_str).map(str::to_owned);
        let missing = |key: &str| malformed(&format!("a case without {key}"));
        let id = text("id").ok_or_else(|| missing("id"))?;
        let class = text("class").ok_or_else(|| missing("class"))?;
        // Areas of whole models tell all in the manifest, the others in a file per class.
        let (data_file, record) = match (text("data_file"), text("file")) {
            (Some(data_file), _) => (data_file, entry),
            (None, Some(file)) => {
                let record = details.take(archive, &file, &id)?;
                (format!("{file}.npz"), record.ok_or_else(|| missing(&format!("{id} in {file}")))?)
            }
            (None, None) => return Err(missing("data_file or file")),
        };
        Ok(Case { id, class, record, data_file })
    }

    /// A part of the record; null when it is not there.
    pub fn get(&self, key: &str) -> &Json {
        self.record.get(key).unwrap_or(&Json::Null)
    }

    /// A text of the record.
    pub fn text(&self, key: &str) -> Result<&str> {
        self.get(key).as_str().ok_or_else(|| malformed(&format!("{key} is not a text")))
    }
}

/// Records by class file and id, read when first needed.
#[derive(Default)]
struct Details(HashMap<String, HashMap<String, Json>>);

impl Details {
    fn take(&mut self, archive: &Archive, file: &str, id: &str) -> Result<Option<Json>> {
        if !self.0.contains_key(file) {
            let Json::Array(records) = read_json(archive, &format!("{file}.json"))? else {
                return Err(malformed(&format!("{}.json is not a list", quote(file))));
            };
            let with_id = |record: Json| Some((record.get("id")?.as_str()?.to_owned(), record));
            self.0.insert(file.to_owned(), records.into_iter().filter_map(with_id).collect());
        }
        Ok(self.0.get_mut(file).and_then(|records| records.remove(id)))
    }
}

fn read_json(archive: &Archive, member: &str) -> Result<Json> {
    json::parse(&read_all(archive.member(member)?.as_ref())?, member, &Limits::default())
}

fn malformed(what: &str) -> Error {
    Error::Invalid(format!("recorded case: {what}"))
}

/// The arrays of one case, read when asked for.
pub struct Arrays<'a> {
    area: &'a Area,
    case: &'a Case,
    npz: Option<Npz>,
}

/// A recorded value: an array, or a plain one.
#[derive(Clone, Debug, PartialEq)]
pub enum Leaf {
    Array(Tensor),
    Plain(Json),
}

impl<'a> Arrays<'a> {
    pub fn new(area: &'a Area, case: &'a Case) -> Arrays<'a> {
        Arrays { area, case, npz: None }
    }

    /// The structure that a part of the record describes.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for texts, complex numbers and what only Python has.
    pub fn structure(&mut self, json: &Json) -> Result<Nested<Leaf>> {
        let marked = match json {
            Json::Object(map) if map.len() == 1 => map.iter().next().map(|(k, v)| (k.as_str(), v)),
            Json::Array(items) => {
                let items = items.iter().map(|item| self.structure(item));
                return items.collect::<Result<_>>().map(Nested::List);
            }
            _ => None,
        };
        Ok(match marked {
            Some(("$array", Json::String(name))) => Nested::Leaf(Leaf::Array(self.array(name)?)),
            Some(("$tuple", items)) => self.structure(items)?,
            Some(("$dict", Json::Object(items))) => Nested::Dict(
                items
                    .iter()
                    .map(|(key, item)| Ok((key.clone(), self.structure(item)?)))
                    .collect::<Result<_>>()?,
            ),
            Some(("$dtype", dtype)) => Nested::Leaf(Leaf::Plain(dtype.clone())),
            Some(("$float", Json::String(text))) => Nested::Leaf(Leaf::Plain(not_finite(text)?)),
            Some((key, _)) if key.starts_with('$') => {
                return Err(Error::Unsupported(format!("an argument of kind {}", quote(key))));
            }
            _ => Nested::Leaf(Leaf::Plain(json.clone())),
        })
    }

    /// The array that the case calls `name`.
    pub fn array(&mut self, name: &str) -> Result<Tensor> {
        self.read(name).at(|| format!("array '{}'", quote(name)))
    }

    fn read(&mut self, name: &str) -> Result<Tensor> {
        let about = self.case.get("arrays").get(name);
        let about = about.ok_or_else(|| malformed("an array that is not described"))?;
        let text = |key: &str| about.get(key).and_then(Json::as_str);
        let dtype = text("dtype").unwrap_or_default();
        let dtype = DType::from_name(dtype)
            .map_err(|_| Error::Unsupported(format!("arrays of {}", quote(dtype))))?;
        if dtype == DType::String {
            return strings(about);
        }
        let key = text("npz_key").ok_or_else(|| malformed("an array without npz_key"))?;
        let stored = self.npz()?.read(key)?;
        if stored.dtype() == dtype {
            return Ok(stored);
        }
        // bfloat16 is stored as its bits.
        Tensor::from_bytes(Spec::new(stored.shape().clone(), dtype), stored.bytes().to_vec())
    }

    fn npz(&mut self) -> Result<&Npz> {
        if self.npz.is_none() {
            self.npz = Some(Npz::from_source(self.area.member(&self.case.data_file)?)?);
        }
        self.npz.as_ref().ok_or_else(|| Error::Internal("arrays that were just opened".into()))
    }
}

/// An array of text, whose elements are in the record itself.
fn strings(about: &Json) -> Result<Tensor> {
    let list = |key: &str| about.get(key).and_then(Json::as_array);
    let (Some(shape), Some(values)) = (list("shape"), list("values")) else {
        return Err(malformed("an array of text without shape and values"));
    };
    let extent = |n: &Json| n.as_u64().and_then(|n| usize::try_from(n).ok());
    let shape: Option<Vec<usize>> = shape.iter().map(extent).collect();
    let strings: Option<Vec<&str>> = values.iter().map(Json::as_str).collect();
    match (shape, strings) {
        (Some(shape), Some(strings)) => Tensor::from_strings(shape, &strings),
        _ => Err(malformed("an array of text that is not one")),
    }
}

fn not_finite(text: &str) -> Result<Json> {
    let number = text.parse::<f64>().map_err(|_| malformed("a $float that is no number"))?;
    Ok(json::from_float(number))
}
