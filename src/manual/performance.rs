//! Where the time of a prediction goes, and how to measure it.
//!
//! # Measuring
//!
//! | command | what it says |
//! | --- | --- |
//! | `keraunos bench MODEL` | cold start, then latency, throughput, memory and the share of the best rates, for each device and batch size |
//! | `keraunos bench --kernels` | the same for families of kernels at fixed sizes, as the plan chooses and fuses them |
//! | `keraunos profile MODEL` | the time of each layer and each dispatch, by the device's own clock |
//! | `keraunos tune MODEL` | every kernel that could compute a part of a model, on one adapter; the fastest are used from then on |
//! | `cargo bench --bench kernels` | each variant of a contraction kernel against the best arithmetic and memory rates of the same adapter in the same run |
//! | `cargo bench --bench models` | predictions per second of whole networks; with `KERAUNOS_PYTHON`, against Keras on JAX in the same run |
//! | `cargo bench --bench startup` | whole processes to their first prediction, with cold and warm caches |
//! | `cargo bench --bench files` | loading and saving against a plain copy of the file in the same run |
//! | `python3 benches/peers/run.py` | whole workloads beside other programs on the same device, in one run |
//!
//! Options follow `--`: `--device software`, `--batch 1`, `--network resnet50`; the head of each file
//! in `benches/` lists its own. The networks come from `tests/keras/make_applications.py`. Times are
//! medians with their spread; on a machine that does other work as well, the least time is the one to
//! compare. What a plan consists of, dispatch by dispatch, is in
//! [`PlanSummary`](crate::runtime::PlanSummary).
//!
//! # Tuned kernels
//!
//! Where several kernels can compute a contraction or a reduction, the kind of the adapter decides: a
//! software adapter gets register blocks, a GPU tiles in workgroup memory. `keraunos tune` asks the
//! adapter itself. For every problem of a model's plan (a kernel family and its extents) it runs each
//! kernel with what is fused around it, refuses those that do not compute what the host computes, and
//! keeps the times and the fastest in a table, by adapter, driver and checksum of the shaders. The usual
//! kernel stays unless another one saves 5 %. [`Device::open`](crate::Device::open) takes the table of
//! the user's cache folder; an application can ship its own by
//! [`Tuning::load`](crate::runtime::Tuning::load) and [`Device::tuned`](crate::Device::tuned), commands
//! take one by `--tuned`. A table decides which kernel runs and never what is computed: one of another
//! adapter, driver or version is not used, nor a kernel that cannot compute the problem. The file's form
//! is described at [`Tuning`](crate::runtime::Tuning). `keraunos tune --json` prints, as
//! `keraunos-tune/1`, a list `problems`: `problem`, `layer`, `fastest` (null if no kernel is right) and
//! `kernels`, each with `seconds`, or what is `wrong`, or why it `failed`.
//!
//! # The JSON of `keraunos bench`
//!
//! `--json F` writes an object; keys may be added under the same `schema`, none is changed or taken
//! away. Times are in seconds.
//!
//! | key | meaning |
//! | --- | --- |
//! | `schema` | `keraunos-bench/1` |
//! | `version` | of keraunos |
//! | `model` | the file, or null with `--kernels` |
//! | `devices[].device` | `name`, `kind` and, of an adapter, `backend` and `driver`; of the host `cores` |
//! | `devices[].best` | `flops_per_s` and `bytes_per_s`: the best rates of the device in this run, by a product of matrices of 1024 × 1024 (512 × 512 where one would take longer than a second) and by a copy of 64 MiB ([`Rates`](crate::runtime::Rates)) |
//! | `devices[].lines[]` | one for each batch size, or for each kernel |
//! | `.name`, `.batch` | what was measured, and the samples in one run |
//! | `.cold` | `open_s`, `load_s`, `first_s`: opening the device, loading the model, and planning, compiling and running for the first time |
//! | `.runs`, `.not_counted` | how many runs were counted, and how many came before |
//! | `.seconds` | `median`, `p95`, `least`, `most` of a run, inputs and outputs on the host; of a kernel, on the device |
//! | `.samples_per_s` | `batch` by the median |
//! | `.cpu_s` | seconds of the processor for each run, those of a software adapter's driver among them; on Linux, for models |
//! | `.work` | `flops`, `bytes` ([`Cost`](crate::program::Cost)) and `least_s`, what they take at the best rates |
//! | `.share` | `least_s` by the median; above 1 where operands stay in a cache |
//! | `.memory` | `device_bytes`, of which `scratch_bytes` are for intermediate values, and `peak_live_bytes`, the largest sum of those that live at one time |
//!
//! # The JSON of `keraunos profile`
//!
//! `--json` prints an object of schema `keraunos-profile/1`, under the same promise. `layers[]`, slowest
//! first, has `name`, `dispatches`, `seconds` and `least_s`; `dispatches[]`, in their order, has `layer`,
//! `what`, `seconds`, `flops`, `bytes` and `least_s`. Times are medians of the device's own clock.
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
//! Reductions of the same rows and the maps that use them are one dispatch (`program::pass::rows`), so
//! softmax, normalizations and cross entropies read a row from memory once and from the cache again. A
//! GPU gives a row up to 256 invocations, by its length. Sums of columns read eight columns side by
//! side, which is one transaction of memory; a transpose goes by tiles. Both are tested for their
//! numbers on any adapter; how fast they are on a real GPU has not been measured.
//!
//! Where an adapter has subgroups, reductions of rows and products of few rows can exchange values
//! between neighbours instead of meeting at barriers (`rows_subgroup`, `reduce_subgroup`,
//! `matmul_vec_subgroup`). They are used where `keraunos tune` has found them right and faster on the
//! adapter, and nowhere else. Sums are trees of our own, not `subgroupAdd`, whose order is the driver's,
//! and largest elements not `subgroupMax`, which says nothing about NaN; so a rerun gives the same
//! bits. On Mesa's software adapter a normalization of 32 rows of 2048 took 0.38 to 0.42 ms by
//! subgroups and 0.56 to 0.59 without, three times in turn at a load average of 16 to 18; sums of one
//! row and products of one row were no faster by them, and stay as they are. No real GPU was at hand.
//!
//! Products of float16, as those of a `mixed_float16` policy are, have a kernel for matrix units
//! (`matmul_matrix`: 16 × 16 × 16 by wgpu's experimental cooperative matrices, sums in float32). An
//! adapter that reports them is opened with that feature, and `keraunos tune` tries the kernel against
//! the host as it does all others. No adapter that we had reports matrix units: the kernel is validated
//! and translated to SPIR-V by naga in `tests/shaders.rs`, and has never run.
//!
//! Weights, inputs and outputs of fewer than 32 bits lie packed, two or four to a word
//! (`program::pass::at_rest`): the memory of a model's weights is that of its file, and a product reads
//! half or a quarter of the bytes. Kernels unpack the right operand, or a convolution's filter, where
//! they read it; sums are float32. What is computed between takes a word for each element.
//!
//! # On Mesa's software adapter
//!
//! It loads and stores every element of a vector apart, for about 1.2 and 2 ns of processor time each,
//! and starts a workgroup for 0.2 µs: a sum of two vectors takes 6.4 ns for each element by words and
//! 3.4 ns by fours (bare kernels on Mesa 22.3.6, in processor time, which other work disturbs least).
//! So what helps is to touch elements less often. A copy by `memcpy`, which is its best rate of memory,
//! does none of this; no kernel comes near it. One invocation for each row took 21 ms of processor time
//! for a layer normalization of 4096 × 1024, eight 26 ms, 128 with their barriers 66 ms: so it has one,
//! unless rows are few. Tiles did not help transposes, and products of few rows would gain little: both
//! are as they were. Where the elements of a row lie together, rows are read and stored by fours, with the
//! address and the check of bounds of one element: of 4096 × 1024, the layer normalization took 26 ms
//! instead of 50 and softmax 34 instead of 51, the lesser medians of two runs in turns at a load average of 5 to 8.
//!
//! Least times in milliseconds, 2026-11-23, llvmpipe (LLVM 15.0.6, 256 bits) of Mesa 22.3.6 on two cores
//! at a load average of 22 from other work, before and after in turn, twice
//! (`keraunos bench --kernels --device software`); matmul did not change and shows the load:
//!
//! | kernel | before | after |
//! | --- | --- | --- |
//! | softmax, 4096 × 1024 | 292, 372 | 140, 124 |
//! | layer normalization, 4096 × 1024 | 242, 381 | 81, 70 |
//! | matmul 1024³ | 1386, 1856 | 1811, 1799 |
//!
//! Mesa 22.3 compiles a kernel anew, before every dispatch that follows another kernel, for the constants
//! of a uniform that its loops are bounded by, unless that changes little; it did so in every step of
//! a GRU. Where it matters, bounds of loops are no constants to it (`bound` in `shaders/lib/index.wgsl`):
//! a prediction of GRU with 256 units over 128 steps at batch 32 took 1.10 s of processor time before and
//! 0.37 s after; LSTM's 0.52 s and batch 1 were not affected.
//!
//! A product of one row is `matmul_line`, which loads the row once for 8 columns, where a block would for
//! 8 rows: the recurrent product of 1 × 1024 × 256 took 0.12 ms instead of 0.5 to 1.0 at a load average of
//! 16, products of 1 × 2048 × 2048 and 1 × 10000 × 2048 about two thirds of their time. Predictions of
//! LSTM and GRU with 256 units over 128 steps at batch 1 took 36 and 32 ms of processor time instead of 68
//! and 51. Recurrent layers have no
//! kernel that does all steps in one workgroup: here a step of batch 1 is bound by loading the recurrent
//! kernel, which one workgroup would do on one core instead of all. Whether a real GPU gains by it has not been measured.
//!
//! # Where the remaining time goes
//!
//! On Mesa's software adapter, of bare kernels (those of `cargo bench --bench kernels -- --device
//! software`) in processor time, which other work disturbs least; 2026-11-23, llvmpipe of Mesa 22.3.6 as
//! above, at load averages of 9 to 14. The roofline is the best product: 11 GFLOP/s and processor second.
//!
//! | kernel | before, ms | now, ms | GFLOP/s | what remains |
//! | --- | ---: | ---: | ---: | --- |
//! | `matmul_block` 512³ | 26 | 26 | 10.4 | one element loaded for four multiply-adds |
//! | `conv_block` 3×3, 64 → 64, 56² | 20 | 20 | 11.6 | the same |
//! | `conv_block` 7×7 / 2, 3 → 64, 224² | 94 | 54 | 4.4 | three channels are read one by one and computed as four |
//! | `conv_block` 3×3 / 2, 3 → 32, 224² | 12.0 | 7.4 | 2.9 | the same |
//! | `conv_filter_grad` 3×3, 64 → 64, 56² | 107 | 37 | 6.2 | every position is loaded anew for each tap |
//! | `conv_filter_grad` 3×3, 32 → 16, 28² | 2.8 | 0.9 | 8.0 | the same |
//! | `conv_depthwise_line` 3×3, 96, 112² | 28 | 11.5 | 1.9 | 27 loads and 16 stores of elements for 36 multiply-adds of a channel |
//! | `conv_depthwise_line` 3×3 / 2, 96, 112² | 8.5 | 5.9 | 0.9 | two windows instead of one |
//! | filter gradient of a depthwise 3×3, 96, 56² | 49 | 33 | 0.2 | a block of 4 × 4 for one number of each channel |
//! | `matmul_block` 1×2048×2048, now `matmul_line` | 15 | 10 | 0.8 | every element of the matrix is loaded once |
//!
//! Attention without a matrix of scores is a gain of real GPUs, which have memory near their cores:
//! `attention_tile` took 36 ms for 12 heads of 128 queries and keys of 64 elements, where the two
//! products take 6 and the softmax about 2.5; `attention_row` 35 ms for one query of 12 heads and 2048
//! keys, where the products take 7. So a software adapter takes it only for scores of 64 MiB and more,
//! which it may have no memory for. On real GPUs neither has been measured.
//!
//! # Memory of intermediate values
//!
//! Values take turns in places of a few buffers, in the tightest of several greedy orders. A buffer that a
//! kernel writes cannot be bound as read-only in the same dispatch, even for another part of it; so what a
//! kernel writes lies in another buffer than what it reads, as long as this takes at most a tenth more
//! memory. Else they lie in one, and those kernels alone read what they could also write, which keeps
//! some drivers from shorter ways to memory. Scratch was 1.09 times the largest sum of values that live
//! together for ResNet50 at a batch of 32; 1.17 for MobileNetV2, 1.25 for EfficientNetB0 and 1.33 for the encoder,
//! when every buffer held one value at a time, and 1.00 now (`keraunos plan MODEL`). Values start at
//! multiples of 256 bytes, which tiny models see. After the first run nothing is made on the device
//! ([`Gpu::objects_made`](crate::gpu::Gpu::objects_made)).
//!
//! # On the host
//!
//! * Products have one inner loop: the sums of eight rows (four, on processors with fewer registers) and
//!   two vectors of columns stay in registers, and the left operand is read where it lies. The right one
//!   is packed into strips of columns once: a weight keeps its packed form beside its own until it
//!   changes, which saves packing it in every run and in every step of a loop. Packed forms take at most
//!   256 MiB of the process; weights beyond that are packed for each run, one after the other in the
//!   same memory.
//! * Convolutions and both their gradients are such products. A row of the left operand is a window in
//!   pieces, one for each tap, so that nothing is gathered; with few channels, the taps of a row are one
//!   piece, behind a padded copy of the input. Filters are packed as weights are. Positions that the
//!   same taps reach are computed together in the input gradient of a convolution with stride 2 or
//!   more; the other taps are left out. Where a window's place is known to be inside of the image, its
//!   taps are told by one addition each. Convolutions of each channel by itself and their gradients go
//!   along channels, without packing; forwards, four neighbouring positions are summed in registers,
//!   so that a weight is loaded once for them.
//! * A kernel of integers of few bits is unpacked and packed for its product once, until it changes, as
//!   far as packed forms have room.
//! * What follows an anchor (bias, scale, activation, residual) works in the anchor's memory on each block
//!   of 64 rows as it is finished, while it is cached. Code that is a chain, each step a function of one
//!   element and of one more (of another value, of its column, a number), keeps the element in a register
//!   from the first to the last step, four vectors for each step that is looked up. ReLU, ReLU6, SiLU,
//!   hard swish and GELU are such. Other code is interpreted instruction by instruction over runs of 512
//!   elements; a run takes several lines where lines are short.
//! * A region reads any number of values: a device binds eight buffers at most.
//! * A batch whose values need more than 16 MiB at a time is computed in equal parts, one after the other,
//!   where the program proves that each sample goes its own way (`samples` among the passes).
//! * exp, log, tanh, erf and sigmoid are polynomials without branches in single precision; their errors,
//!   at most 2.1 units in the last place over all floats, are asserted by a test. Rarer functions are
//!   computed in double precision, one by one.
//! * Reductions run along rows with sixteen sums, or down columns where elements lie together that way;
//!   long columns are cut into parts whose number depends on their length alone. So nothing depends on
//!   the number of threads.
//! * The memory of a dead value is the next one's: after the first run nothing large is asked from the
//!   system.
//! * A run is work of one of the threads that share it, so that it waits for no other at each region.
//! * All loops are compiled for the widest vectors that common processors have, and chosen when the
//!   program runs.
//!
//! CPU time of one prediction by one thread on an AMD EPYC with AVX-512 that was busy with other work
//! (2026-11-23; waits are not in it), with the `gemm` crate and packing in every run before:
//!
//! | model | batch | before, ms | now, ms |
//! | --- | ---: | ---: | ---: |
//! | encoder of BERT-base's size, sequence 128 | 1 | 287.6 | 176.7 |
//! | GRU, 256 units, 128 steps | 1 | 2.6 | 1.4 |
//! | GRU, 256 units, 128 steps | 32 | 32.0 | 19.0 |
//!
//! In the encoder, seven tenths of it are the products' inner loop.
//!
//! Networks of images, by two threads on the same processor at a load average of 8 to 10 from other work
//! (2026-11-24, `keraunos bench MODEL --device host --batch N --seconds 2 --json F`, each program twice in
//! turns); before is without chains, regions that read more than eight values, sums of four positions, rows
//! found once, and parts of the batch:
//!
//! | model | batch | before, ms | now, ms |
//! | --- | ---: | ---: | ---: |
//! | MobileNetV2 | 1 | 16.0 to 17.1 | 10.0 to 10.1 |
//! | MobileNetV2 | 32 | 577 to 582 | 315 to 353 |
//! | ResNet50 | 4 | 267 to 345 | 215 to 227 |
//! | ResNet50 | 32 | 2115 to 2132 | 1647 to 1800 |
//!
//! Of MobileNetV2's time in one thread about two fifths are products, most of them of 16 to 96 channels, an eighth
//! convolutions of each channel, an eighth what follows both.
//!
//! # Beside other programs
//!
//! `python3 benches/peers/run.py` fetches the peers from their registries (or takes the Python ones of
//! `--python`), writes the workloads with Keras, and runs all of them and keraunos in turns, each in a
//! process of its own, so that a change of the machine's speed meets all. `--devices`, `--peers`,
//! `--workloads`, `--batch`, `--rounds`, `--seconds` and `--limit` choose.
//!
//! | device | what it is | peers |
//! | --- | --- | --- |
//! | `host` | the processor | Keras on TensorFlow and on JAX, onnxruntime, numpy |
//! | `lavapipe` | Mesa's software adapter | burn (wgpu, fusion and autotune on); Dawn refuses this adapter |
//! | `swiftshader` | that of an installed Chromium | burn; TensorFlow.js and onnxruntime-web with WebGPU on Dawn in Node |
//! | a name | an adapter, as `keraunos adapters` tells it | the same |
//!
//! The workloads are products of 256 to 4096 in float32 and float16, convolutions of ResNet50, softmax and
//! layer normalisation of 4096 × 1024, MobileNetV2, ResNet50, an encoder of BERT-base's size at sequence
//! 128, LSTM and GRU with 256 units over 128 steps, networks and recurrent layers at batch 1 and 32, steps
//! of training of a small convolutional network and of the encoder, and loading and saving a file of 1 GiB.
//! keraunos flushes what it saves, Keras does not. Of each device there is a table: medians in
//! milliseconds with our spread, each peer's time in ours (above 1, keraunos is faster) and in brackets
//! the same of the processor's time, then why a peer has no figure.
//!
//! `--json F` writes the same under the schema `keraunos-peers/2`: `date`, `command`, `machine` and
//! `devices[]` with `name`, `described` (adapter and driver), `geometric_means`, `geometric_means_cpu`
//! and `lines[]`: `workload`, `batch` (null for files), `load` (the machine's load average at its end)
//! and, for each of `peers`, `version`, `median`, `least`, `most` and `cpu` (of the processor, for each
//! run; null where not known) in seconds, or why it `failed`.
//!
//! Chromium's SwiftShader on two cores at a load average of 13 to 18 from other work, batch 1, 2026-11-23,
//! one run: `python3 benches/peers/run.py --devices swiftshader --batch 1 --rounds 1 --seconds 1 --limit 150
//! --workloads matmul_256 conv_1_512_128_28_1 conv_3_64_64_56_1 conv_3_512_512_7_1`, of which the last was
//! not reached before the run ended. onnxruntime-web took more than the 150 s for each. On a machine as
//! busy, ratios of the processor's time, in brackets, are the ones to trust.
//!
//! | ms | keraunos | burn 0.22.1 | TensorFlow.js 4.22.0 |
//! | --- | ---: | ---: | ---: |
//! | matmul 256³ | 30.3 (16 to 60.2) | 225, 7.44× (5.21×) | 375, 12.37× (9.26×) |
//! | convolution 1×1, 512 → 128, 28² | 119 (104 to 158) | 315, 2.64× (2.30×) | 1507, 12.61× (8.31×) |
//! | convolution 3×3, 64 → 64, 56² | 843 (748 to 971) | 912, 1.08× (2.49×) | 3729, 4.42× (7.26×) |
//!
//! On lavapipe under the same load burn's product of 1024³ took 0.77 of our processor time (0.33 s, ours
//! 0.44 s; two rounds, twice the same), the product of 512³ 1.2 times ours and the convolution 3×3 above
//! 3.9 times. Ours is `matmul_block`, which reads its operands from caches that were shared with the other
//! work. MobileNetV2, ResNet50, the encoder and the step of training needed more than 240 s there to burn's
//! first result, and have no figure.
