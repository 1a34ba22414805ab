//! The versions of side inputs in a committed position. Of a stage that runs alone: its version, as
//! plain text. Of a chain: for each link one byte of length, its name, two bytes of length (little
//! endian), its version.

use bytes::Bytes;
use smol_str::SmolStr;

use super::chain::Post;
use crate::log::LogError;

/// The versions the links have pinned for `partition`.
pub(super) fn write(posts: &[Post], partition: u32) -> Bytes {
    if let [alone] = posts {
        return Bytes::copy_from_slice(alone.link.pinned(partition).as_bytes());
    }
    encode(posts.iter().map(|post| (post.link.name(), post.link.pinned(partition))))
}

/// What [`write`] wrote, link by link; `None`: nothing was pinned for it.
pub(super) fn read(pins: &Bytes, posts: &[Post]) -> Result<Vec<Option<SmolStr>>, LogError> {
    if posts.len() == 1 {
        let version = std::str::from_utf8(pins).unwrap_or_default();
        return Ok(vec![(!version.is_empty()).then(|| version.into())]);
    }
    let found = decode(pins).ok_or_else(|| {
        LogError::Fatal("the versions pinned by the last commit are unreadable".to_owned())
    })?;
    let of = |name: &str| {
        let version = found.iter().find(|(stage, _)| stage == name).map(|(_, version)| version);
        version.filter(|version| !version.is_empty()).cloned()
    };
    Ok(posts.iter().map(|post| of(post.link.name())).collect())
}

fn encode<'a>(pins: impl Iterator<Item = (&'a str, &'a str)>) -> Bytes {
    let mut bytes = Vec::with_capacity(128);
    for (name, version) in pins {
        bytes.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(&u16::try_from(version.len()).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend_from_slice(version.as_bytes());
    }
    bytes.into()
}

fn decode(mut bytes: &[u8]) -> Option<Vec<(SmolStr, SmolStr)>> {
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(SmolStr::new);
    let mut pins = Vec::new();
    while let [length, rest @ ..] = bytes {
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (version, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        pins.push((text(name)?, text(version)?));
        bytes = rest;
    }
    Some(pins)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pins_round_trip(pins in prop::collection::vec(("[a-z-]{1,30}", "\\PC{0,100}"), 0..5)) {
            let bytes = encode(pins.iter().map(|(name, version)| (name.as_str(), version.as_str())));
            let expected: Vec<(SmolStr, SmolStr)> =
                pins.iter().map(|(name, version)| (name.into(), version.into())).collect();
            prop_assert_eq!(decode(&bytes), Some(expected));
        }

        #[test]
        fn any_bytes_are_read_without_failing(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode(&bytes);
        }
    }
}
