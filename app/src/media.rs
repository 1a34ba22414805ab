//! Where the files of messages are kept on a disk: a folder a tenant, a file a digest, sealed like texts.
//!
//! Invariants: a file that can be found is whole; it is as old as the last message it came with.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use ingest::media::{MediaStore, StoreError};
use schemas::Avro;
use schemas::sealed::{Keyring, SealedText};

use crate::config::Settings;

/// The files of one installation.
#[derive(Clone)]
pub(crate) struct Directory {
    root: PathBuf,
    keyring: Arc<Keyring>,
}

impl Directory {
    /// Where the configuration says.
    pub(crate) fn configured(settings: &Settings, keyring: &Arc<Keyring>) -> Self {
        let root = match settings.media.dir.as_str() {
            "" => settings.server.data_dir.join("media"),
            dir => PathBuf::from(dir),
        };
        Self { root, keyring: Arc::clone(keyring) }
    }

    /// Where a file is; nowhere for what is no digest.
    fn place(&self, tenant: &str, digest: &str) -> io::Result<PathBuf> {
        let plain = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !plain {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a digest"));
        }
        self.keyring.of(tenant).map_err(io::Error::other)?;
        Ok(self.root.join(tenant).join(digest))
    }

    fn write(&self, tenant: &str, digest: &str, bytes: &[u8], at: SystemTime) -> io::Result<()> {
        let place = self.place(tenant, digest)?;
        if let Ok(kept) = File::open(&place) {
            let since = kept.metadata()?.modified()?;
            return if since < at { kept.set_modified(at) } else { Ok(()) };
        }
        let keys = self.keyring.of(tenant).map_err(io::Error::other)?;
        let sealed = keys.seal(digest.as_bytes(), bytes).map_err(io::Error::other)?;
        let sealed = sealed.to_bytes().map_err(io::Error::other)?;
        let folder = self.root.join(tenant);
        fs::create_dir_all(&folder)?;
        let unfinished = folder.join(unfinished(digest));
        let mut file = File::create(&unfinished)?;
        file.write_all(&sealed)?;
        file.set_modified(at)?;
        file.sync_all()?;
        fs::rename(&unfinished, &place)?;
        File::open(&folder)?.sync_all()
    }

    fn load(&self, tenant: &str, digest: &str) -> io::Result<Option<Vec<u8>>> {
        let sealed = match fs::read(self.place(tenant, digest)?) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let sealed = SealedText::from_bytes(&sealed).map_err(io::Error::other)?;
        let keys = self.keyring.of(tenant).map_err(io::Error::other)?;
        keys.open(&sealed).map(Some).map_err(io::Error::other)
    }

    /// Removes what is older than `before`; gives how many.
    pub(crate) fn forget(&self, before: SystemTime) -> io::Result<usize> {
        let mut gone = 0;
        for tenant in entries(&self.root)? {
            for file in entries(&tenant)? {
                if fs::metadata(&file)?.modified()? < before {
                    fs::remove_file(&file)?;
                    gone += 1;
                }
            }
        }
        Ok(gone)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || work(&this)).await.map_err(io::Error::other)?
    }

    async fn found(&self, tenant: &str, digest: &str) -> io::Result<Option<Vec<u8>>> {
        let [tenant, digest] = [tenant, digest].map(str::to_owned);
        self.blocking(move |this| this.load(&tenant, &digest)).await
    }
}

/// A name no other writer uses.
fn unfinished(digest: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{digest}.{}.{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What a folder holds; nothing when there is none.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(found) => found.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// A time of the log as the file system tells it.
pub(crate) fn system_time(at_ms: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(at_ms).unwrap_or_default())
}

#[allow(clippy::needless_pass_by_value)] // the shape map_err wants
fn failed(error: io::Error) -> StoreError {
    StoreError(error.to_string())
}

#[async_trait]
impl MediaStore for Directory {
    async fn keep(
        &self,
        tenant: &str,
        digest: &str,
        bytes: Vec<u8>,
        at_ms: i64,
    ) -> Result<(), StoreError> {
        let [tenant, digest] = [tenant, digest].map(str::to_owned);
        let at = system_time(at_ms);
        let kept = self.blocking(move |this| this.write(&tenant, &digest, &bytes, at));
        kept.await.map_err(failed)
    }

    async fn read(&self, tenant: &str, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.found(tenant, digest).await.map_err(failed)
    }
}

#[async_trait]
impl desk::Files for Directory {
    async fn read(&self, tenant: &str, digest: &str) -> Result<Option<Vec<u8>>, String> {
        self.found(tenant, digest).await.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use schemas::sealed::TenantKeys;

    use super::*;

    fn directory(root: &Path) -> Directory {
        let keys = ["demo", "acme"].map(|tenant| TenantKeys::derive(tenant, "1", &[7; 32]));
        Directory { root: root.join("media"), keyring: Arc::new(Keyring::new(keys)) }
    }

    #[test]
    fn a_file_is_found_by_its_digest_and_only_by_its_tenant() {
        let folder = tempfile::tempdir().unwrap();
        let files = directory(folder.path());
        let digest = ingest::media::digest(b"segredo");
        assert_eq!(files.load("demo", &digest).unwrap(), None);
        for _ in 0..2 {
            files.write("demo", &digest, b"segredo", system_time(1_000)).unwrap();
        }
        assert_eq!(files.load("demo", &digest).unwrap().as_deref(), Some(b"segredo".as_slice()));
        assert_eq!(files.load("acme", &digest).unwrap(), None);
        let bytes = fs::read(folder.path().join("media/demo").join(&digest)).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"segredo"), "sealed");
        for strange in ["../../keys.toml", "", "x", &"/".repeat(64)] {
            assert!(files.load("demo", strange).is_err(), "{strange}");
        }
        assert!(files.load("../demo", &digest).is_err());
    }

    #[test]
    fn a_file_goes_with_the_last_message_it_came_with() {
        let folder = tempfile::tempdir().unwrap();
        let files = directory(folder.path());
        assert_eq!(files.forget(system_time(9)).unwrap(), 0, "there is no folder yet");
        let [old, both] = [b"old".as_slice(), b"both"].map(ingest::media::digest);
        files.write("demo", &old, b"old", system_time(1_000)).unwrap();
        for at_ms in [1_000, 9_000, 2_000] {
            files.write("demo", &both, b"both", system_time(at_ms)).unwrap();
        }
        assert_eq!(files.forget(system_time(5_000)).unwrap(), 1);
        assert_eq!(files.load("demo", &old).unwrap(), None);
        assert!(files.load("demo", &both).unwrap().is_some());
    }
}
