//! Every kernel against plain loops with double accumulators, on the adapter of this machine.
//!
//! Without any adapter the tests fail, unless `KERAUNOS_NO_ADAPTER=1` says that this is known.

use std::sync::OnceLock;

use keraunos::base::Result;
use keraunos::gpu::{Caps, Choice, Choices, Gpu, Kind, Recording, Step, Subgroups, Work};
use keraunos::kernels::*;

/// The device all tests share.
fn gpu() -> Option<&'static Gpu> {
    static GPU: OnceLock<Option<Gpu>> = OnceLock::new();
    let open = || match Gpu::open(&Choice::AnyGpu) {
        Ok(gpu) => Some(gpu),
        Err(e) if std::env::var_os("KERAUNOS_NO_ADAPTER").is_some() => {
            eprintln!("skipped: {e}");
            None
        }
        Err(e) => panic!("{e}; set KERAUNOS_NO_ADAPTER=1 if that is expected"),
    };
    GPU.get_or_init(open).as_ref()
}

/// Numbers in -1..1 without a pattern that could hide an error.
fn noise(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1u32 << 23) as f32 - 1.0
        })
        .collect()
}

/// Runs a launch over host inputs; operands of an epilogue come after the output.
fn run(
    gpu: &Gpu,
    launch: Launch,
    inputs: &[&[f32]],
    output: usize,
    own: &[&[f32]],
) -> Result<Vec<f32>> {
    let upload = |data: &&[f32]| {
        let buffer = gpu.create_buffer(data.len() as u64 * 4, "in")?;
        gpu.upload_words(bytemuck::cast_slice(data), &buffer)?;
        Ok(buffer)
    };
    let mut buffers = inputs.iter().map(upload).collect::<Result<Vec<_>>>()?;
    // A kernel that leaves an element out must not find a right zero there.
    let out = gpu.create_buffer(output as u64 * 4, "out")?;
    gpu.upload_words(bytemuck::cast_slice(&vec![777.0f32; output]), &out)?;
    buffers.push(out.clone());
    for data in own {
        buffers.push(upload(data)?);
    }
    Recording::new(gpu, vec![Work::Step(Step { launch, buffers })])?.run()?;
    let mut result = Vec::with_capacity(output);
    gpu.download(&out, 0, output as u64 * 4, &mut |bytes| {
        result.extend_from_slice(&bytemuck::pod_collect_to_vec::<u8, f32>(bytes));
        Ok(())
    })?;
    Ok(result)
}

/// Compares with the error normalised by the largest expected value.
fn assert_close(label: &str, got: &[f32], want: &[f64]) {
    assert_eq!(got.len(), want.len(), "{label}");
    let scale = want.iter().fold(1e-6f64, |m, x| m.max(x.abs()));
    let error = |i: usize| (f64::from(got[i]) - want[i]).abs() / scale;
    let worst = (0..got.len()).max_by(|&i, &j| error(i).total_cmp(&error(j)));
    if let Some(i) = worst {
        let e = error(i);
        assert!(e < 2e-6, "{label}: error {e:.2e} at {i}: got {}, expected {}", got[i], want[i]);
    }
}

type MatMulLauncher = fn(&MatMul, &Caps, &Epilogue) -> Result<Launch>;

fn matmul_reference(p: &MatMul, a: &[f32], b: &[f32]) -> Vec<f64> {
    let mut out = Vec::new();
    for batch in 0..p.batch {
        let a0 = if p.a_batch { batch * p.m * p.k } else { 0 };
        let b0 = if p.b_batch { batch * p.k * p.n } else { 0 };
        for m in 0..p.m {
            for n in 0..p.n {
                let product = |k: usize| {
                    let i = a0 + if p.transpose_a { k * p.m + m } else { m * p.k + k };
                    let j = b0 + if p.transpose_b { n * p.k + k } else { k * p.n + n };
                    f64::from(a[i]) * f64::from(b[j])
                };
                out.push((0..p.k).map(product).sum());
            }
        }
    }
    out
}

