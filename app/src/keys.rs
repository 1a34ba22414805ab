//! The tenants' secrets: a file in the data directory that only its owner can read, made at the
//! first start. Whoever has it can read what is sealed; whoever loses it cannot.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, bail};
use data_encoding::BASE32_DNSSEC;
use schemas::sealed::{Keyring, TenantKeys};
use serde::{Deserialize, Serialize};

const FILE: &str = "keys.toml";

#[derive(Serialize, Deserialize)]
struct Secret {
    key_id: String,
    secret: String,
}

/// The keys of `tenants`, from the file in `data_dir`; keys of new tenants are added to it.
///
/// # Errors
/// When the file cannot be read or written, or is open to others.
pub fn made<'a>(
    data_dir: &Path,
    tenants: impl Iterator<Item = &'a String>,
) -> anyhow::Result<Keyring> {
    keyring(data_dir, tenants, true)
}

/// The keys of `tenants`, from the file in `data_dir`, which every process of an installation has a
/// copy of: none may make its own.
///
/// # Errors
/// When a key is missing, the file cannot be read, or is open to others.
#[cfg_attr(not(feature = "cluster"), allow(dead_code))] // one machine makes its own
pub fn shared<'a>(
    data_dir: &Path,
    tenants: impl Iterator<Item = &'a String>,
) -> anyhow::Result<Keyring> {
    keyring(data_dir, tenants, false)
}

fn keyring<'a>(
    data_dir: &Path,
    tenants: impl Iterator<Item = &'a String>,
    may_make: bool,
) -> anyhow::Result<Keyring> {
    let path = data_dir.join(FILE);
    let mut secrets = read(&path)?;
    let known = secrets.len();
    let mut keys = Vec::new();
    for tenant in tenants {
        if !secrets.contains_key(tenant) && !may_make {
            bail!(
                "{} has no key of tenant '{tenant}': make the file once with `correnteza keys make` \
                 and give every process the same",
                path.display()
            );
        }
        if !secrets.contains_key(tenant) {
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes).context("the operating system gives no random bytes")?;
            let secret = BASE32_DNSSEC.encode(&bytes);
            secrets.insert(tenant.clone(), Secret { key_id: "1".to_owned(), secret });
        }
        let Some(found) = secrets.get(tenant) else { continue };
        let bytes = BASE32_DNSSEC.decode(found.secret.as_bytes()).ok();
        let Some(bytes) = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) else {
            bail!(
                "{}: the secret of '{tenant}' is damaged; restore the file from a backup",
                path.display()
            );
        };
        keys.push(TenantKeys::derive(tenant, &found.key_id, &bytes));
    }
    if secrets.len() > known {
        write(&path, &secrets)?;
    }
    Ok(Keyring::new(keys))
}

fn read(path: &Path) -> anyhow::Result<BTreeMap<String, Secret>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!("{} can be read by others: chmod 600 it", path.display());
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    toml::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
}

/// Written beside and moved into place, so that a crash never leaves half a file.
fn write(path: &Path, secrets: &BTreeMap<String, Secret>) -> anyhow::Result<()> {
    let beside = path.with_extension("toml.new");
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .with_context(|| format!("cannot write {}", beside.display()))?;
    file.write_all(b"# Secrets of the tenants. Keep a copy in a safe place: without them nothing can be read.\n")?;
    file.write_all(toml::to_string_pretty(secrets)?.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    if let Some(directory) = path.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let both = ["demo".to_owned(), "acme".to_owned()];
        let first = made(folder.path(), both.iter().take(1)).unwrap();
        assert!(shared(folder.path(), both.iter()).is_err(), "only where it may make them");
        let again = made(folder.path(), both.iter()).unwrap();
        assert!(shared(folder.path(), both.iter()).is_ok());
        let sealed = first.of("demo").unwrap().seal(b"m", b"oi").unwrap();
        assert_eq!(again.of("demo").unwrap().open(&sealed).unwrap(), b"oi");
        assert!(again.of("acme").unwrap().open(&sealed).is_err());
        let path = folder.path().join(FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(made(folder.path(), both.iter()).unwrap_err().to_string().contains("chmod 600"));
    }
}
