//! Programs that name the brokers' client are examples of `pipeline`, which alone may.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, ensure};
use tests::server::root;

/// Builds the example of that name beside this program, and gives its path.
///
/// # Errors
/// It does not build.
pub fn built(name: &str) -> anyhow::Result<PathBuf> {
    let mine = std::env::current_exe()?;
    let profile = mine.parent().context("this program is in no directory")?;
    let target = profile.parent().context("this program is in no target directory")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--package", "pipeline", "--features", "kafka"]);
    build.args(["--example", name]);
    build.arg("--manifest-path").arg(root().join("Cargo.toml")).arg("--target-dir").arg(target);
    if profile.file_name().is_some_and(|name| name == "release") {
        build.arg("--release");
    }
    ensure!(build.status()?.success(), "{name} does not build");
    Ok(profile.join("examples").join(name))
}
