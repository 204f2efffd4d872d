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
//! | `config.json` alone | [`Model::from_json`](crate::Model::from_json), compiled if it says how | [`Model::to_json`](crate::Model::to_json), with the learning rate of now |
//!
//! Every command of the tool that takes a model takes every form of one, and `-` for standard input;
//! `--weights` brings the weights from another file. Only `predict`, `evaluate` and `compare` want weights
//! for an architecture alone, whose own are random. `inspect` also shows weights without a model.
//!
//! `metadata.json` decides nothing, as in Keras: a file without it loads, and one in which it is not JSON.
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
//! # Traps
//!
//! What a reader of these files can get wrong without noticing, and the test that holds it.
//!
//! <!-- traps:start -->
//! | trap | test |
//! | --- | --- |
//! | bare `NaN` and `Infinity` in the config | `tests/traps.rs::what_keras_writes_is_read_with_its_traps` |
//! | the same, as text that is read and written back | `src/saving/json/mod.rs::floats_that_are_not_finite_read_as_floats` |
//! | deflated members, none with metadata, members that no one asked for | `tests/traps.rs::what_keras_writes_is_read_with_its_traps` |
//! | comments, bytes in front of the archive, data descriptors | `src/saving/archive/directory.rs::archives_of_another_writer_open` |
//! | variables in the order of their numbers, `10` after `2` | `src/saving/store.rs::keys_are_ordered_as_numbers` |
//! | groups by class and counter, `dense_10` after `dense_2`; counters count what is saved elsewhere | `src/saving/walk.rs::counters_count_every_item_and_containers_nest` |
//! | layers before other attributes, private ones last | `src/saving/walk.rs::models_save_their_layers_first_and_private_attributes_last` |
//! | objects in two places are saved once | `src/saving/walk.rs::objects_that_hold_each_other_are_visited_once` |
//! | a layer, or a model, that is called twice; one layer in two models | `tests/traps.rs::what_keras_writes_is_read_with_its_traps` |
//! | lists within lists, which files before 3.15 lack | `src/saving/load.rs::nested_containers_may_be_missing_as_a_whole` |
//! | groups under the names of tf.keras 2.13 | `src/saving/load.rs::groups_are_found_where_tf_keras_put_them` |
//! | an optimizer of another number of variables: a warning, as in Keras | `src/saving/load.rs::an_optimizer_that_differs_is_left_alone` |
//! | LoRA: the file holds the merged kernel, the config the rank | `tests/traps.rs::what_keras_writes_is_read_with_its_traps` |
//! | `LossScaleOptimizer`: the config names the inner optimizer, the file holds both | `tests/traps.rs::what_keras_writes_is_read_with_its_traps` |
//! | `LossScaleOptimizer` comes with mixed_float16 where none was named | `tests/training.rs::the_loss_of_mixed_float16_is_scaled` |
//! | Nadam, and averages with accumulation: another order before 3.10 | `tests/versions.rs::weights_in_another_order_are_refused` |
//! | 4-bit weights along another axis before 3.14 | `tests/versions.rs::what_a_version_cannot_express_is_refused_with_its_place` |
//! | outputs of a model in a model count from its second call before 3.3 | `tests/versions.rs::what_a_version_cannot_express_is_refused_with_its_place` |
//! | dtypes as names and as records, `Orthogonal` and its old name | `tests/versions.rs::what_came_later_is_left_out_where_it_says_nothing` |
//! | wrapped layers without `module` in `.h5` | `tests/traps.rs::what_keras_writes_is_read_with_its_traps` |
//! | `lr`, `decay`, `alpha`, `batch_input_shape`, a bare list of layers (Keras 2.0) | `tests/forms.rs::the_oldest_files_are_read` |
//! | `model.weights.npz` holds pickles | `tests/forms.rs::weights_in_pickles_are_refused_unless_others_are_there` |
//! | an object over two shards, which Keras finds since 3.12 | `tests/versions/matrix.rs::every_version_and_keraunos_read_each_other` |
//! | big-endian, half, chunked and filtered data, and every index of chunks | `tests/h5_forms.rs::every_form_holds_what_h5py_reads` |
//! | bfloat16 as two opaque bytes with an attribute | `tests/saving.rs::h5py_reads_what_is_written` |
//! | keys twice, numbers beyond 64 bits | `src/saving/json/mod.rs::what_could_mean_two_things_is_refused` |
//! | code in place of a loss or metric | `src/models/compile_config.rs::code_is_always_refused` |
//! | `Lambda`, and what may stand for one | `tests/custom.rs::a_lambda_is_refused_with_the_way_to_replace_it` |
//! <!-- traps:end -->
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
//! # The versions of Keras
//!
//! `tests/versions.rs` installs nine versions and lets each write four models, with their weights and the
//! state of their optimizers, in every form that it has. Each is read here and must give the same weights,
//! state and predictions. Then each form is written here for that version, which loads it and compares:
//! config, weights and state exactly, predictions to 1e-5. "As its own" is what Keras loses, or refuses,
//! in a file that it wrote itself too. Empty cells have nothing to compare; 3.0.5 cannot load one of its own
//! samples, and judges only predictions there.
//!
//! <!-- versions:start -->
//! | form | Keras | written by it, read here | written here for it | config read by it | weights | optimizer | predictions |
//! | --- | --- | --- | --- | --- | --- | --- | --- |
//! | `.keras` | 3.0.5 | 3 models | 4 models | 3 equal | 3 equal | 2 equal | 4 equal |
//! | `.keras` | 3.3.3 to 3.15.1 | 4 models | 4 models | 4 equal | 4 equal | 3 equal | 4 equal |
//! | `.keras`, from a file of 3.15.1 | 3.0.5 |  | 4 models | 3 equal | 3 equal | 2 equal | 4 equal |
//! | `.keras`, from a file of 3.15.1 | 3.3.3 to 3.14.1 |  | 4 models | 4 equal | 4 equal | 3 equal | 4 equal |
//! | a folder | 3.6.0 to 3.15.1 | 4 models | 4 models | 4 equal | 4 equal | 3 equal | 4 equal |
//! | `.weights.h5` | 3.0.5 | 3 models | 3 models |  | 3 equal | 2 equal | 3 equal |
//! | `.weights.h5` | 3.3.3 to 3.15.1 | 4 models | 4 models |  | 4 equal | 3 equal | 4 equal |
//! | `.weights.json` with shards | 3.10.0 to 3.15.1 | 4 models | 4 models |  | 4 equal | 3 equal | 4 equal |
//! | `.h5`, a whole model | 3.0.5 | 2 models, 1 refused as by Keras | 2 models | 1 equal, 1 as its own | 1 equal, 1 as its own | as its own | 1 equal, 1 as its own |
//! | `.h5`, a whole model | 3.3.3 to 3.15.1 | 2 models, 2 refused as by Keras | 2 models | 1 equal, 1 as its own | 1 equal, 1 as its own | as its own | 1 equal, 1 as its own |
//! | `.h5`, weights by layers | 3.0.5 | 3 models | 2 models |  | 2 equal |  | 2 equal |
//! | `.h5`, weights by layers | 3.3.3 to 3.15.1 | 4 models | 2 models |  | 2 equal |  | 2 equal |
//! | `config.json` alone | 3.0.5 | 3 models | 4 models | 3 equal |  |  |  |
//! | `config.json` alone | 3.3.3 to 3.15.1 | 4 models | 4 models | 4 equal |  |  |  |
//! | `model.weights.npz` | 3.0.5 to 3.15.1 | refused, as by Keras |  |  |  |  |  |
//! | `.keras`, for this version, read by 3.15.1 | 3.0.5 to 3.14.1 |  | 4 models |  | 4 equal | 3 equal | 4 equal |
//! <!-- versions:end -->