fn check_matmul(p: MatMul, launcher: MatMulLauncher) {
    let Some(gpu) = gpu() else { return };
    let a = noise(if p.a_batch { p.batch } else { 1 } * p.m * p.k, 1);
    let b = noise(if p.b_batch { p.batch } else { 1 } * p.k * p.n, 2);
    let launch = launcher(&p, gpu.caps(), &Epilogue::identity()).unwrap();
    let label = format!("{} {p:?}", launch.kernel);
    let got = run(gpu, launch, &[&a, &b], p.batch * p.m * p.n, &[]).unwrap();
    assert_close(&label, &got, &matmul_reference(&p, &a, &b));
}

/// What the rule chooses for a GPU, on whatever adapter there is.
fn choose_matmul_for_gpu(p: &MatMul, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    choose_matmul(p, &Caps { kind: Kind::Discrete, ..caps.clone() }, epilogue)
}

fn choose_conv_for_gpu(p: &Conv, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    choose_conv(p, &Caps { kind: Kind::Discrete, ..caps.clone() }, epilogue)
}

fn plain(batch: usize, m: usize, n: usize, k: usize) -> MatMul {
    let (transpose_a, transpose_b) = (false, false);
    MatMul { batch, m, n, k, a_batch: true, b_batch: true, transpose_a, transpose_b, halves: false }
}

#[test]
fn products_of_awkward_extents() {
    for (m, n, k) in [
        (1, 1, 1),
        (7, 13, 11),
        (8, 8, 8),
        (9, 7, 5),
        (63, 64, 65),
        (65, 63, 16),
        (64, 64, 17),
        (128, 12, 20),
        (5, 3, 0),
        (0, 4, 4),
    ] {
        for flags in 0..4 {
            let p = MatMul {
                transpose_a: flags & 1 != 0,
                transpose_b: flags & 2 != 0,
                ..plain(1, m, n, k)
            };
            check_matmul(p, matmul_block::launch);
            check_matmul(p, matmul_tile::launch);
            check_matmul(p, choose_matmul);
            check_matmul(p, choose_matmul_for_gpu);
        }
    }
}

#[test]
fn long_sums_over_rows() {
    for (m, n, k) in [(12, 8, 300), (7, 9, 257)] {
        check_matmul(MatMul { transpose_a: true, ..plain(1, m, n, k) }, choose_matmul_for_gpu);
    }
}

/// The kernels for few rows that the adapter can run.
fn vector_launchers() -> Vec<MatMulLauncher> {
    let mut all: Vec<MatMulLauncher> = vec![matmul_vec::launch];
    if gpu().is_some_and(|gpu| gpu.caps().subgroups.is_some()) {
        all.push(matmul_vec_subgroup::launch);
    }
    all
}

#[test]
fn subgroups_compute_products_only_where_measurements_say_so() {
    let p = plain(1, 1, 40, 300);
    let with = Caps {
        subgroups: Some(Subgroups { least: 8, most: 32 }),
        kind: Kind::Discrete,
        ..Caps::minimum()
    };
    let choose = |caps: &Caps| choose_matmul(&p, caps, &Epilogue::identity()).unwrap();
    let usual = choose(&with);
    assert_eq!(usual.kernel, "matmul_vec");
    let problem = usual.choice.unwrap().problem;
    let choices = Choices::from_iter([(problem, "matmul_vec_subgroup".to_owned())]);
    let measured = Caps { choices, ..with };
    assert_eq!(choose(&measured).kernel, "matmul_vec_subgroup");
    assert_eq!(choose(&Caps { subgroups: None, ..measured }).kernel, "matmul_vec");
}

