//! A form as providers post it: `multipart/form-data` with files, or `application/x-www-form-urlencoded`.

use std::collections::HashSet;
use std::convert::Infallible;

use bytes::Bytes;
use futures::{FutureExt, stream};

use super::super::mail::{Content, Part, filled};
use crate::door::Malformed;

/// Fields and files looked at.
const FIELDS_MAX: usize = 500;

/// A form's fields, as bytes: their charsets differ.
#[derive(Debug, Default)]
pub(super) struct Form {
    fields: Vec<(String, Bytes)>,
    /// By the names of their fields.
    files: Vec<(String, Part)>,
}

impl Form {
    /// Reads a body by its Content-Type.
    pub(super) fn read(content_type: &str, body: &[u8]) -> Result<Self, Malformed> {
        let kind = content_type.trim_start().to_ascii_lowercase();
        if kind.starts_with("application/x-www-form-urlencoded") {
            let pairs = form_urlencoded::parse(body).take(FIELDS_MAX);
            let fields =
                pairs.map(|(name, value)| (name.into_owned(), Bytes::from(value.into_owned())));
            return Ok(Self { fields: fields.collect(), files: Vec::new() });
        }
        let boundary = multer::parse_boundary(content_type)
            .map_err(|_| Malformed("not a form: no boundary in its content type".to_owned()))?;
        // All of it is there, so nothing is ever waited for.
        let read = Self::parts(Bytes::copy_from_slice(body), boundary).now_or_never();
        read.and_then(Result::ok)
            .ok_or_else(|| Malformed("the form is cut off or malformed".to_owned()))
    }

    async fn parts(body: Bytes, boundary: String) -> multer::Result<Self> {
        let body = stream::iter([Ok::<_, Infallible>(body)]);
        let mut parts = multer::Multipart::new(body, boundary);
        let mut form = Self::default();
        while form.fields.len() + form.files.len() < FIELDS_MAX {
            let Some(field) = parts.next_field().await? else { break };
            let name = field.name().unwrap_or_default().to_owned();
            let filename = field.file_name().map(str::to_owned);
            let mime = field.content_type().map(|kind| kind.essence_str().to_owned());
            let bytes = field.bytes().await?;
            match filename {
                Some(filename) => {
                    let file = Part {
                        mime: mime.unwrap_or_else(|| "application/octet-stream".to_owned()),
                        filename: filled(&filename),
                        size_bytes: bytes.len(),
                        inline: false,
                        content: Content::Here(bytes),
                    };
                    form.files.push((name, file));
                }
                None => form.fields.push((name, bytes)),
            }
        }
        Ok(form)
    }

    /// A field's bytes.
    pub(super) fn bytes(&self, name: &str) -> Option<&Bytes> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, bytes)| bytes)
    }

    /// A field that is UTF-8.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.bytes(name)?).ok()
    }

    /// What came with it; the fields in `inline` are shown within the text.
    pub(super) fn files(self, inline: &HashSet<String>) -> Vec<Part> {
        let part = |(field, part): (String, Part)| Part { inline: inline.contains(&field), ..part };
        self.files.into_iter().map(part).collect()
    }
}
