//! The adapter of this machine, and shader text run over host arrays.

use std::sync::{Arc, OnceLock};

use keraunos::base::Result;
use keraunos::gpu::{Choice, Gpu, Launch, Recording, Step, Work};

/// The device all tests of one file share. Without any adapter the tests fail, unless
/// `KERAUNOS_NO_ADAPTER=1` says that this is known.
pub fn gpu() -> Option<&'static Gpu> {
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

/// Runs a kernel that reads storage buffers and writes the last one, of as many words as the first.
pub fn run(gpu: &Gpu, source: Arc<str>, inputs: &[&[u32]]) -> Result<Vec<u32>> {
    let len = inputs[0].len();
    let mut buffers = Vec::new();
    for words in inputs {
        let buffer = gpu.create_buffer(words.len() as u64 * 4, "in")?;
        gpu.upload_words(bytemuck::cast_slice(words), &buffer)?;
        buffers.push(buffer);
    }
    let out = gpu.create_buffer(len as u64 * 4, "out")?;
    buffers.push(out.clone());
    let launch = Launch {
        kernel: "test",
        label: "test".into(),
        source,
        params: Vec::new(),
        extra: Vec::new(),
        steps: false,
        grid: [len.div_ceil(256) as u32, 1, 1],
        bindings: buffers.len(),
        first_output: inputs.len(),
        outputs: 1,
        fills_workgroup_memory: false,
        work: 0,
        choice: None,
    };
    Recording::new(gpu, vec![Work::Step(Step { launch, buffers })])?.run()?;
    let mut words = Vec::with_capacity(len);
    gpu.download(&out, 0, len as u64 * 4, &mut |bytes| {
        words.extend_from_slice(&bytemuck::pod_collect_to_vec::<u8, u32>(bytes));
        Ok(())
    })?;
    Ok(words)
}