#[test]
fn products_with_few_rows() {
    for m in 1..=4 {
        for (n, k) in [(1, 1), (10, 300), (33, 7), (100, 64), (3, 0)] {
            for flags in 0..4 {
                let (transpose_a, transpose_b) = (flags & 1 != 0, flags & 2 != 0);
                let p = MatMul { transpose_a, transpose_b, ..plain(2, m, n, k) };
                vector_launchers().into_iter().for_each(|launcher| check_matmul(p, launcher));
                if m == 1 {
                    check_matmul(p, matmul_line::launch);
                }
            }
        }
    }
}

#[test]
fn products_with_broadcast_operands() {
    for (a_batch, b_batch) in [(false, true), (true, false), (false, false)] {
        for launcher in [matmul_block::launch as MatMulLauncher, matmul_tile::launch] {
            check_matmul(MatMul { a_batch, b_batch, ..plain(3, 20, 36, 12) }, launcher);
        }
        for launcher in vector_launchers() {
            check_matmul(MatMul { a_batch, b_batch, ..plain(3, 2, 36, 12) }, launcher);
        }
        check_matmul(MatMul { a_batch, b_batch, ..plain(3, 1, 36, 12) }, matmul_line::launch);
    }
}

#[test]
fn more_workgroups_than_one_dimension_holds() {
    check_matmul(plain(65_535 + 70, 1, 1, 3), matmul_vec::launch);
    check_matmul(plain((65_535 + 70) * 16, 1, 2, 3), matmul_block::launch);
}

#[test]
fn an_epilogue_sees_its_coordinates_and_operands() {
    let Some(gpu) = gpu() else { return };
    let epilogue = Epilogue {
        source: "alias Out = f32;\n\
            @group(0) @binding(3) var<storage, read> bias: array<f32>;\n\
            @group(1) @binding(1) var<uniform> ep: array<vec4<i32>, 1>;\n\
            fn epilogue(acc: f32, b: u32, row: u32, col: u32) -> Out {\n\
                return acc + bias[col] + f32(ep[0].y) * f32(row) + f32(ep[0].z) * f32(b);\n\
            }\n\
            fn store(i: u32, value: Out) { out[i] = value; }\n"
            .into(),
        operands: 1,
        params: vec![0, 10, 1000, 0],
        ..Epilogue::none()
    };
    let (p, bias) = (plain(2, 3, 9, 5), noise(9, 3));
    let (a, b) = (noise(2 * 3 * 5, 1), noise(2 * 5 * 9, 2));
    let mut want = matmul_reference(&p, &a, &b);
    for (i, x) in want.iter_mut().enumerate() {
        *x += f64::from(bias[i % 9]) + 10.0 * (i / 9 % 3) as f64 + 1000.0 * (i / 27) as f64;
    }
    let launchers = [matmul_block::launch as MatMulLauncher, matmul_tile::launch];
    for launcher in launchers.into_iter().chain(vector_launchers()) {
        let launch = launcher(&p, gpu.caps(), &epilogue).unwrap();
        let label = launch.label.clone();
        let got = run(gpu, launch, &[&a, &b], 54, &[&bias]).unwrap();
        assert_close(&label, &got, &want);
    }
}

/// Calls `f(n, output position, tap, input position)` for every tap that does not fall on padding.
fn each_tap(p: &Conv, mut f: impl FnMut(usize, usize, usize, usize)) {
    let flat = |at: [usize; 3], e: [usize; 3]| (at[0] * e[1] + at[1]) * e[2] + at[2];
    let split = |i: usize, e: [usize; 3]| [i / e[2] / e[1], i / e[2] % e[1], i % e[2]];
    for n in 0..p.batch {
        for o in 0..p.output.iter().product() {
            for t in 0..p.kernel.iter().product() {
                let (out, tap) = (split(o, p.output), split(t, p.kernel));
                let at = |i: usize| {
                    (out[i] * p.stride[i] + tap[i] * p.dilation[i])
                        .checked_sub(p.pad[i])
                        .filter(|&x| x < p.input[i])
                };
                if let (Some(d), Some(h), Some(w)) = (at(0), at(1), at(2)) {
                    f(n, o, t, flat([d, h, w], p.input));
                }
            }
        }
    }
}

