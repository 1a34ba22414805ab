use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::Value;

use super::super::parse;
use super::*;

fn own() -> Vec<String> {
    vec!["suporte@isp.example".to_owned()]
}

fn heard(raw: &[u8]) -> Option<Event> {
    adapt("suporte", &own(), &parse(raw)?)
}

#[track_caller]
fn message(raw: &[u8]) -> HeardMessage {
    match heard(raw) {
        Some(Event::Message(message) | Event::Enclosing(message, _)) => *message,
        other => panic!("no message: {other:?}"),
    }
}

/// Mails, where this machine has them.
fn samples() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/payloads/email/raw");
    if !folder.is_dir() {
        println!("SKIPPED: no mails in shared/payloads/email/raw");
        return None;
    }
    Some(folder)
}

fn sample_files() -> Vec<(String, Vec<u8>)> {
    let Some(folder) = samples() else { return Vec::new() };
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mails = files.filter(|path| path.extension().is_some_and(|kind| kind == "eml"));
    mails
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(&path).unwrap())
        })
        .collect()
}

/// Acceptance case 13.
#[test]
fn case_13_every_mail_says_what_is_expected() {
    let Some(folder) = samples() else { return };
    let expected: Value =
        serde_json::from_slice(&std::fs::read(folder.join("expect.json")).unwrap()).unwrap();
    let mut seen = 0;
    for (name, raw) in sample_files() {
        let Some(want) = expected["expect"].get(&name[..2]) else { continue };
        seen += 1;
        let str = |key: &str| want[key].as_str();
        if let Some(of) = str("bounce_of") {
            let Some(Event::Status(status)) = heard(&raw) else { panic!("{name}: no status") };
            assert_eq!(format!("<{}>", status.provider_message_id), of, "{name}");
            assert_eq!(status.status, ProviderStatusKind::Failed, "{name}");
            assert_eq!(status.contact.ids[0].value, "maria@cliente.example", "{name}");
            assert_eq!(status.error_code.as_deref(), Some("5.1.1"), "{name}");
            continue;
        }
        let message = message(&raw);
        let text = message.text.clone().unwrap_or_default();
        if let Some(has) = str("text_has") {
            assert!(text.contains(has), "{name}: {text}");
        }
        if let Some(new) = str("new_text") {
            assert_eq!(text, new, "{name}");
        }
        if let Some(thread) = str("thread") {
            assert_eq!(
                message.reply_to.map(|id| format!("<{id}>")).as_deref(),
                Some(thread),
                "{name}"
            );
        }
        if let Some(auto) = want["auto"].as_bool() {
            assert_eq!(message.auto_generated, auto, "{name}");
        }
        if let Some(count) = want["attachments"].as_u64() {
            assert_eq!(message.attachments.len() as u64, count, "{name}");
            assert_eq!(message.attachments[0].filename.as_deref(), str("filename"), "{name}");
            assert_eq!(message.kind, MessageKind::Document, "{name}");
        }
    }
    assert_eq!(seen, 7);
}

