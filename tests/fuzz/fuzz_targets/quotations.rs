#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| deconflict_fuzz::quotations(data));
