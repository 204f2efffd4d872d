//! The device layer: transfers, limits and errors, on the adapter of this machine.
//!
//! Without any adapter the tests fail, unless `KERAUNOS_NO_ADAPTER=1` says that this is known.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keraunos::base::{DType, Error, Result, Source, Spec};
use keraunos::gpu::{
    Buffer, Choice, DeviceTensor, Gpu, Kind, Launch, Loop, Recording, Step, Work, adapters, shader,
};
use keraunos::tensor::Tensor;

/// A device for one test; one at a time, because large buffers would add up.
fn gpu() -> Option<(Gpu, MutexGuard<'static, ()>)> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    match Gpu::open(&Choice::AnyGpu) {
        Ok(gpu) => Some((gpu, turn)),
        Err(e) if std::env::var_os("KERAUNOS_NO_ADAPTER").is_some() => {
            eprintln!("skipped: {e}");
            None
        }
        Err(e) => panic!("{e}; set KERAUNOS_NO_ADAPTER=1 if that is expected"),
    }
}

fn words_of(gpu: &Gpu, buffer: &Buffer) -> Result<Vec<u32>> {
    let mut words = Vec::new();
    gpu.download(buffer, 0, buffer.bytes(), &mut |bytes| {
        words.extend_from_slice(&bytemuck::pod_collect_to_vec::<u8, u32>(bytes));
        Ok(())
    })?;
    Ok(words)
}

#[test]
fn every_dtype_goes_up_and_comes_back() {
    let Some((gpu, _turn)) = gpu() else { return };
    let numbers: Vec<f32> = (0..700_001).map(|i| (i % 120) as f32).collect();
    let wide = Tensor::new([numbers.len()], &numbers).unwrap();
    for dtype in DType::ALL {
        let stored = wide.cast(dtype);
        let buffer = gpu.create_buffer(stored.len() as u64 * 4, dtype.name()).unwrap();
        gpu.upload(&stored, &buffer).unwrap();
        let resident = DeviceTensor::new(&gpu, vec![(0, buffer)], stored.spec().clone());
        assert!(Tensor::from_source(&resident).unwrap() == stored, "{dtype}");
        let mut piece = vec![0; 101];
        resident.read(1_003, &mut piece).unwrap();
        assert_eq!(piece, stored.bytes()[1_003..1_104], "{dtype} in the middle of an element");
    }
}

#[test]
fn integers_that_do_not_fit_are_refused_and_the_next_upload_works() {
    let Some((gpu, _turn)) = gpu() else { return };
    let buffer = gpu.create_buffer(8, "wide").unwrap();
    let wide = Tensor::new([2], &[1i64, 1 << 40]).unwrap();
    let refused = gpu.upload(&wide, &buffer).unwrap_err();
    assert!(matches!(refused.root(), Error::DType { .. }));
    gpu.upload(&Tensor::new([2], &[7i64, -1]).unwrap(), &buffer).unwrap();
    assert_eq!(words_of(&gpu, &buffer).unwrap(), [7, u32::MAX]);
}

/// A source that counts, without holding anything.
struct Counting(Spec);

impl Source for Counting {
    fn spec(&self) -> &Spec {
        &self.0
    }

    fn read(&self, offset: usize, buf: &mut [u8]) -> Result<()> {
        for (i, word) in buf.chunks_exact_mut(4).enumerate() {
            word.copy_from_slice(&((offset / 4 + i) as u32).to_le_bytes());
        }
        Ok(())
    }
}

