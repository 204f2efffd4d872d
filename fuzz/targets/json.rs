//! Any bytes as input of `entries::json`.
#![no_main]

#[path = "../entries.rs"]
mod entries;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    _ = entries::json(data);
});
