//! What a file is: what it is said to be, held to its first bytes, and to what is kept. Pure.

/// Containers of sound and pictures: their first bytes do not tell which, so their sender does.
const CONTAINERS: &[&[&str]] = &[
    &["audio/mp4", "video/mp4", "audio/aac", "video/3gpp", "audio/3gpp", "video/quicktime"],
    &["audio/webm", "video/webm", "video/x-matroska"],
];

/// The media type of `bytes`, if it is one of `kept` and of the family `said`.
pub(super) fn of(bytes: &[u8], said: &str, kept: &[String]) -> Option<String> {
    let found = usual(infer::get(bytes)?.mime_type());
    let said = said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let said = usual(&said);
    let contained = CONTAINERS.iter().any(|names| names.contains(&found) && names.contains(&said));
    let mime = if contained { said } else { found };
    let fits = matches!(said, "" | "application/octet-stream" | "binary/octet-stream")
        || said == mime
        || (family(said) == family(mime) && family(said) != "application");
    (fits && kept.iter().any(|name| name == mime)).then(|| mime.to_owned())
}

fn family(mime: &str) -> &str {
    mime.split('/').next().unwrap_or_default()
}

/// One name for what has several.
fn usual(mime: &str) -> &str {
    match mime {
        "audio/m4a" | "audio/x-m4a" => "audio/mp4",
        "audio/x-wav" | "audio/wave" | "audio/vnd.wave" => "audio/wav",
        "audio/opus" => "audio/ogg",
        "audio/mp3" => "audio/mpeg",
        "audio/x-flac" => "audio/flac",
        "video/x-m4v" => "video/mp4",
        "image/jpg" => "image/jpeg",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OGG: &[u8] = b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x13OpusHead";
    const MP4: &[u8] = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom";
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    const WAV: &[u8] = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0";

    fn kept() -> Vec<String> {
        let kept = ["audio/ogg", "audio/mp4", "video/mp4", "image/png", "audio/wav"];
        kept.map(str::to_owned).to_vec()
    }

    #[test]
    fn a_file_is_what_its_bytes_say() {
        for (bytes, said, mime) in [
            (OGG, "audio/ogg; codecs=opus", Some("audio/ogg")),
            (OGG, "audio/*", Some("audio/ogg")),
            (OGG, "", Some("audio/ogg")),
            (WAV, "audio/x-wav", Some("audio/wav")),
            (MP4, "audio/mp4", Some("audio/mp4")),
            (MP4, "video/mp4", Some("video/mp4")),
            (PNG, "application/octet-stream", Some("image/png")),
            (PNG, "image/jpeg", Some("image/png")),
            (PNG, "audio/ogg", None),
            (PNG, "application/pdf", None),
            (b"%PDF-1.7\n", "application/pdf", None),
            (b"<!DOCTYPE html><script>", "image/png", None),
            (b"MZ\x90\0\x03", "application/octet-stream", None),
            (b"so long", "text/plain", None),
            (b"", "audio/ogg", None),
        ] {
            assert_eq!(of(bytes, said, &kept()).as_deref(), mime, "{said}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_fail(bytes in prop::collection::vec(any::<u8>(), 0..300), said in "\\PC{0,30}") {
            let _ = of(&bytes, &said, &kept());
        }
    }
}
