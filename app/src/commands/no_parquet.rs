//! What a build without Parquet says of it.

use std::path::Path;

use super::labels::Exported;

pub(super) fn write(_: &Path, _: &[Exported]) -> anyhow::Result<()> {
    anyhow::bail!(
        "this build has no Parquet in it: export as jsonl, or build it with --features parquet"
    )
}
