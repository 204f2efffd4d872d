//! How the crate is built, and where it departs from its first design.
//!
//! # From a file to numbers
//!
//! | step | type | where |
//! | --- | --- | --- |
//! | members, config and weights of a file, checked | [`Archive`](crate::saving::Archive) | `saving` |
//! | layers and their calls, variables that point into the file | [`Model`](crate::Model) | `models`, `layers` |
//! | the mathematics of one input signature | [`Graph`](crate::graph::Graph), [`Trace`](crate::graph::Trace) | `graph` |
//! | a frozen list of operations, rewritten by passes | [`Program`](crate::program::Program) | `program` |
//! | one region for each dispatch | [`Region`](crate::program::region::Region) | `program::pass::fuse` |
//! | shader text, parameters, grid | [`Launch`](crate::gpu::Launch) | `kernels` |
//! | pipelines, buffers and bind groups, replayed | [`Compiled`](crate::runtime::Compiled) | `runtime`, `gpu` |
//!
//! Nothing computes while a layer's `call` runs: it writes operations on
//! [`Value`](crate::graph::Value)s. Errors are kept by the graph with the layer's path and come out
//! when the trace ends. `tests/layering.rs` holds the table of who may name whom.
//!
//! # A config is the model
//!
//! [`Model::from_config`](crate::Model::from_config) is the only way to a model. Builders in Rust
//! write the JSON that Keras would write and go through the same reader; a loaded model keeps its
//! config and writes it back as it was read. So there is no second description of a layer that could
//! lose a key, and no `get_config` to keep in step. [`Config`](crate::layers::config::Config) hands
//! out every key once with a type and refuses what is left over.
//!
//! # Regions
//!
//! The fuser ([`program::pass::fuse`](crate::program::pass::fuse)) decides in reverse order which
//! values are stored: a value joins the region of its consumers when they are all in one region and
//! can take it as it is. Then each region's code is written by walking from its root towards stored
//! values. Views become index arithmetic on the way: an index along every axis is an affine function
//! of the dimensions that threads run over ([`program::view`](crate::program::view)). A reshape that
//! does not line up asks for a dimension to be split; what no split helps is stored, and the pass
//! starts again with that value stored.
//!
//! The code of a region ([`Body`](crate::program::region::Body)) knows no device. `kernels::expr`
//! writes it as WGSL, the host executor interprets it in runs of neighbouring elements. Extents,
//! strides and constants are parameters, so few pipelines serve all sizes.
//!
//! | region | kernel |
//! | --- | --- |
//! | map | `map`; `map_tiled` where it reads neighbours along another axis than it stores them |
//! | reduction, with what is fused in front and behind | `reduce`, `reduce_group`, `reduce_subgroup`, `reduce_columns`, `arg_reduce` |
//! | several reductions of the same rows, each with what is fused in front and behind, and the maps that use them | `rows`, `rows_subgroup` |
//! | scores of queries and keys, their softmax and the sum of values, where nobody else wants the scores | `attention_tile`, `attention_row` |
//! | product, convolution, pooling, with what is fused behind; in front of a product or convolution, what unpacks its right operand | `matmul_*`, `conv_*`, `pool*` |
//!
//! # Loops
//!
//! A loop over time steps is one operation with a body, whatever the number of steps. A host runs the
//! body's regions step by step. A GPU records them once for each of three turns, since a step writes
//! its carries into one of two buffers and reads them from the other, and the first step reads what the
//! loop was given; rows of sequences and of outputs are found by the number of the step, a uniform with
//! an offset for every dispatch. A value that is an output and a carry is stored in both places by one
//! dispatch. A variable that a body assigns is a carry, too.
//!
//! The gradient is a loop back. The forward loop keeps results of products and reductions, everything
//! between is computed again from them. What the steps want of a matrix is one product behind the loop,
//! over the stacked operands of all steps.
//!
//! # Departures from the first design
//!
//! | design | here | because |
//! | --- | --- | --- |
//! | dtypes kept packed on a device | values that only lie there are (weights, inputs, constants, outputs); what is computed is one 32-bit word per element, rounded to the dtype after each operation | the meaning of a dtype then is in one place, and the memory of weights is that of their file; see [`program::pass::at_rest`](crate::program::pass::at_rest) |
//! | softmax and normalisation as composite operations | written with the other operations, joined by the pass `rows` | one kernel serves every formula that reduces rows and goes on with them, their gradients too |
//! | `predict` pads the last batch | the last batch is planned as it is | padding changes models that look across rows; pipelines are shared, so the second plan is cheap |
//! | what depends on variables only is hoisted | but not weights of eight bits or fewer on their way to a product | as floats they would take the memory that packing saves: the product's kernel unpacks its right operand where it reads it |
//! | masks are values of the file | they also ride along with values while a model is traced | files of Keras 3 hold few of them: masks are attributes of tensors there, and layers such as `MultiHeadAttention` look at nothing else |
//! | convolutions of one to three axes | always three, with leading ones | one set of kernels and gradient rules |
//! | the `zip` crate in front | our own reader and writer of zip, `zip` as the judge in tests | the crate cannot bound a directory before it parses it, and scans gaps between members |
//! | a layer's `get_config` | none | see above |
//! | scatter as an operation | the gradient of a gather is a sum over all picks of those that hit a row | deterministic and one fused reduction; a kernel can take its place when training asks for it |
//! | no `unsafe` at all | denied, with two reasoned exceptions: the driver's pipeline cache, and wgpu's experimental feature for matrix units | both interfaces are unsafe by their signature; nothing that reads a model file uses them |
//! | contractions on the host by the `gemm` crate, convolutions by im2col | one inner loop of our own, in safe code | weights are packed once instead of in every run, windows are read where they lie, and what is fused behind a product runs on a block while it is cached |
//! | files are read straight into mapped staging memory | into one chunk of 4 MiB, copied to staging | wgpu 30 hands out mapped memory for writing only, not as a slice that a file can be read into |
//! | a host prefix and a device program; a host layer after device work is an error | layers of text work while a model is traced with its data, and what they give becomes inputs of the program; a value that the device must compute first is computed when such a layer asks for it | nested models, shared layers and masks need no second description; labels looked up behind an argmax work |
//! | large variables paneled in buffers | also in the program: a product with a large matrix is a sum of products with its panels | no kernel needs to know; see [`program::pass::panels`](crate::program::pass::panels) |
//! | Keras's files of a backup, `latest.weights.h5` and its epoch | weights under a name of their own, and one small file that names them, replaced in one step; random states in it | a process that dies between Keras's two files repeats an epoch, and masks of dropout would be others |
//! | a file's checksum is compared before a byte is believed | also later, where that is asked for ([`LoadOptions::lazy`](crate::LoadOptions::lazy)): a [`Source`](crate::base::Source) gives bytes, and its `check` says whether they can be believed, which everyone asks who has read all they want | the weights of a model that goes to a device are then read once |
//! | metrics are handed to callbacks after every batch | a callback asks for them | reading waits for the device |
//! | the process's dtype policy decides whether `compile` scales the loss | the state of an optimizer in the file does, and for new models the layers' policies | there is no policy of the process, and Keras's files do not name the model's |
//! | `enable_lora` on layers in memory | files with `lora_rank` only; training of a new layer with it is refused | Keras merges the factors into the file and sets them to zero when it loads one |
//! | states of a stateful layer stay in the layer | from batch to batch, also within `fit` | with JAX, Keras's `fit` starts every batch with the states from before it |
//!
//! # Words
//!
//! | word | meaning |
//! | --- | --- |
//! | operation | a node's mathematics: shape, gradient and host evaluation |
//! | value | a node of a graph, as layers see it |
//! | variable | a weight, wherever its bytes are |
//! | lane | the 32-bit word in which a dtype is computed |
//! | region | what becomes one dispatch |
//! | anchor | the reduction or kernel that a region is built around |
//! | root | the value that a region stores |
//! | carry | what a step of a loop leaves to the next |
//! | turn | which buffers of the carries a step reads and writes |
//! | at rest | how a value's elements lie where nothing computes with them: as stored, several in a word where they are narrow |
//! | slot | a buffer for intermediate values, several at a time |
//! | place | where in its slot a value lies |
//! | panel | some rows of a variable that is too large for one binding |
//! | prelude | what depends on variables only, run once per version of them |
