//! Versions of the models in files of this process: `models-kept/<version>`, a cache of what the log
//! holds. A stage is handed the version it is pinned to from here.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, bail};
use classifier::{CONTEXT_FILE, Models, Task};
use schemas::models::{ModelFile, ModelFiles};

use super::KEPT_VERSIONS;

/// Names the version that is live, for commands that are given no model.
const LIVE: &str = "live";

/// Where versions are kept.
#[derive(Debug, Clone)]
pub struct Kept(PathBuf);

impl Kept {
    /// Those of the process whose data is in `data_dir`.
    pub fn of(data_dir: &Path) -> Self {
        Self(data_dir.join("models-kept"))
    }

    fn place(&self, version: &str) -> PathBuf {
        self.0.join(version)
    }

    /// Whether `version` is here.
    pub fn has(&self, version: &str) -> bool {
        self.place(version).is_dir()
    }

    /// Opens `version`, which tests itself.
    ///
    /// # Errors
    /// When it is not here, or cannot be used.
    pub fn open(&self, version: &str) -> anyhow::Result<Models> {
        Ok(Models::open(&self.place(version))?)
    }

    /// Keeps `files`, if together they are models that can be used.
    ///
    /// # Errors
    /// When they are not, or cannot be written.
    pub fn put(&self, files: &ModelFiles) -> anyhow::Result<Models> {
        static DRAFTS: AtomicU32 = AtomicU32::new(0);
        let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
        let draft = self.0.join(format!("unfinished-{}-{number}", std::process::id()));
        let kept = self.put_by(files, &draft);
        if draft.exists() {
            fs::remove_dir_all(&draft)?;
        }
        kept.with_context(|| format!("the models cannot be kept in {}", self.0.display()))
    }

    fn put_by(&self, files: &ModelFiles, draft: &Path) -> anyhow::Result<Models> {
        fs::create_dir_all(draft)?;
        for file in &files.files {
            // A name is never a path.
            if !model_file_names().any(|name| name == file.name) {
                bail!("'{}' is no file of a model", file.name);
            }
            let mut to = File::create(draft.join(&file.name))?;
            to.write_all(&file.content)?;
            to.sync_all()?;
        }
        let models = Models::open(draft)?;
        match fs::rename(draft, self.place(models.version())) {
            // Somebody was faster, with the same content.
            Err(_) if self.has(models.version()) => {}
            renamed => renamed?,
        }
        Ok(models)
    }

    /// Lets go of `version`.
    pub fn remove(&self, version: &str) {
        if let Err(error) = fs::remove_dir_all(self.place(version)) {
            tracing::warn!(version, %error, "an old version of the models stays in models-kept");
        }
    }

    /// Writes down that `version` is live.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note_live(&self, version: &str) -> std::io::Result<()> {
        let draft = self.0.join("live.new");
        fs::write(&draft, version)?;
        fs::rename(draft, self.0.join(LIVE))
    }

    /// The directory of the version that was live last.
    pub fn live(&self) -> Option<PathBuf> {
        let version = fs::read_to_string(self.0.join(LIVE)).ok()?;
        let place = self.place(version.trim());
        place.is_dir().then_some(place)
    }

    /// Lets go of all but the latest few of the versions that are none of `published`: an earlier
    /// release kept them before models travelled.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn forget_strangers(&self, published: impl Fn(&str) -> bool) -> std::io::Result<()> {
        let mut strangers = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() && !published(&name) {
                strangers.push((entry.metadata()?.modified()?, name));
            }
        }
        strangers.sort();
        let old = strangers.len().saturating_sub(KEPT_VERSIONS);
        strangers.into_iter().take(old).for_each(|(_, name)| self.remove(&name));
        Ok(())
    }
}

/// The files of a model directory.
///
/// # Errors
/// When there is no intent head among them, or they cannot be read.
pub fn files_of(dir: &Path) -> anyhow::Result<ModelFiles> {
    let mut files = Vec::new();
    for name in model_file_names() {
        let path = dir.join(name);
        if name == Task::Intent.file_name() || path.exists() {
            let content =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            files.push(ModelFile { name: name.to_owned(), content });
        }
    }
    Ok(ModelFiles { files })
}

/// What a version is made of: its heads, and what it makes of the context of a message.
fn model_file_names() -> impl Iterator<Item = &'static str> {
    Task::ALL.into_iter().map(Task::file_name).chain([CONTEXT_FILE])
}