#[test]
fn a_variable_of_100_megabytes_streams_through() {
    let Some((gpu, _turn)) = gpu() else { return };
    let len = 25_000_003;
    let source = Counting(Spec::new([len], DType::UInt32));
    let buffer = gpu.create_buffer(len as u64 * 4, "large").unwrap();
    gpu.upload(&source, &buffer).unwrap();
    let mut next = 0u32;
    gpu.download(&buffer, 0, len as u64 * 4, &mut |bytes| {
        for word in bytes.chunks_exact(4) {
            assert_eq!(word, next.to_le_bytes());
            next += 1;
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(next as usize, len);
}

#[test]
fn many_small_variables_share_staging() {
    let Some((gpu, _turn)) = gpu() else { return };
    let items: Vec<(Arc<dyn Source>, Buffer)> = (0..3_000)
        .map(|i| {
            let len = i % 97 + usize::from(i == 5) * 1_500_000;
            let source = Counting(Spec::new([len], DType::UInt32));
            (Arc::new(source) as _, gpu.create_buffer(len as u64 * 4, "small").unwrap())
        })
        .collect();
    gpu.upload_many(&items).unwrap();
    for (source, buffer) in items.iter().step_by(89).chain(&items[..8]) {
        let want: Vec<u32> = (0..source.spec().shape.len() as u32).collect();
        let got = words_of(&gpu, buffer).unwrap();
        assert_eq!(got[..want.len()], want);
    }
}

#[test]
fn words_go_up_whatever_their_number() {
    let Some((gpu, _turn)) = gpu() else { return };
    for len in [1usize, 1000, 20_000, 3_000_000] {
        let words: Vec<u32> = (0..len as u32).collect();
        let buffer = gpu.create_buffer(len as u64 * 4, "words").unwrap();
        gpu.upload_words(bytemuck::cast_slice(&words), &buffer).unwrap();
        assert_eq!(words_of(&gpu, &buffer).unwrap(), words);
    }
}

#[test]
fn sizes_above_a_limit_are_refused_with_need_and_limit() {
    let Some((gpu, _turn)) = gpu() else { return };
    let limit = gpu.caps().max_storage_binding.min(gpu.caps().max_buffer);
    let Err(Error::Limit { need, limit: stated, .. }) = gpu.create_buffer(limit + 4, "huge") else {
        panic!("a buffer above the limit was made");
    };
    assert!(need.contains(&(limit + 4).to_string()) && stated.contains(&limit.to_string()));
    assert!(gpu.create_buffer(u64::MAX, "endless").is_err());

    gpu.set_memory_limit(Some(gpu.memory_used() + 1000));
    let kept = gpu.create_buffer(800, "kept").unwrap();
    assert!(matches!(gpu.create_buffer(800, "too much"), Err(Error::Limit { .. })));
    drop(kept);
    gpu.create_buffer(800, "again").unwrap();
}

fn launch(source: &str, outputs: usize) -> Launch {
    Launch {
        kernel: "test",
        label: "test".into(),
        source: shader::compose("test", "", &[("test", source)]).unwrap(),
        params: Vec::new(),
        extra: Vec::new(),
        steps: false,
        grid: [1, 1, 1],
        bindings: 1,
        first_output: 0,
        outputs,
        fills_workgroup_memory: false,
        work: 0,
        choice: None,
    }
}

const COUNT: &str = "@group(0) @binding(0) var<storage, read_write> out: array<u32>;\n\
    @compute @workgroup_size(1) fn main() { out[0] += 1u; }\n";

#[test]
fn a_bad_shader_is_an_error_with_file_and_line() {
    let Some((gpu, _turn)) = gpu() else { return };
    let buffer = gpu.create_buffer(4, "out").unwrap();
    for (bad, line) in
        [("\n@compute @workgroup_size(1) fn main() { let x = y; }", 2), ("fn f( {", 1)]
    {
        let step = Step { launch: launch(bad, 1), buffers: vec![buffer.clone()] };
        let message = match Recording::new(&gpu, vec![Work::Step(step)]) {
            Err(Error::Device(message)) => message,
            other => panic!("{other:?}"),
        };
        assert!(message.contains(&format!("test.wgsl line {line}")), "{message}");
    }
    gpu.check().unwrap();
}

#[test]
fn steps_that_contradict_themselves_are_refused() {
    let Some((gpu, _turn)) = gpu() else { return };
    let buffer = gpu.create_buffer(4, "out").unwrap();
    let none = Step { launch: launch(COUNT, 1), buffers: Vec::new() };
    assert!(matches!(Recording::new(&gpu, vec![Work::Step(none)]), Err(Error::Internal(_))));
    let two = Launch { bindings: 2, ..launch(COUNT, 1) };
    let twice = Step { launch: two, buffers: vec![buffer.clone(), buffer.clone()] };
    assert!(matches!(Recording::new(&gpu, vec![Work::Step(twice)]), Err(Error::Internal(_))));
    let wide = Launch { grid: [gpu.caps().max_groups + 1, 1, 1], ..launch(COUNT, 1) };
    let wide = Step { launch: wide, buffers: vec![buffer] };
    assert!(matches!(Recording::new(&gpu, vec![Work::Step(wide)]), Err(Error::Limit { .. })));
}

#[test]
fn steps_run_in_order_and_recordings_run_again() {
    let Some((gpu, _turn)) = gpu() else { return };
    let buffer = gpu.create_buffer(4, "out").unwrap();
    // More steps than one submit takes, and an empty grid among them.
    let step = || Step { launch: launch(COUNT, 1), buffers: vec![buffer.clone()] };
    let mut steps: Vec<Step> = (0..2_500).map(|_| step()).collect();
    steps[7].launch.grid = [0, 1, 1];
    let steps = steps.into_iter().map(Work::Step).collect();
    let recording = Recording::new(&gpu, steps).unwrap();
    assert_eq!(recording.len(), 2_499);
    recording.run().unwrap();
    recording.run().unwrap();
    assert_eq!(words_of(&gpu, &buffer).unwrap(), [4_998]);
}

/// What takes long is submitted alone: drivers take a device away whose submit does not end.
#[test]
fn steps_are_spread_over_submits_by_their_work() {
    let Some((gpu, _turn)) = gpu() else { return };
    let buffer = gpu.create_buffer(4, "out").unwrap();
    for (work, submits) in [(0, 1), (u64::MAX / 2, 5)] {
        let launch = Launch { work, ..launch(COUNT, 1) };
        let step = || Work::Step(Step { launch: launch.clone(), buffers: vec![buffer.clone()] });
        let recording = Recording::new(&gpu, (0..5).map(|_| step()).collect()).unwrap();
        assert_eq!(recording.submits(), submits);
        recording.run().unwrap();
    }
    assert_eq!(words_of(&gpu, &buffer).unwrap(), [10]);
}

#[test]
fn loops_take_turns_and_tell_their_kernels_the_step() {
    const ADD: &str = "@group(0) @binding(0) var<storage, read_write> out: array<u32>;\n\
        @group(1) @binding(2) var<uniform> loop_step: vec4<i32>;\n\
        @compute @workgroup_size(1) fn main() { out[0] = out[0] * 10u + u32(loop_step.x); }\n";
    let Some((gpu, _turn)) = gpu() else { return };
    let buffers = ["first", "last", "other"].map(|label| gpu.create_buffer(4, label).unwrap());
    let launch = Launch { steps: true, ..launch(ADD, 1) };
    let turns = buffers.each_ref().map(|buffer| {
        let launch = launch.clone();
        vec![Work::Step(Step { launch, buffers: vec![buffer.clone()] })]
    });
    let recording = Recording::new(&gpu, vec![Work::Loop(Loop { steps: 6, turns })]).unwrap();
    assert_eq!(recording.len(), 6);
    recording.run().unwrap();
    let found = buffers.map(|buffer| words_of(&gpu, &buffer).unwrap()[0]);
    assert_eq!(found, [0, 135, 24]);
}

#[test]
fn a_device_that_went_away_says_so_everywhere() {
    let Some((gpu, _turn)) = gpu() else { return };
    let buffer = gpu.create_buffer(4, "out").unwrap();
    let step = || Work::Step(Step { launch: launch(COUNT, 1), buffers: vec![buffer.clone()] });
    let recording = Recording::new(&gpu, vec![step()]).unwrap();
    gpu.destroy();
    let lost =
        |result: Result<()>| assert!(matches!(result, Err(Error::DeviceLost(_))), "{result:?}");
    lost(gpu.check());
    lost(recording.run());
    lost(gpu.wait());
    lost(gpu.upload_words(&[0; 4], &buffer));
    lost(gpu.upload(&Tensor::scalar(1.0), &buffer));
    lost(words_of(&gpu, &buffer).map(|_| ()));
    lost(gpu.create_buffer(4, "late").map(|_| ()));
    lost(Recording::new(&gpu, vec![step()]).map(|_| ()));
}

#[test]
fn adapters_are_listed_best_first_and_opened_by_name() {
    let Some((gpu, _turn)) = gpu() else { return };
    let all = adapters();
    assert!(all.is_sorted_by_key(|caps| caps.kind));
    assert_eq!(&all[0], gpu.caps());
    let part = all[0].name[..4].to_uppercase();
    assert_eq!(Gpu::open(&Choice::Named(part)).unwrap().caps(), gpu.caps());
    let message = Gpu::open(&Choice::Named("no such adapter".into())).unwrap_err().to_string();
    assert!(message.contains("no such adapter") && message.contains(&all[0].name), "{message}");
    if all.iter().all(|caps| caps.kind == Kind::Software) {
        assert!(matches!(Gpu::open(&Choice::BestGpu), Err(Error::Device(_))));
    }
}