fn conv_reference(p: &Conv, a: &[f32], b: &[f32]) -> Vec<f64> {
    let (inputs, outputs): (usize, usize) = (p.input.iter().product(), p.output.iter().product());
    let (c, f) = (p.in_channels, p.out_channels);
    let (cg, fg) = (c / p.groups, f / p.groups);
    let mut out = vec![0.0; conv_lengths(p)[2]];
    each_tap(p, |n, o, t, i| {
        for filter in 0..f {
            for k in 0..cg {
                let x = (n * inputs + i) * c + filter / fg * cg + k;
                let w = (t * cg + k) * f + filter;
                let y = (n * outputs + o) * f + filter;
                let (to, l, r) = match p.kind {
                    ConvKind::Forward => (y, x, w),
                    ConvKind::InputGrad => (x, y, w),
                    ConvKind::FilterGrad => (w, x, y),
                };
                out[to] += f64::from(a[l]) * f64::from(b[r]);
            }
        }
    });
    out
}

/// Elements of the two operands and the result.
fn conv_lengths(p: &Conv) -> [usize; 3] {
    let x = p.batch * p.input.iter().product::<usize>() * p.in_channels;
    let y = p.batch * p.output.iter().product::<usize>() * p.out_channels;
    let w = p.kernel.iter().product::<usize>() * p.in_channels / p.groups * p.out_channels;
    match p.kind {
        ConvKind::Forward => [x, w, y],
        ConvKind::InputGrad => [y, w, x],
        ConvKind::FilterGrad => [x, y, w],
    }
}

type ConvLauncher = fn(&Conv, &Caps, &Epilogue) -> Result<Launch>;

fn check_conv(p: Conv, launcher: ConvLauncher) {
    let Some(gpu) = gpu() else { return };
    let [l, r, len] = conv_lengths(&p);
    let (a, b) = (noise(l, 1), noise(r, 2));
    let launch = launcher(&p, gpu.caps(), &Epilogue::identity()).unwrap();
    let label = format!("{} {p:?}", launch.kernel);
    let got = run(gpu, launch, &[&a, &b], len, &[]).unwrap();
    assert_close(&label, &got, &conv_reference(&p, &a, &b));
}

/// A convolution with Keras's "same" padding, or with "valid".
fn conv(
    batch: usize,
    input: [usize; 3],
    kernel: [usize; 3],
    channels: [usize; 2],
    same: bool,
) -> Conv {
    Conv {
        batch,
        input,
        in_channels: channels[0],
        output: [0; 3],
        out_channels: channels[1],
        kernel,
        stride: [1; 3],
        dilation: [1; 3],
        pad: [0; 3],
        groups: 1,
        kind: ConvKind::Forward,
    }
    .padded(same)
}

trait Padded {
    fn padded(self, same: bool) -> Self;
}

impl Padded for Conv {
    fn padded(mut self, same: bool) -> Conv {
        for i in 0..3 {
            let reach = (self.kernel[i] - 1) * self.dilation[i] + 1;
            self.output[i] = if same {
                self.input[i].div_ceil(self.stride[i])
            } else {
                (self.input[i] - reach) / self.stride[i] + 1
            };
            let covered = (self.output[i] - 1) * self.stride[i] + reach;
            self.pad[i] = if same { covered.saturating_sub(self.input[i]) / 2 } else { 0 };
        }
        self
    }
}

