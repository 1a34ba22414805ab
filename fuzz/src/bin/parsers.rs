//! libFuzzer's own program: reads as the target that `FUZZ_TARGET` names.
#![no_main]

use std::sync::OnceLock;

use fuzz::Target;
use libfuzzer_sys::fuzz_target;

fn target() -> &'static Target {
    static TARGET: OnceLock<Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
        let Some(target) = fuzz::named(&name) else {
            eprintln!("FUZZ_TARGET is '{name}': `targets` lists what there is");
            std::process::exit(2);
        };
        target
    })
}

fuzz_target!(|data: &[u8]| (target().read)(data));
