use lettre::address::Envelope;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use super::*;

/// What a server says to each step; an empty word: it hangs up.
struct Script {
    to: [&'static str; 4],
}

/// A server that follows a script, once.
async fn scripted(script: Script) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut socket = BufReader::new(socket);
        socket.write_all(b"220 x\r\n").await.unwrap();
        let mut line = String::new();
        let mut in_text = false;
        while socket.read_line(&mut line).await.unwrap_or_default() > 0 {
            let [from, rcpt, data, text] = script.to;
            let said = match line.trim_end() {
                "." if in_text => {
                    in_text = false;
                    text
                }
                _ if in_text => "…",
                "DATA" => {
                    in_text = data.starts_with("354");
                    data
                }
                command if command.starts_with("EHLO") => "250 x",
                command if command.starts_with("MAIL") => from,
                command if command.starts_with("RCPT") => rcpt,
                _ => "221 bye",
            };
            line.clear();
            match said {
                "" => return,
                "…" => {}
                said => socket.write_all(format!("{said}\r\n").as_bytes()).await.unwrap(),
            }
        }
    });
    Server {
        host: "127.0.0.1".to_owned(),
        port,
        security: Security::None,
        user: String::new(),
        password: String::new(),
        ca_file: None,
    }
}

async fn told(to: [&'static str; 4]) -> Result<(), SendError> {
    let server = scripted(Script { to }).await;
    let envelope =
        Envelope::new(Some("a@b.example".parse().unwrap()), vec!["c@d.example".parse().unwrap()]);
    let bytes = b"Subject: x\r\n\r\noi\r\n".to_vec();
    send(&server, &Mail { message_id: "m@b".to_owned(), envelope: envelope.unwrap(), bytes }).await
}

#[tokio::test]
async fn only_what_a_server_took_or_may_have_taken_is_not_sent_again() {
    assert_eq!(told(["250 x", "250 x", "354 x", "250 x"]).await, Ok(()));
    let later = |told: Result<(), SendError>| matches!(told, Err(SendError::NotAccepted { .. }));
    let refused = |told: Result<(), SendError>| matches!(told, Err(SendError::Refused(_)));
    let unknown = |told: Result<(), SendError>| matches!(told, Err(SendError::Unknown(_)));
    assert!(later(told(["451 x", "", "", ""]).await));
    assert!(later(told(["250 x", "450 x", "", ""]).await), "greylisting");
    assert!(later(told(["250 x", "250 x", "421 x", ""]).await));
    assert!(later(told(["250 x", "250 x", "", ""]).await), "hung up before the text");
    assert!(later(told(["250 x", "250 x", "354 x", "452 x"]).await));
    assert!(refused(told(["550 x", "", "", ""]).await));
    assert!(refused(told(["250 x", "550 x", "", ""]).await));
    assert!(refused(told(["250 x", "250 x", "354 x", "554 x"]).await));
    assert!(unknown(told(["250 x", "250 x", "354 x", ""]).await), "hung up over the text");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_again() {
    let gone = Server { port: 1, ..scripted(Script { to: ["", "", "", ""] }).await };
    let envelope = Envelope::new(None, vec!["c@d.example".parse().unwrap()]).unwrap();
    let mail = Mail { message_id: String::new(), envelope, bytes: Vec::new() };
    assert!(matches!(send(&gone, &mail).await, Err(SendError::NotAccepted { .. })));
}
