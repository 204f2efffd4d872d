//! How much host memory it takes to bring weights to a device, in whatever form a file holds them: no
//! tensor is held twice, or on the way to a GPU at all.
//!
//! Counts what this program allocates, in a test binary of its own. What a software adapter's driver takes
//! for the device's buffers is not counted.
#![allow(unsafe_code, reason = "an allocator's interface is unsafe")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use keraunos::{Device, LoadOptions, load_model_with};

const MIB: usize = 1 << 20;

/// Staging, pieces between threads, one window of chunks and its parts, libraries.
const ON_THE_WAY: usize = 20 * MIB;

/// As Keras holds the model's only large weight: 8 Mi elements, 32 MiB in memory.
const ELEMENTS: usize = 4096 * 2048;

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// Tests count what all threads allocate: one at a time.
static TURN: Mutex<()> = Mutex::new(());

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Writes `FORM.keras` for each form of the weights into a folder, from the archive of a small model.
const WRITE: &str = "
import io, sys, zipfile
import h5py, numpy as np
source, folder = sys.argv[1:]
forms = {
    'stored': ('<f4', {}, zipfile.ZIP_STORED),
    'deflated': ('<f4', {}, zipfile.ZIP_DEFLATED),
    'chunked': ('<f4', dict(chunks=(64, 2048), compression='gzip', compression_opts=1, shuffle=True,
                            fletcher32=True), zipfile.ZIP_STORED),
    'half': ('<f2', {}, zipfile.ZIP_STORED),
    'double': ('<f8', {}, zipfile.ZIP_STORED),
    'big-endian': ('>f4', {}, zipfile.ZIP_STORED),
    'chunked-double': ('>f8', dict(chunks=(100, 1000), compression='gzip', compression_opts=1),
                       zipfile.ZIP_DEFLATED),
}
kernel = np.arange(4096 * 2048, dtype=np.uint64) * 2654435761 % 2**32 >> 21
kernel = (kernel / 2048).reshape(4096, 2048)
with zipfile.ZipFile(source) as archive:
    texts = {name: archive.read(name) for name in ('metadata.json', 'config.json')}
for form, (dtype, options, method) in forms.items():
    with h5py.File(folder + '/weights.h5', 'w') as file:
        file.create_dataset('layers/dense/vars/0', data=kernel.astype(dtype), **options)
    with zipfile.ZipFile(f'{folder}/{form}.keras', 'w', method, compresslevel=1) as archive:
        for name, text in texts.items():
            archive.writestr(name, text)
        archive.write(folder + '/weights.h5', 'model.weights.h5')
    print(form)
";

/// The most memory that is allocated during some work, beside what was there before.
fn peak(work: impl FnOnce()) -> usize {
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    work();
    PEAK.load(Ordering::Relaxed).saturating_sub(before)
}

fn write_forms(python: &Path, folder: &Path) -> Vec<String> {
    use keraunos::{Sequential, layers::Dense};
    let source = folder.join("source.keras");
    let small = Dense::new(2048).use_bias(false).kernel_initializer("zeros");
    Sequential::new([4096]).add(small).build().unwrap().save(&source).unwrap();
    let done = Command::new(python).args(["-c", WRITE]).arg(&source).arg(folder).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn whatever_the_form_of_the_weights_they_are_held_once() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let python = std::env::var_os("KERAUNOS_PYTHON").filter(|python| python != "none");
    let Some(python) = python else {
        eprintln!("skipped: KERAUNOS_PYTHON does not name a Python with h5py");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    // Eleven bits, which every dtype holds, and which hardly repeat.
    let bits = |i: usize| (i as u32).wrapping_mul(2_654_435_761) >> 21;
    let expected: Vec<f32> = (0..ELEMENTS).map(|i| bits(i) as f32 / 2048.0).collect();
    let gpu = common::gpu();
    for form in write_forms(Path::new(&python), folder.path()) {
        let path = folder.path().join(format!("{form}.keras"));
        for (device, held) in [(&gpu, 0), (&Device::Host, 4 * ELEMENTS)] {
            let mut model = None;
            let found = peak(|| {
                let options = LoadOptions { lazy: true, ..LoadOptions::default() };
                let loaded = load_model_with(&path, &options).unwrap();
                loaded.place(device).unwrap();
                model = Some(loaded);
            });
            let beside = found.saturating_sub(held);
            println!("{form} on {device}: {} KiB beside the weights", beside >> 10);
            assert!(found >= held && beside < ON_THE_WAY, "{form} on {device}: {beside} bytes");
            let kernel = model.unwrap().variables()[0].1.value().unwrap();
            assert!(kernel.to_vec::<f32>().unwrap() == expected, "{form} on {device}");
        }
    }
}

#[test]
fn halves_are_held_as_halves() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    use keraunos::{Sequential, layers::Dense};
    let dense = Dense::new(2048).use_bias(false).kernel_initializer("ones").dtype("float16");
    let gpu = common::gpu();
    for (device, held) in [(&gpu, 0), (&Device::Host, 2 * ELEMENTS)] {
        let model = Sequential::new([4096]).add(dense.clone()).build().unwrap();
        let found = peak(|| model.place(device).unwrap());
        assert!(found < held + ON_THE_WAY, "{device}: {found} bytes");
        let kernel = model.variables()[0].1.value().unwrap();
        assert!(kernel.iter_f64().all(|x| x == 1.0), "{device}");
    }
}
