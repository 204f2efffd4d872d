//! Every kernel variant is composed and validated without a device, under the limits that every
//! adapter offers, and its parameters are compared with what the launcher sends.

use std::collections::BTreeSet;
use std::path::Path;

use keraunos::DType;
use keraunos::gpu::{Caps, Choices, Subgroups, shader};
use keraunos::graph::Op;
use keraunos::graph::ops::{
    ArgReduce, BINARY, Factor, FactorKind, Reduce, ReduceKind, SegmentReduce, SortStep, Take,
    TriangularSolve, UNARY,
};
use keraunos::kernels::*;
use keraunos::program::region::{Body, Combined, Each, Inst, RowPlan};
use keraunos::program::view::Space;
use naga::valid::{Capabilities, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator};

/// Launches that together use every variant of every kernel.
fn launches() -> Vec<Launch> {
    let mut all = Vec::new();
    let (caps, identity) = (Caps::minimum(), Epilogue::identity());
    // What generated epilogues import must not clash with the names in any kernel.
    let identity =
        Epilogue { source: format!("#import lib/math\n{}", identity.source), ..identity };
    let unpacking = Epilogue {
        source: format!(
            "@group(0) @binding(1) var<storage, read> e0: array<i32>;\n\
             fn element_b(i: u32) -> f32 {{ return f32(e0[i]); }}\n{}",
            identity.source
        ),
        right: Right::Computed,
        ..identity.clone()
    };
    let [half, brain] = [HalfFormat::Float16, HalfFormat::BFloat16]
        .map(|format| Epilogue { right: Right::Halves(format), ..identity.clone() });
    let right_operands = [&identity, &unpacking, &half, &brain];
    for (m, n, k) in [(64, 64, 64), (3, 5, 7), (64, 63, 64), (63, 64, 64)] {
        for (transpose_a, transpose_b) in
            [(false, false), (false, true), (true, false), (true, true)]
        {
            let p = MatMul {
                batch: 2,
                m,
                n,
                k,
                a_batch: true,
                b_batch: false,
                transpose_a,
                transpose_b,
                halves: false,
            };
            for around in right_operands {
                all.push(matmul_block::launch(&p, &caps, around));
                all.push(matmul_tile::launch(&p, &caps, around));
                all.push(matmul_vec::launch(&MatMul { m: 4, ..p }, &caps, around));
                all.push(matmul_vec_subgroup::launch(&MatMul { m: 4, ..p }, &caps, around));
                all.push(matmul_line::launch(&MatMul { m: 1, ..p }, &caps, around));
                let halves = MatMul { halves: true, ..p };
                all.push(matmul_matrix::launch(&halves, &caps_with_matrix_units(), around));
            }
        }
    }
    let attending = Epilogue {
        source: format!(
            "fn score(acc: f32, b: u32, row: u32, col: u32) -> f32 {{ return acc; }}\n\
             fn share(acc: f32, b: u32, row: u32, col: u32) -> f32 {{ return acc; }}\n{}",
            identity.source
        ),
        ..identity.clone()
    };
    for width in [8, 256] {
        let at = [width * 70, width, 1];
        let p = Attention { batch: 2, queries: 70, keys: 70, depth: 8, width, q: at, k: at, v: at };
        all.push(attention_tile::launch(&p, &caps, &attending));
        all.push(attention_row::launch(&Attention { queries: 2, ..p }, &caps, &attending));
    }
    for (channels, stride) in [(8, 1), (6, 2)] {
        let conv = |kind, groups| Conv {
            batch: 1,
            input: [1, 9, 9],
            in_channels: channels,
            output: [1, 9 / stride, 9 / stride],
            out_channels: channels,
            kernel: [1, 3, 3],
            stride: [1, stride, stride],
            dilation: [1; 3],
            pad: [0, 1, 1],
            groups,
            kind,
        };
        for kind in [ConvKind::Forward, ConvKind::InputGrad] {
            for around in right_operands {
                all.push(conv_block::launch(&conv(kind, 1), &caps, around));
                all.push(conv_gemm::launch(&conv(kind, 2), &caps, around));
                all.push(conv_direct::launch(&conv(kind, channels), &caps, around));
                let eight = Conv { in_channels: 8, out_channels: 8, ..conv(kind, 8) };
                all.push(conv_depthwise::launch(&eight, &caps, around));
                if conv_depthwise_line::applies(&eight) {
                    all.push(conv_depthwise_line::launch(&eight, &caps, around));
                }
            }
        }
        all.push(conv_filter_grad_split::launch(&conv(ConvKind::FilterGrad, 2), &caps, &identity));
        all.push(conv_filter_grad::launch(&conv(ConvKind::FilterGrad, 1), &caps, &identity));
    }
    for mode in [PoolMode::Max, PoolMode::AverageValid, PoolMode::Sum] {
        let p = Pool {
            batch: 1,
            input: [1, 8, 8],
            channels: 3,
            output: [1, 4, 4],
            window: [1, 2, 2],
            stride: [1, 2, 2],
            pad: [0; 3],
            mode,
        };
        all.push(pool::launch(&p, &caps, &identity));
        all.push(pool_grad::launch(&p, &caps, &identity));
    }
    all.push(map_of_every_function(&caps));
    let dtypes = DType::ALL.into_iter().chain(DType::FLOAT8);
    let narrow: Vec<DType> = dtypes.filter(|dtype| dtype.is_narrow()).collect();
    all.extend(narrow.chunks(4).map(|dtypes| map_of_packed_operands(dtypes, &caps)));
    all.extend(reductions(&caps));
    all.extend(rows_of_several_lengths(&caps));
    let with_subgroups = caps_with_subgroups();
    all.extend(reductions(&with_subgroups));
    all.extend(rows_of_several_lengths(&with_subgroups));
    all.push(transposed_map(&caps));
    for kind in [
        FactorKind::Cholesky,
        FactorKind::Lu,
        FactorKind::Qr { columns: 4 },
        FactorKind::Eigh,
        FactorKind::Svd { columns: 0 },
        FactorKind::Svd { columns: 4 },
    ] {
        all.push(factor::launch(&Factor { kind }, [3, 4, 4], &caps));
    }
    for flag in [false, true] {
        let op = TriangularSolve { lower: flag, transpose: !flag, unit_diagonal: flag };
        all.push(triangular_solve::launch(&op, [3, 4, 2], &caps));
    }
    all.push(sort_step::launch(&SortStep { run: 1, group: 8 }, [2, 100], &caps));
    all.into_iter().collect::<Result<_, _>>().unwrap()
}