fn awkward_convolutions() -> Vec<Conv> {
    let mut all = Vec::new();
    for same in [false, true] {
        all.push(conv(2, [1, 7, 9], [1, 3, 3], [3, 5], same));
        all.push(conv(1, [1, 11, 6], [1, 3, 2], [8, 12], same));
        all.push(conv(2, [1, 1, 17], [1, 1, 5], [4, 9], same));
        all.push(conv(1, [4, 5, 6], [2, 3, 2], [4, 4], same));
        all.push(conv(1, [1, 10, 10], [1, 2, 2], [17, 66], same));
        for stride in [2, 3] {
            let strided = Conv {
                stride: [1, stride, stride],
                ..conv(2, [1, 9, 11], [1, 3, 3], [4, 8], same)
            };
            all.push(strided.padded(same));
        }
        let dilated = Conv { dilation: [1, 2, 3], ..conv(1, [1, 13, 14], [1, 3, 3], [5, 8], same) };
        all.push(dilated.padded(same));
        let overlapping = Conv { stride: [1, 3, 3], ..conv(1, [1, 9, 9], [1, 2, 2], [4, 4], same) };
        all.push(overlapping.padded(same));
        for (groups, channels) in [(2, [8, 12]), (3, [9, 6]), (4, [4, 8]), (8, [8, 8]), (6, [6, 6])]
        {
            all.push(Conv { groups, ..conv(2, [1, 8, 7], [1, 3, 3], channels, same) });
        }
    }
    all.push(conv(2, [1, 5, 5], [1, 1, 1], [6, 7], true));
    for (stride, kernel, width) in [(1, [2, 3, 5], 7), (2, [1, 3, 3], 12), (2, [1, 2, 5], 9)] {
        let depthwise = Conv {
            stride: [1, stride, stride],
            dilation: [1, 2, 1],
            groups: 8,
            ..conv(2, [3, 9, width], kernel, [8, 8], true)
        };
        all.push(depthwise.padded(true));
    }
    all
}

#[test]
fn convolutions_and_input_gradients() {
    let mut along_lines = std::collections::HashSet::new();
    for p in awkward_convolutions() {
        for kind in [ConvKind::Forward, ConvKind::InputGrad] {
            let p = Conv { kind, ..p };
            for launcher in [
                conv_block::launch as ConvLauncher,
                conv_gemm::launch,
                conv_direct::launch,
                choose_conv,
                choose_conv_for_gpu,
            ] {
                check_conv(p, launcher);
            }
            if conv_depthwise::applies(&p) {
                check_conv(p, conv_depthwise::launch);
            }
            if conv_depthwise_line::applies(&p) {
                check_conv(p, conv_depthwise_line::launch);
                along_lines.insert((kind, p.stride[2]));
            }
        }
    }
    assert_eq!(along_lines.len(), 3, "strides of 1 and 2, and the gradient: {along_lines:?}");
}

#[test]
fn filter_gradients() {
    for p in awkward_convolutions() {
        let p = Conv { kind: ConvKind::FilterGrad, ..p };
        check_conv(p, conv_filter_grad::launch);
        check_conv(p, conv_filter_grad_split::launch);
        check_conv(p, choose_conv);
        check_conv(p, choose_conv_for_gpu);
    }
}

/// Elements of each window, in its order: `(output element, input elements)`.
fn windows(p: &Pool) -> Vec<(usize, Vec<usize>)> {
    let taps = Conv {
        batch: p.batch,
        input: p.input,
        in_channels: p.channels,
        output: p.output,
        out_channels: p.channels,
        kernel: p.window,
        stride: p.stride,
        dilation: [1; 3],
        pad: p.pad,
        groups: 1,
        kind: ConvKind::Forward,
    };
    let (inputs, outputs): (usize, usize) = (p.input.iter().product(), p.output.iter().product());
    let mut all: Vec<(usize, Vec<usize>)> =
        (0..p.batch * outputs * p.channels).map(|o| (o, Vec::new())).collect();
    each_tap(&taps, |n, o, _, i| {
        for c in 0..p.channels {
            let out = (n * outputs + o) * p.channels + c;
            all[out].1.push((n * inputs + i) * p.channels + c);
        }
    });
    all
}

fn first_max(x: &[f32], window: &[usize]) -> Option<usize> {
    let beats = |v: f32, best: f32| !best.is_nan() && (v.is_nan() || v > best);
    window.iter().copied().reduce(|best, i| if beats(x[i], x[best]) { i } else { best })
}

