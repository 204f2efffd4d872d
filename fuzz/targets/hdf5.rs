//! Any bytes as input of `entries::hdf5`.
#![no_main]

#[path = "../entries.rs"]
mod entries;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    _ = entries::hdf5(data);
});