/// An adapter with the least limits and matrix units.
fn caps_with_matrix_units() -> Caps {
    let subgroups = Some(Subgroups { least: 32, most: 32 });
    Caps { subgroups, matrix_units: true, f16: true, ..Caps::minimum() }
}

/// An adapter with the least limits and subgroups of several sizes, on which reductions are measured to be
/// fastest by them.
fn caps_with_subgroups() -> Caps {
    let subgroups = Some(Subgroups { least: 4, most: 64 });
    let caps = Caps { subgroups, ..Caps::minimum() };
    let launches = reductions(&caps).into_iter().chain(rows_of_several_lengths(&caps));
    let choices: Choices = launches
        .filter_map(|launch| launch.unwrap().choice)
        .filter_map(|choice| {
            let kernel = choice.kernels.iter().find(|kernel| kernel.ends_with("_subgroup"))?;
            Some((choice.problem, (*kernel).to_owned()))
        })
        .collect();
    Caps { choices, ..caps }
}

/// A kernel made for a region: code over a line of operands, of every function of the tables.
fn map_of_every_function(caps: &Caps) -> keraunos::Result<Launch> {
    let space = Space::new(&[&[3, 4]]);
    let load = |operand, dtype| Inst::Load { operand, dtype, at: space.position(0..1) };
    let (float, int) = (DType::Float32, DType::Int32);
    let mut code = vec![load(0, float), load(1, int), Inst::Cast { x: 0, dtype: DType::Bool }];
    for row in UNARY {
        let x = if row.name == "not" { 2 } else { 0 };
        code.push(Inst::Unary { name: row.name, x, dtype: float });
    }
    for row in BINARY {
        for (text, x, dtype) in [(row.wgsl, 0, float), (row.wgsl_int, 1, int)] {
            if !text.is_empty() {
                code.push(Inst::Binary { name: row.name, a: x, b: x, dtype });
            }
        }
    }
    for (from, to) in [
        (DType::Float32, DType::UInt32),
        (DType::Float16, DType::UInt16),
        (DType::UInt16, DType::Float16),
        (DType::BFloat16, DType::Int16),
        (DType::Int8, DType::Bool),
    ] {
        code.push(Inst::Cast { x: 0, dtype: from });
        code.push(Inst::Bitcast { x: code.len() - 1, dtype: to });
    }
    for dtype in [DType::Float16, DType::BFloat16, DType::Bool, DType::UInt8, DType::Int8] {
        code.extend([0, 1].map(|x| Inst::Cast { x, dtype }));
    }
    code.push(Inst::Cast { x: 0, dtype: DType::UInt32 });
    let key = [code.len() - 1; 2];
    for take in [Take::First, Take::Second, Take::Mixed { width: 16, bits: 10 }] {
        code.push(Inst::Random { key, at: space.index(0), take });
    }
    let bounds = vec![(space.index(0), 2), (space.index(1), 3)];
    code.push(Inst::Inside { bounds, x: 0, dtype: float, otherwise: 0 });
    let body = Body { operands: vec![0, 1], code, space };
    let dtype_of = |id| if id == 0 { float } else { int };
    map::launch(&body, 12, caps, &Access::whole(&dtype_of)).map(|(launch, _)| launch)
}