fn check_pool(p: Pool) {
    let Some(gpu) = gpu() else { return };
    let identity = Epilogue::identity();
    let (inputs, outputs): (usize, usize) = (p.input.iter().product(), p.output.iter().product());
    // Few distinct values, so that ties happen.
    let x: Vec<f32> =
        noise(p.batch * inputs * p.channels, 1).iter().map(|v| (v * 3.0).round()).collect();
    let dy = noise(p.batch * outputs * p.channels, 2);
    let (mut y, mut dx) = (Vec::new(), vec![0.0; x.len()]);
    for (o, window) in windows(&p) {
        let sum: f64 = window.iter().map(|&i| f64::from(x[i])).sum();
        let size = window.len().max(1) as f64;
        let divisor = if p.mode == PoolMode::AverageValid { size } else { 1.0 };
        let winner = first_max(&x, &window);
        if p.mode == PoolMode::Max {
            y.push(winner.map_or(f64::NEG_INFINITY, |i| f64::from(x[i])));
            winner.into_iter().for_each(|i| dx[i] += f64::from(dy[o]));
        } else {
            y.push(sum / divisor);
            window.iter().for_each(|&i| dx[i] += f64::from(dy[o]) / divisor);
        }
    }
    let launch = pool::launch(&p, gpu.caps(), &identity).unwrap();
    let got = run(gpu, launch, &[&x], y.len(), &[]).unwrap();
    assert_close(&format!("{p:?}"), &got, &y);
    let launch = pool_grad::launch(&p, gpu.caps(), &identity).unwrap();
    let both: [&[f32]; 2] = [&x, &dy];
    let operands = if p.mode == PoolMode::Max { &both[..] } else { &both[1..] };
    let got = run(gpu, launch, operands, dx.len(), &[]).unwrap();
    assert_close(&format!("gradient of {p:?}"), &got, &dx);
}

#[test]
fn pooling_and_its_gradients() {
    for mode in [PoolMode::Max, PoolMode::AverageValid, PoolMode::Sum] {
        let pool = |input, window, stride, output, pad| Pool {
            batch: 2,
            input,
            channels: 3,
            output,
            window,
            stride,
            pad,
            mode,
        };
        check_pool(pool([1, 8, 6], [1, 2, 2], [1, 2, 2], [1, 4, 3], [0; 3]));
        check_pool(pool([1, 7, 9], [1, 3, 3], [1, 2, 2], [1, 4, 5], [0, 1, 1]));
        check_pool(pool([1, 7, 9], [1, 3, 2], [1, 1, 1], [1, 7, 9], [0, 1, 0]));
        check_pool(pool([4, 5, 6], [2, 2, 3], [2, 1, 2], [2, 4, 2], [0; 3]));
        check_pool(pool([1, 1, 10], [1, 1, 2], [1, 1, 3], [1, 1, 4], [0; 3]));
    }
}

#[test]
fn maxima_of_nan_and_of_nothing() {
    let Some(gpu) = gpu() else { return };
    let p = Pool {
        batch: 1,
        input: [1, 1, 4],
        channels: 1,
        output: [1, 1, 3],
        window: [1, 1, 2],
        stride: [1, 1, 2],
        pad: [0; 3],
        mode: PoolMode::Max,
    };
    let x = [1.0, f32::NAN, -2.0, -3.0];
    let launch = pool::launch(&p, gpu.caps(), &Epilogue::identity()).unwrap();
    let got = run(gpu, launch, &[&x], 3, &[]).unwrap();
    assert!(got[0].is_nan(), "{got:?}");
    assert_eq!(got[1..], [-2.0, f32::NEG_INFINITY]);
    let launch = pool_grad::launch(&p, gpu.caps(), &Epilogue::identity()).unwrap();
    let got = run(gpu, launch, &[&x, &[5.0, 6.0, 0.0]], 4, &[]).unwrap();
    assert_eq!(got, [0.0, 5.0, 6.0, 0.0]);
}
