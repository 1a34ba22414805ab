//! Acceptance case 14: whose absence is told by a machine is answered once, whatever the machine says of itself.

use tests::server::Server;

use super::*;

/// Rounds of each customer.
const ROUNDS: usize = 20;

/// What an absent customer's machine sends: header fields and the beginning of its subject.
const MACHINES: [(&str, &str, &str); 5] = [
    ("padrao", "Auto-Submitted: auto-replied\r\n", "Re: "),
    ("antiga", "X-Autoreply: yes\r\n", "Re: "),
    ("lista", "Precedence: auto_reply\r\n", "Re: "),
    ("assunto", "", "Resposta automática: "),
    ("calada", "", "Re: "),
];

/// The Message-ID of the last mail of ours that came to `user`.
fn last_answer(mails: &str) -> Option<&str> {
    let ours = mails.lines().filter(|line| line.ends_with("@isp.example>"));
    ours.filter_map(|line| line.strip_prefix("Message-ID: ")).next_back()
}

/// Two absent ones would answer each other for ever: a hundred times a customer writes, and a machine of
/// theirs answers what they got from us.
#[tokio::test(flavor = "multi_thread")]
async fn case_14_a_hundred_rounds_with_machines_are_one_answer_each() {
    let Some(mail) = Mail::at_hand() else { return };
    let dir = tempfile::tempdir().unwrap();
    let ours = "nove@isp.example";
    // Every mail is a turn, so that each could be answered.
    let by = options(&mail, &dir, ours).with("GROUPING__ENABLED", "false");
    let server = Server::start(by).await.unwrap();
    let api = server.api();
    for (kind, _, _) in MACHINES {
        let head = format!("Subject: Planos\r\nMessage-ID: <{kind}@c>");
        mail.send(&format!("{kind}@fora.example"), ours, &head, "quais planos vocês têm?");
    }
    for (kind, _, _) in MACHINES {
        mail.with(&format!("{kind}@fora.example"), &format!("In-Reply-To: <{kind}@c>")).await;
    }
    for round in 1..=ROUNDS {
        for (kind, headers, prefix) in MACHINES {
            let from = format!("{kind}@fora.example");
            let got = mail.of(&from);
            let refers = last_answer(&got).unwrap();
            let begins = |id: &str, subject: &str| {
                format!(
                    "Message-ID: <{kind}{id}{round}@c>\r\nIn-Reply-To: {refers}\r\n\
                         References: {refers}\r\nContent-Type: text/plain; charset=utf-8\r\n\
                         Subject: {subject}Planos"
                )
            };
            let machine = format!("{headers}{}", begins("m", prefix));
            mail.send(&from, ours, &machine, "Estou de férias e volto no dia 5.");
            mail.send(&from, ours, &begins("p", "Re: "), "e quanto custa o plano de 500 mega?");
        }
        // The next round comes when this one has been decided, so that nothing is grouped.
        let all = MACHINES.len() * (1 + 2 * round);
        let heard = |lines: &[Value]| of(lines, "message_received").len() >= all;
        api.until_lines(PATIENCE, heard).await.unwrap();
    }
    let decided =
        |lines: &[Value]| of(lines, "turn_decided").len() >= MACHINES.len() * (1 + ROUNDS);
    api.until_lines(PATIENCE, decided).await.unwrap();
    for (kind, _, _) in MACHINES {
        let got = mail.of(&format!("{kind}@fora.example"));
        let answers = got.matches("Auto-Submitted: auto-replied").count();
        assert_eq!(answers, 1, "{kind}: {got}");
    }
}