/// A map that takes elements of narrow dtypes out of their words.
fn map_of_packed_operands(narrow: &[DType], caps: &Caps) -> keraunos::Result<Launch> {
    let space = Space::new(&[&[12]]);
    let load = |(operand, &dtype)| Inst::Load { operand, dtype, at: space.position(0..1) };
    let code = narrow.iter().enumerate().map(load).collect();
    let body = Body { operands: (0..narrow.len()).collect(), code, space: space.clone() };
    let dtype_of = |id: usize| narrow[id];
    let access = Access { is_packed: &|_| true, ..Access::whole(&dtype_of) };
    map::launch(&body, 12, caps, &access).map(|(launch, _)| launch)
}

/// A map that reads neighbours along its first dimension.
fn transposed_map(caps: &Caps) -> keraunos::Result<Launch> {
    let space = Space::new(&[&[20, 30]]);
    let mut at = space.index(0);
    at.strides[1] = 20;
    let code = vec![Inst::Load { operand: 0, dtype: DType::Float32, at }];
    let body = Body { operands: vec![0], code, space };
    let dtype_of = |_| DType::Float32;
    map::launch(&body, 600, caps, &Access::whole(&dtype_of)).map(|(launch, _)| launch)
}

/// Every reduction in every lane, by one thread and by a workgroup for each output.
fn reductions(caps: &Caps) -> Vec<keraunos::Result<Launch>> {
    let kinds = [ReduceKind::Sum, ReduceKind::Prod, ReduceKind::Max, ReduceKind::Min];
    let mut ops: Vec<Op> =
        kinds.into_iter().map(|kind| Reduce { kind, axes: vec![1] }.into()).collect();
    ops.extend([true, false].map(|max| ArgReduce { max, axis: 1 }.into()));
    let mut all = Vec::new();
    for len in [5, 256] {
        for dtype in [DType::Float32, DType::Int32, DType::UInt32] {
            for kind in kinds {
                let op = SegmentReduce { kind, segments: 3 };
                all.push(segment_reduce::launch(&op, [len, 2], dtype, caps));
            }
            for op in &ops {
                let space = Space::new(&[&[3], &[len]]);
                let load = Inst::Load { operand: 0, dtype, at: space.position(0..2) };
                let prologue = Body { space, operands: vec![0], code: vec![load] };
                let found = if matches!(op, Op::ArgReduce(_)) { DType::Int32 } else { dtype };
                let anchor = vec![Inst::Anchor { dtype: found }];
                let body = Body { space: Space::new(&[&[3]]), operands: vec![], code: anchor };
                let outputs = 3;
                for contiguous in [true, false] {
                    let (prologue, body) = (&prologue, &body);
                    let reduction =
                        reduce::Reduction { op, prologue, body, outputs, len, contiguous };
                    let dtype_of = |_| dtype;
                    let launch = reduce::launch(&reduction, caps, &Access::whole(&dtype_of));
                    all.push(launch.map(|(launch, _)| launch));
                }
            }
        }
    }
    all
}

