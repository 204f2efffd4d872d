//! Models that Keras calls but cannot compile with JAX, recorded by `tests/keras/make_eager.py`.

use std::path::Path;

use keraunos::saving::npz::read_npz;
use keraunos::{Device, load_model};

#[test]
fn calls_are_keras_s_on_both_devices() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/eager");
    let devices = [Device::Host, Device::open("gpu").unwrap()];
    for name in ["fake_quant", "fake_quant_narrow", "fake_quant_channels", "thresholded_relu"] {
        let model = load_model(folder.join(format!("{name}.keras"))).unwrap();
        let arrays = read_npz(&folder.join(format!("{name}.npz"))).unwrap();
        let array = |name: &str| arrays.iter().find(|(n, _)| n == name).unwrap().1.clone();
        let (x, expected) = (array("x0"), array("y0"));
        for device in &devices {
            let found = model.call(std::slice::from_ref(&x), device).unwrap().remove(0);
            // A step of the coarsest of these quantizations is 0.02.
            let near = |(a, b): (f64, f64)| (a - b).abs() <= 1e-6;
            let same = found.iter_f64().zip(expected.iter_f64()).all(near);
            assert!(same, "{name} on {device}: {found:?} is not {expected:?}");
        }
    }
}
