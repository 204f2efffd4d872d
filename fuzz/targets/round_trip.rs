//! Any bytes as input of `entries::round_trip`.
#![no_main]

#[path = "../entries.rs"]
mod entries;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    _ = entries::round_trip(data);
});