/// Two reductions of different dtypes, one of which is stored, and elements, by few and by many
/// invocations for each row.
fn rows_of_several_lengths(caps: &Caps) -> Vec<keraunos::Result<Launch>> {
    let (float, int) = (DType::Float32, DType::Int32);
    let row = |combined, dtype| Inst::Row { combined, dtype };
    let launch = |len: usize| {
        let space = Space::new(&[&[70], &[len]]);
        let at = space.position(0..2);
        let load = |dtype| Inst::Load { operand: 0, dtype, at: at.clone() };
        let body =
            |operand: usize, code| Body { space: space.clone(), operands: vec![operand], code };
        let value = |dtype| Body {
            space: Space::new(&[&[70]]),
            operands: Vec::new(),
            code: vec![Inst::Anchor { dtype }],
        };
        let difference = Inst::Binary { name: "sub", a: 0, b: 1, dtype: float };
        let combined = vec![
            Combined {
                kind: ReduceKind::Max,
                root: 5,
                stored: true,
                element: body(0, vec![load(float)]),
                value: value(float),
            },
            Combined {
                kind: ReduceKind::Sum,
                root: 6,
                stored: false,
                element: body(1, vec![load(int)]),
                value: value(int),
            },
        ];
        let code = vec![load(float), row(0, float), difference, row(1, int)];
        let each = vec![Each { root: 7, body: body(0, code) }];
        let position =
            Body { space: space.clone(), operands: Vec::new(), code: vec![Inst::Index { at }] };
        let plan = RowPlan { rows: 70, len, contiguous: true, combined, each, position };
        let dtype_of = |id| if id == 1 { int } else { float };
        rows::launch(&plan, caps, &Access::whole(&dtype_of)).map(|(launch, _)| launch)
    };
    [5, 100, 300, 1000, 3000].map(launch).into()
}

fn module_of(launch: &Launch) -> naga::Module {
    naga::front::wgsl::parse_str(&launch.source).unwrap_or_else(|e| {
        let line = e.location(&launch.source).map_or(0, |at| at.line_number as usize);
        panic!("{} at {}: {e}", launch.kernel, shader::locate(&launch.source, line))
    })
}

#[test]
fn every_variant_is_valid_without_any_feature_that_its_name_does_not_say() {
    for launch in launches() {
        let module = module_of(&launch);
        let matrix = Capabilities::COOPERATIVE_MATRIX
            | Capabilities::SHADER_FLOAT16
            | Capabilities::SUBGROUP;
        let capabilities = match launch.kernel {
            "matmul_matrix" => matrix,
            kernel if kernel.ends_with("_subgroup") => Capabilities::SUBGROUP,
            _ => Capabilities::empty(),
        };
        Validator::new(ValidationFlags::all(), capabilities)
            .subgroup_stages(ShaderStages::COMPUTE)
            .subgroup_operations(SubgroupOperationSet::all())
            .validate(&module)
            .unwrap_or_else(|e| panic!("{}: {}", launch.label, e.emit_to_string(&launch.source)));
    }
}

#[test]
fn every_variant_stays_inside_the_least_limits() {
    let caps = Caps::minimum();
    for launch in launches() {
        let module = module_of(&launch);
        let entry = module.entry_points.iter().find(|e| e.name == "main").unwrap();
        let invocations: u32 = entry.workgroup_size.iter().product();
        assert!(invocations <= caps.max_workgroup_size, "{}: {invocations}", launch.label);
        let mut layouter = naga::proc::Layouter::default();
        layouter.update(module.to_ctx()).unwrap();
        let shared: u32 = module
            .global_variables
            .iter()
            .filter(|(_, v)| v.space == naga::AddressSpace::WorkGroup)
            .map(|(_, v)| layouter[v.ty].size)
            .sum();
        assert!(shared <= caps.workgroup_memory, "{}: {shared} bytes", launch.label);
        assert_eq!(shared > 0, launch.fills_workgroup_memory, "{}", launch.label);
        assert!(launch.bindings <= caps.max_bindings, "{}", launch.label);
    }
}

#[test]
fn bindings_and_parameters_are_those_of_the_launch() {
    for launch in launches() {
        let module = module_of(&launch);
        let mut buffers = BTreeSet::new();
        for (_, variable) in module.global_variables.iter() {
            let Some(at) = &variable.binding else { continue };
            match variable.space {
                naga::AddressSpace::Uniform => {
                    assert_eq!((at.group, at.binding), (1, 0), "{}", launch.label);
                    let size = module.types[variable.ty].inner.size(module.to_ctx());
                    assert_eq!(size as usize, launch.params.len() * 4, "{}", launch.label);
                }
                naga::AddressSpace::Storage { access } => {
                    assert_eq!(at.group, 0, "{}", launch.label);
                    let written = access.contains(naga::StorageAccess::STORE);
                    let outputs = launch.first_output..launch.first_output + launch.outputs;
                    assert_eq!(
                        written,
                        outputs.contains(&(at.binding as usize)),
                        "{}",
                        launch.label
                    );
                    buffers.insert(at.binding as usize);
                }
                _ => panic!("{}: a binding that is no buffer", launch.label),
            }
        }
        assert!(buffers.into_iter().eq(0..launch.bindings), "{}", launch.label);
    }
}

