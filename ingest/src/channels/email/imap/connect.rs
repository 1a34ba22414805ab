//! A connection to a mailbox: TLS from the first byte, after STARTTLS, or none.

use std::fmt;
use std::time::Duration;

use async_imap::{Client, Session};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_native_tls::{TlsConnector, TlsStream};

/// How long a server may take to let us in.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte.
    Tls,
    /// TLS after STARTTLS; never without.
    Starttls,
    /// In clear: within one machine.
    None,
}

/// A mailbox.
#[derive(Clone)]
pub struct Mailbox {
    /// Its server.
    pub host: String,
    /// Its server's port.
    pub port: u16,
    /// How it is spoken to.
    pub security: Security,
    /// Who reads it.
    pub user: String,
    /// With which password.
    pub password: String,
    /// Which folder.
    pub folder: String,
    /// Certificates (PEM) of who signed the server's; none: those the system trusts.
    pub ca_file: Option<String>,
    /// At the first start unread mails that came so many hours before are read too.
    pub first_hours: i64,
}

/// Bytes to and from a server.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + fmt::Debug + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + fmt::Debug + Send> Wire for T {}

/// A mailbox we are let into.
pub(super) type Open = Session<Box<dyn Wire>>;

/// Logs in. What went wrong is said without what was sent.
pub(super) async fn connect(mailbox: &Mailbox) -> Result<Open, String> {
    timeout(PATIENCE, log_in(mailbox)).await.map_err(|_| "the server does not answer".to_owned())?
}

async fn log_in(mailbox: &Mailbox) -> Result<Open, String> {
    let tcp = TcpStream::connect((mailbox.host.as_str(), mailbox.port)).await;
    let tcp = tcp.map_err(|error| error.to_string())?;
    let wire: Box<dyn Wire> = match mailbox.security {
        Security::Tls => Box::new(encrypted(mailbox, tcp).await?),
        Security::Starttls => {
            let mut client = greeted(tcp).await?;
            let asked = client.run_command_and_check_ok("STARTTLS", None).await;
            asked.map_err(|_| "the server does not offer STARTTLS".to_owned())?;
            Box::new(encrypted(mailbox, client.into_inner()).await?)
        }
        Security::None => Box::new(tcp),
    };
    let client = match mailbox.security {
        Security::Starttls => Client::new(wire), // greeted before
        Security::Tls | Security::None => greeted(wire).await?,
    };
    client
        .login(&mailbox.user, &mailbox.password)
        .await
        .map_err(|(error, _)| format!("the log-in was refused: {}", kind_of(&error)))
}

async fn greeted<T: AsyncRead + AsyncWrite + Unpin + fmt::Debug + Send>(
    wire: T,
) -> Result<Client<T>, String> {
    let mut client = Client::new(wire);
    match client.read_response().await {
        Ok(Some(_)) => Ok(client),
        Ok(None) => Err("the server closed the connection".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

async fn encrypted(mailbox: &Mailbox, tcp: TcpStream) -> Result<TlsStream<TcpStream>, String> {
    let mut builder = native_tls::TlsConnector::builder();
    if let Some(path) = &mailbox.ca_file {
        let pem = std::fs::read(path);
        let pem = pem.map_err(|error| format!("ca_file cannot be read: {error}"))?;
        let signed_by = native_tls::Certificate::from_pem(&pem);
        builder.add_root_certificate(signed_by.map_err(|_| "ca_file is no certificate")?);
    }
    let connector = TlsConnector::from(builder.build().map_err(|error| error.to_string())?);
    let connected = connector.connect(&mailbox.host, tcp).await;
    connected.map_err(|error| format!("TLS failed: {error}"))
}

/// What went wrong, without what was said: that may be a customer's.
pub(super) fn kind_of(error: &async_imap::error::Error) -> String {
    use async_imap::error::Error;
    match error {
        Error::Io(error) => error.kind().to_string(),
        Error::Bad(_) => "the server says BAD".to_owned(),
        Error::No(_) => "the server says NO".to_owned(),
        Error::ConnectionLost => "the connection is lost".to_owned(),
        Error::Parse(_) => "the server's answer is unreadable".to_owned(),
        _ => "something else went wrong".to_owned(),
    }
}
