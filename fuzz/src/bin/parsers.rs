//! libFuzzer's own program: reads as the target that `FUZZ_TARGET` names. Without one it lists what there is
//! and writes into the folder `FUZZ_SEEDS` what each begins from.
#![no_main]

use std::path::Path;
use std::sync::OnceLock;

use fuzz::Target;
use libfuzzer_sys::fuzz_target;

fn target() -> &'static Target {
    static TARGET: OnceLock<Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
        let Some(target) = fuzz::named(&name) else {
            eprintln!("FUZZ_TARGET is '{name}', which there is not; without one all are listed");
            std::process::exit(2);
        };
        target
    })
}

/// Before libFuzzer takes over: an exit while it runs counts as a crash.
fn begin() {
    if std::env::var_os("FUZZ_TARGET").is_some() {
        return;
    }
    let folder = std::env::var_os("FUZZ_SEEDS").unwrap_or_default();
    let listed = list(Path::new(&folder));
    if let Err(error) = &listed {
        eprintln!("the seeds cannot be written: {error}");
    }
    std::process::exit(i32::from(listed.is_err()));
}

fn list(folder: &Path) -> std::io::Result<()> {
    for target in fuzz::targets() {
        let folder = folder.join(target.name);
        std::fs::create_dir_all(&folder)?;
        for (n, seed) in target.seeds.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{n}")), seed)?;
        }
        println!("{}", target.name);
    }
    Ok(())
}

fuzz_target!(init: begin(), |data: &[u8]| (target().read)(data));
