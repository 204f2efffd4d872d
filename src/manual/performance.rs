//! Where the time of a prediction goes, and how to measure it.
//!
//! # Measuring
//!
//! | command | what it says |
//! | --- | --- |
//! | `cargo bench --bench kernels` | each contraction kernel against the best arithmetic and memory rates of the same adapter in the same run |
//! | `cargo bench --bench models` | predictions per second of whole networks; with `KERAUNOS_PYTHON`, against Keras on JAX in the same run |
//! | `cargo bench --bench startup` | whole processes to their first prediction, with cold and warm caches |
//! | `cargo bench --bench files` | loading and saving against a plain copy of the file in the same run |
//!
//! Options follow `--`: `--device software`, `--batch 1`, `--network resnet50`; the head of each file
//! in `benches/` lists its own. The networks come from `tests/keras/make_applications.py`. Times are
//! medians with their spread; on a machine that does other work as well, the least time is the one to
//! compare. What a plan consists of, dispatch by dispatch, is in
//! [`PlanSummary`](crate::runtime::PlanSummary).
//!
//! # First prediction on a GPU
//!
//! Compiling kernels takes most of it. Pipelines are made all at once, in parallel, and their text
//! does not hold extents, so that layers of different sizes share them. Between processes there are two
//! caches: the driver's own, and ours for drivers that hand out what they compiled
//! ([`Caps::pipeline_cache`](crate::gpu::Caps); Vulkan only), one file for each adapter in the user's
//! cache folder. The environment variable `KERAUNOS_CACHE` moves ours or switches it `off`. Mesa's
//! software adapter has nothing to hand out and relies on its own cache: there the first prediction of
//! MobileNetV2 took 9.5 s cold and 1.7 s warm, mostly in LLVM, on two processor cores that had other work
//! to do.
//!
//! # Later predictions on a GPU
//!
//! Buffers, bind groups and parameters are made with the plan. A run writes the inputs, submits the
//! recorded dispatches and reads all outputs back, with one wait where they fit the staging buffers.
//! Padding, batch normalization, bias and activation are part of their convolution's dispatch:
//! MobileNetV2 has one dispatch for each convolution and two more.
//!
//! # On the host
//!
//! * Convolutions with one tap are matrix products on the input as it lies. Others gather windows of at
//!   most 4 MiB at a time, which the product reads while they are cached; neighbouring taps are copied
//!   together.
//! * Depthwise convolutions sum blocks of channels in registers over all taps.
//! * What follows an anchor (bias, activation, residual) works in the anchor's memory, instruction by
//!   instruction over runs of 512 elements. A run takes several lines where lines are short, so that
//!   looking up an instruction costs little even with few channels.
//! * These loops are compiled for the widest vectors that common processors have, and chosen when the
//!   program runs.
//!
//! Matrix products are the `gemm` crate's, with AVX-512 where the processor has it; that doubled the
//! predictions per second of MobileNetV2, or nearly, and made ResNet50 1.7 times as fast. In a profile taken before,
//! MobileNetV2 at batch 1 spent about a quarter of its time in matrix products, a quarter in the code
//! behind them, a sixth in waiting of threads for each other, and the rest in depthwise convolutions and
//! copies. Larger batches gain nothing per image there: activations then exceed the cache, and every
//! region allocates its result anew.