#[test]
fn no_shader_file_is_left_out() {
    let mut on_disk = BTreeSet::new();
    collect(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders")), "", &mut on_disk);
    let embedded: BTreeSet<String> = shader::FILES.iter().map(|(name, _)| (*name).into()).collect();
    assert_eq!(on_disk, embedded);
    let mut used: BTreeSet<String> = BTreeSet::new();
    for launch in launches() {
        for line in launch.source.lines() {
            if let Some((name, _)) =
                line.strip_prefix("//# ").and_then(|mark| mark.rsplit_once(' '))
            {
                used.insert(name.into());
            }
        }
    }
    // Modules that stand for one of several files appear under the import's name.
    for (import, files) in [
        ("operand_a", vec!["lib/a_scalar", "lib/a_vec4"]),
        (
            "operand_b",
            vec![
                "lib/b_computed",
                "lib/b_halves",
                "lib/b_halves_vec4",
                "lib/b_scalar",
                "lib/b_vec4",
            ],
        ),
        ("halves", vec!["lib/halves_bf16", "lib/halves_f16"]),
    ] {
        assert!(used.contains(import));
        used.extend(files.into_iter().map(String::from));
    }
    // Written into the generated text, once for each reduction.
    used.extend(["stage", "join", "join_subgroup"].map(|part| format!("lib/row_{part}")));
    let unused: Vec<_> = embedded.difference(&used).collect();
    assert!(unused.is_empty(), "no launch in this test uses {unused:?}");
}

fn collect(folder: &Path, prefix: &str, into: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_stem().unwrap().to_str().unwrap());
        if path.is_dir() {
            collect(&path, &format!("{name}/"), into);
        } else if path.extension().is_some_and(|e| e == "wgsl") {
            into.insert(name);
        }
    }
}

/// What drivers are given of the kernel that no software adapter can run.
#[test]
fn the_kernel_for_matrix_units_becomes_spirv() {
    let p = MatMul {
        batch: 2,
        m: 100,
        n: 70,
        k: 50,
        a_batch: true,
        b_batch: true,
        transpose_a: false,
        transpose_b: true,
        halves: true,
    };
    let launch =
        matmul_matrix::launch(&p, &caps_with_matrix_units(), &Epilogue::identity()).unwrap();
    let module = module_of(&launch);
    let info = Validator::new(ValidationFlags::all(), Capabilities::all())
        .subgroup_stages(ShaderStages::COMPUTE)
        .subgroup_operations(SubgroupOperationSet::all())
        .validate(&module)
        .unwrap();
    let options = naga::back::spv::Options { lang_version: (1, 6), ..Default::default() };
    let words = naga::back::spv::write_vec(&module, &info, &options, None).unwrap();
    // Opcodes of SPV_KHR_cooperative_matrix: load, store, multiply and add.
    for (opcode, times) in [(4457, 4), (4458, 4), (4459, 4)] {
        let (mut at, mut found) = (5, 0);
        while at < words.len() {
            found += usize::from(words[at] & 0xffff == opcode);
            at += (words[at] >> 16) as usize;
        }
        assert_eq!(found, times, "opcode {opcode}");
    }
}

#[test]
fn matrix_units_multiply_float16_only_where_measurements_say_so() {
    let p = MatMul {
        batch: 1,
        m: 64,
        n: 64,
        k: 64,
        a_batch: true,
        b_batch: true,
        transpose_a: false,
        transpose_b: false,
        halves: true,
    };
    let caps = caps_with_matrix_units();
    let usual = choose_matmul(&p, &caps, &Epilogue::identity()).unwrap();
    assert_ne!(usual.kernel, "matmul_matrix");
    let choice = usual.choice.unwrap();
    assert!(choice.kernels.contains(&"matmul_matrix"));
    let choices = Choices::from_iter([(choice.problem, "matmul_matrix".to_owned())]);
    let measured = Caps { choices, ..caps };
    let kernel =
        |p: &MatMul, caps: &Caps| choose_matmul(p, caps, &Epilogue::identity()).unwrap().kernel;
    assert_eq!(kernel(&p, &measured), "matmul_matrix");
    assert_eq!(kernel(&MatMul { halves: false, ..p }, &measured), usual.kernel);
    assert_eq!(kernel(&p, &Caps { matrix_units: false, ..measured.clone() }), usual.kernel);
    let varying = Some(Subgroups { least: 32, most: 64 });
    assert_eq!(kernel(&p, &Caps { subgroups: varying, ..measured }), usual.kernel);
}
