//! Model files: what is read, what is written, and how exactly.
//!
//! # Forms
//!
//! | form | read | written |
//! | --- | --- | --- |
//! | `.keras`, a zip archive | stored and deflated members, data descriptors, ZIP64, data in front of the archive | stored members, in Keras's order |
//! | a folder (`zipped=False`) | yes | yes, as a whole in one step |
//! | from memory, from any `Read + Seek`, to any `Write` | [`load_model_from`](crate::load_model_from), [`load_model_from_reader`](crate::load_model_from_reader) | [`Model::save_to`](crate::Model::save_to) |
//! | `.weights.h5` | superblocks 0 to 3, all chunk indices, gzip, shuffle, Fletcher-32, both byte orders | as below |
//! | `model.weights.npz` | refused: it holds pickled Python objects, which no version of Keras loads again | no |
//! | `.weights.json` with shards | yes | yes, as a set in one step |
//! | `.h5`, `.hdf5` (Keras 2.0 to 3) | whole models and weights | as Keras 3 writes them |
//! | `config.json` alone | [`Model::from_json`](crate::Model::from_json) | [`Model::to_json`](crate::Model::to_json) |
//!
//! # What is written
//!
//! An archive holds `metadata.json`, `config.json`, `model.weights.h5` and what layers keep below
//! `assets/`, in this order, uncompressed, dated 1980-01-01: the same model gives the same bytes. A
//! member of 4 GiB or more, and one that begins beyond, has ZIP64 fields. Into a stream, checksum and
//! sizes of the weights follow them in a data descriptor; into a file, they stand in front.
//!
//! Texts are what Python's `json` writes: ASCII, `", "` and `": "`, bare `NaN` and `Infinity`. A config
//! is written as it was read, unknown keys included.
//!
//! Weights are HDF5 of superblock version 0: symbol tables whose members are in the byte order of their
//! names, contiguous little-endian data, booleans as an enumeration of one byte, bfloat16 as two opaque
//! bytes with the attribute `dtype`. All structure comes first, then all data, so that nothing is held
//! in memory and nothing is written twice. Each object has a group `vars`, an empty one too, with the
//! object's name as the attribute `name`.
//!
//! # Safe writing
//!
//! A file is written under the name `.<name>.<random>.tmp` beside its target, flushed to the disk,
//! renamed, and the folder flushed. The path holds the old model or the new one at every moment. A
//! folder is written the same way and then changes places with the old one in one step; on systems
//! that have no such step (Windows, some network file systems) the old folder is moved aside first,
//! and a crash between the two steps leaves both under temporary names. The shards of a new set stand
//! beside those of the old one until the index, which names them, takes its place; they are called
//! `NAME.1_00000.weights.h5` where the plain names are taken.
//!
//! # Inputs and outputs as JSON
//!
//! `predict`, `fit`, `evaluate` and `compare` take `.json` files where they take `.npz` archives, and
//! `predict` writes one where `--output` ends in `.json`; the library has
//! [`Model::inputs_from_json`](crate::Model::inputs_from_json) and
//! [`Model::outputs_to_json`](crate::Model::outputs_to_json).
//!
//! | the model takes | JSON |
//! | --- | --- |
//! | one array | nested lists, the batch axis first: `[[0.5, 1], [2, NaN]]` |
//! | text | strings: `["a text", "another"]` |
//! | several inputs | an object by name, `{"title": ["a"], "price": [[9.5]]}`, or a list in order |
//! | a structure of lists, tuples and mappings | the same of lists and objects, null for None |
//!
//! Elements are what `numpy.array` makes of the lists: float64 when one of them has a point or an
//! exponent or is not finite, else int64, bool or text; then they become the declared dtype. A number
//! that an integer dtype does not hold is an error, as are lists of unequal lengths and text among
//! numbers, which messages name by place: `at ["price"][3][0]`. Outputs are written in the structure
//! that Keras's `predict` gives, in the digits of Python's `tolist`. Bounds are `json_array_bytes`,
//! `json_values` and `json_depth` of [`Limits`](crate::saving::Limits).
//!
//! # Older versions of Keras
//!
//! [`SaveOptions::keras_version`](crate::SaveOptions) and `convert --keras-version 3.6` write what that
//! version and all later ones load. Keys that came later are left out if they hold their default, dtype
//! policies become names, single inputs become lists, initializers get their old names. What the version
//! cannot express is an error: a class, an argument or a function that came later; 4-bit weights before
//! 3.14, which are packed along another axis; layers in lists within lists before 3.15; the state of
//! Nadam, and averages together with accumulated gradients, before 3.10, whose order changed; shards
//! before 3.10; what versions before 3.3 take wrongly themselves, such as frozen sequential models. A Muon optimizer is refused before 3.13, where its rule was another one.
//!
//! The table of what came when is made from the sources of nine versions; a version between two of
//! them counts as the older of the two.
//!
//! Which real versions load what is written, `tests/versions.rs` asks where `KERAUNOS_KERAS_VERSIONS`
//! names them, and then keeps the answers here; CI does not install them, and no table stands here yet.
//!
//! <!-- versions:start -->
//! <!-- versions:end -->
