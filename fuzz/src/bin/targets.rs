//! Lists the targets; with a folder, writes there what each begins from: `targets [FOLDER]`.

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    for target in fuzz::targets() {
        if let Some(folder) = &folder {
            let folder = folder.join(target.name);
            std::fs::create_dir_all(&folder)?;
            for (n, seed) in target.seeds.iter().enumerate() {
                std::fs::write(folder.join(format!("seed-{n}")), seed)?;
            }
        }
        println!("{}", target.name);
    }
    Ok(())
}