fn mail(headers: &str, body: &str) -> Vec<u8> {
    format!(
        "From: Maria <maria@cliente.example>\r\nTo: suporte@isp.example\r\n{headers}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Acceptance case 13, the kinds of which no sample is at hand.
#[test]
fn case_13_broken_charsets_are_read() {
    let with = |kind: &str, body: &[u8]| {
        let mut raw = mail(&format!("Subject: Re: x\r\nContent-Type: text/plain{kind}"), "");
        raw.extend_from_slice(body);
        message(&raw).text
    };
    let latin = b"m\xeas de mar\xe7o \x96 n\xe3o";
    let right = Some("mês de março – não".to_owned());
    for kind in [
        "; charset=x-desconhecido",
        "; charset=utf-8",
        "; charset=windows-1252",
        "; charset=us-ascii",
        "",
    ] {
        assert_eq!(with(kind, latin), right, "{kind}");
    }
    let utf8 = "mês de março – não".as_bytes();
    for kind in ["; charset=iso-8859-1", "; charset=utf-8", "", "; charset=ansi"] {
        assert_eq!(with(kind, utf8), right, "{kind}");
    }
    let quoted = with(
        "; charset=unknown-8bit\r\nContent-Transfer-Encoding: quoted-printable",
        b"m=EAs de mar=E7o =96 n=E3o",
    );
    assert_eq!(quoted, right);
    let mut raw =
        b"From: Jos\xe9 <jose@cliente.example>\r\nSubject: Instala\xe7\xe3o\r\n\r\nquando?"
            .to_vec();
    let read = message(&raw);
    assert_eq!(read.contact.name.as_deref(), Some("José"));
    assert_eq!(read.text.as_deref(), Some("Instalação\nquando?"));
    raw =
        b"From: =?x-unknown?Q?Jos=E9?= <jose@cliente.example>\r\nSubject: Re: x\r\n\r\noi".to_vec();
    assert_eq!(message(&raw).contact.name.as_deref(), Some("José"));
}

#[test]
fn case_13_html_alone_is_text() {
    let html = "<html><head><style>p{}</style></head><body><p>Sem <b>sinal</b></p><script>x()</script>\
                <div class=\"gmail_quote\">Em 20/11, Suporte escreveu:<blockquote>Olá</blockquote></div></body></html>";
    let raw = mail("Subject: Re: x\r\nContent-Type: text/html; charset=utf-8", html);
    assert_eq!(message(&raw).text.as_deref(), Some("Sem sinal"));
}

#[test]
fn the_subject_is_part_of_a_first_mail() {
    let text =
        |subject: &str, body: &str| message(&mail(&format!("Subject: {subject}"), body)).text;
    assert_eq!(text("Segunda via", "Bom dia").as_deref(), Some("Segunda via\nBom dia"));
    assert_eq!(text("Re: Segunda via", "Bom dia").as_deref(), Some("Bom dia"));
    assert_eq!(text("Sem sinal", "").as_deref(), Some("Sem sinal"));
    assert_eq!(text("Sem sinal", "Sem sinal aqui").as_deref(), Some("Sem sinal aqui"));
    assert_eq!(text("", ""), None);
}

/// RFC 3834 and what machines do that do not keep to it.
#[test]
fn machines_are_told_from_people() {
    let auto = |headers: &str| message(&mail(headers, "x")).auto_generated;
    for headers in [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: auto-generated; owner-email=\"a@b\"",
        "Auto-Submitted: Auto-Replied (vacation)",
        "Precedence: bulk",
        "Precedence: LIST",
        "Precedence: junk",
        "Precedence: auto_reply",
        "List-Id: <x.y>",
        "List-Unsubscribe: <mailto:a@b>",
        "List-Post: NO",
        "Return-Path: <>",
        "Return-Path: < >",
        "X-Autoreply: yes",
        "X-Autorespond: yes",
        "Subject: Resposta =?utf-8?q?autom=C3=A1tica=3A?= x",
        "Subject: Automatic reply: x",
        "Subject: Out of Office: x",
    ] {
        assert!(auto(headers), "{headers}");
    }
    for headers in [
        "Auto-Submitted: no",
        "X-Auto-Response-Suppress: All",
        "Precedence: normal",
        "Precedence: first-class",
        "Return-Path: <maria@cliente.example>",
        "Subject: Re: Resposta automática: x",
        "X-Priority: 1",
    ] {
        assert!(!auto(headers), "{headers}");
    }
    for from in [
        "no-reply@loja.example",
        "noreply@x.example",
        "nao-responda@banco.example",
        "naoresponda@x.example",
        "alerta.noreply@x.example",
        "MAILER-DAEMON@x.example",
        "bounces+1@x.example",
        "suporte@isp.example",
        "Suporte@ISP.example",
        "do_not_reply@x.example",
    ] {
        let raw = format!("From: {from}\r\nSubject: oi\r\n\r\noi");
        assert!(message(raw.as_bytes()).auto_generated, "{from}");
    }
    for from in ["maria@cliente.example", "reply@x.example", "norma.eply@x.example"] {
        let raw = format!("From: {from}\r\nSubject: oi\r\n\r\noi");
        assert!(!message(raw.as_bytes()).auto_generated, "{from}");
    }
}

#[test]
fn what_mail_servers_tell_is_never_a_question() {
    let report = |action: &str| {
        format!(
            "Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example\r\nSubject: x\r\nContent-Type: multipart/report; \
             report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nsorry\r\n--b\r\nContent-Type: message/delivery-status\
             \r\n\r\nReporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; Maria@Cliente.example\r\nAction: {action}\r\n\
             Status: 4.4.1\r\n\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <out@isp.example>\r\n--b--"
        )
    };
    let Some(Event::Status(status)) = heard(report("failed").as_bytes()) else { panic!() };
    assert_eq!(status.provider_message_id, "out@isp.example");
    assert_eq!(status.contact.ids[0].value, "maria@cliente.example");
    assert_eq!(heard(report("delayed").as_bytes()), None);
    let old =
        b"Return-Path: <>\r\nFrom: Mail Delivery <mailer-daemon@x.example>\r\n\r\nnot delivered";
    assert_eq!(heard(old), None);
}

#[test]
fn a_thread_is_told_by_references_then_subject() {
    let ours = schemas::thread::message_id("202611201234567890", "r", "isp.example");
    let name = |headers: &str| message(&mail(headers, "x")).thread.unwrap().name;
    let protocol = |digits: &str| ThreadName::Protocol(digits.to_owned());
    let by_id = name(&format!("In-Reply-To: <{ours}>\r\nSubject: Re: [#209912311234567890] outro"));
    assert_eq!(by_id, protocol("202611201234567890"));
    let by_reference = name(&format!("References: <a@b> <{ours}> <c@d>\r\nSubject: x"));
    assert_eq!(by_reference, protocol("202611201234567890"));
    assert_eq!(name("Subject: RES: [#20261120-000123] x"), protocol("20261120000123"));
    let subject = ThreadName::Subject("sem sinal".to_owned());
    for line in [
        "Subject: Sem sinal",
        "Subject: Re: RE: Sem  sinal",
        "Subject: Resposta automática: Sem sinal",
    ] {
        assert_eq!(name(line), subject, "{line}");
    }
}

#[test]
fn an_answer_refers_to_the_mail_and_all_before_it() {
    let raw = mail(
        "Message-ID: <m@c>\r\nReferences: <a@b> <c@d>\r\nIn-Reply-To: <c@d>\r\nSubject: Re: x",
        "y",
    );
    let refers = message(&raw).thread.unwrap().refers;
    assert_eq!(refers.message_id.as_deref(), Some("m@c"));
    assert_eq!(refers.references, ["a@b", "c@d"]);
    let many: String = (0..50).map(|n| format!("<r{n}@x> ")).collect();
    let refers = message(&mail(&format!("References: {many}"), "y")).thread.unwrap().refers;
    assert_eq!(refers.references.len(), REFERENCES_MAX);
    assert_eq!((refers.references[0].as_str(), refers.references[19].as_str()), ("r0@x", "r49@x"));
}

#[test]
fn a_mail_without_an_id_is_known_by_what_it_says() {
    let raw = |body: &str| mail("Date: Fri, 20 Nov 2026 10:32:11 -0300\r\nSubject: x", body);
    let one = message(&raw("sem sinal\r\n")).identity;
    assert_eq!(one, message(&raw("sem  sinal")).identity);
    assert_ne!(one, message(&raw("com sinal")).identity);
    assert!(matches!(one, Identity::Provider(id) if id.starts_with("digest:")));
}

#[test]
fn nobody_is_no_contact() {
    for raw in [
        "",
        "x",
        "Subject: oi\r\n\r\noi",
        "From: ninguem\r\n\r\noi",
        "From: <>\r\n\r\noi",
        "From: a b@c d\r\n\r\nx",
    ] {
        assert_eq!(heard(raw.as_bytes()), None, "{raw}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_fail(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = heard(&bytes);
    }

    /// Real mails with parts cut out, doubled and changed.
    #[test]
    fn no_mutation_makes_it_fail(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..12),
    ) {
        let samples = [
            mail("Subject: =?iso-8859-1?Q?m=EAs?=\r\nContent-Type: multipart/mixed; boundary=b",
                "--b\r\nContent-Type: text/html; charset=x\r\n\r\n<p>a<blockquote>b</blockquote>\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\nz\r\n--b--"),
            mail("Content-Type: multipart/report; boundary=b", "--b\r\nContent-Type: message/delivery-status\r\n\r\nAction: failed\r\n--b--"),
            mail("Subject: Re: [#20261120-000123] x\r\nReferences: <a@b>", "Oi\r\n\r\nEm 20/11/2026 10:32, x escreveu:\r\n> y\r\n-- \r\nz"),
        ];
        let mut raw = which.get(&samples).clone();
        for (at, byte, how) in changes {
            if raw.is_empty() { break; }
            let at = at.index(raw.len());
            match how {
                0 => raw[at] = byte,
                1 => { raw.remove(at); }
                2 => raw.insert(at, byte),
                _ => { let tail = raw[at..].to_vec(); raw.extend(tail); }
            }
        }
        let _ = heard(&raw);
    }
}
