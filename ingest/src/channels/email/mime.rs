//! From the bytes of a mail (RFC 5322, MIME) to a [`Mail`]. Pure; no bytes make it fail.

use bytes::Bytes;
use mail_parser::{Message, MessageParser, MessagePart, MimeHeaders, PartType};

use super::charset::{mended_header, text_of};
use super::mail::{Content, Mail, Part, Report, filled, plain_address};

/// Parts looked at; nobody writes more, and a bomb has thousands.
const PARTS_MAX: usize = 200;

/// Reads a mail; `None` when there is nothing that could be one.
#[must_use]
pub fn parse(raw: &[u8]) -> Option<Mail> {
    let (head, body) = raw.split_at(header_end(raw));
    let mut whole = mended_header(head).into_owned();
    whole.extend_from_slice(body);
    let message = MessageParser::default().parse(&whole)?;
    let mut mail = Mail::head(&message);
    mail.text =
        body_of(&message, &message.text_body, |part| matches!(part.body, PartType::Text(_)));
    mail.html =
        body_of(&message, &message.html_body, |part| matches!(part.body, PartType::Html(_)));
    let attached = message.attachments.iter().take(PARTS_MAX);
    mail.attachments = attached.filter_map(|id| attachment(part(&message, *id)?)).collect();
    mail.report = report(&message);
    Some(mail)
}

/// Where the header fields end.
fn header_end(raw: &[u8]) -> usize {
    let mut at = 0;
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        if line.trim_ascii().is_empty() {
            break;
        }
    }
    at
}

fn part<'m, 'x>(message: &'m Message<'x>, id: u32) -> Option<&'m MessagePart<'x>> {
    message.parts.get(usize::try_from(id).ok()?)
}

/// The texts of one kind, one after the other.
fn body_of(
    message: &Message<'_>,
    ids: &[u32],
    is_kind: impl Fn(&MessagePart<'_>) -> bool,
) -> Option<String> {
    let parts = ids.iter().take(PARTS_MAX).filter_map(|id| part(message, *id));
    let raw = message.raw_message.as_ref();
    let texts: Vec<String> =
        parts.filter(|part| is_kind(part)).filter_map(|part| text_of(raw, part)).collect();
    let all = texts.join("\n");
    (!all.trim().is_empty()).then_some(all)
}

fn attachment(part: &MessagePart<'_>) -> Option<Part> {
    let mime = part.content_type().map_or_else(
        || "application/octet-stream".to_owned(),
        |kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or("octet-stream")),
    );
    // The parts of a report are what it says, not what came with it.
    if mime.eq_ignore_ascii_case("message/delivery-status") {
        return None;
    }
    let disposition = part.content_disposition();
    Some(Part {
        mime: mime.to_ascii_lowercase(),
        filename: part.attachment_name().and_then(filled),
        size_bytes: part.contents().len(),
        inline: disposition.is_some_and(|shown| shown.is_inline())
            || (part.content_id().is_some()
                && !disposition.is_some_and(|shown| shown.is_attachment())),
        content: Content::Here(Bytes::copy_from_slice(part.contents())),
    })
}

/// What a mail server tells of a mail of ours (RFC 3464).
fn report(message: &Message<'_>) -> Option<Report> {
    let kind = message.content_type()?;
    let is_report = kind.ctype().eq_ignore_ascii_case("multipart")
        && kind.subtype().is_some_and(|subtype| subtype.eq_ignore_ascii_case("report"));
    if !is_report {
        return None;
    }
    let mut report = Report::default();
    for part in message.parts.iter().take(PARTS_MAX) {
        let subtype = part.content_type().and_then(|kind| kind.subtype()).unwrap_or_default();
        match subtype.to_ascii_lowercase().as_str() {
            "delivery-status" => status_fields(part.contents(), &mut report),
            "rfc822" | "rfc822-headers" => {
                report.of = match part.message() {
                    Some(returned) => returned.message_id().and_then(filled),
                    None => Mail::of_headers(part.contents()).message_id,
                };
            }
            _ => {}
        }
    }
    (!report.action.is_empty()).then_some(report)
}

/// The fields of a delivery status; where it names several recipients, those of the first.
fn status_fields(bytes: &[u8], report: &mut Report) {
    let text = String::from_utf8_lossy(bytes);
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "final-recipient" | "original-recipient" if report.recipient.is_none() => {
                let address = value.split_once(';').map_or(value, |(_, address)| address);
                report.recipient = plain_address(address);
            }
            "action" if report.action.is_empty() => report.action = value.to_ascii_lowercase(),
            "status" if report.code.is_none() => report.code = filled(value),
            _ => {}
        }
    }
}
