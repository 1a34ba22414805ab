//! Handing a mail to a server, step by step.

use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use tokio::time::timeout;

use super::errors::{LATER, before, kind_of, later, refused};
use super::request::Mail;
use crate::deliver::SendError;

/// How long a server may take until it wants the text.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take over the text. It may look for viruses meanwhile; a lane waits for it.
const TEXT_PATIENCE: Duration = Duration::from_secs(60);
/// How long it may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

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

/// A server that takes mails.
#[derive(Clone)]
pub struct Server {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is spoken to.
    pub security: Security,
    /// Who sends; empty: it asks for nobody.
    pub user: String,
    /// With which password.
    pub password: String,
    /// Certificates (PEM) of who signed the server's; none: those the system trusts.
    pub ca_file: Option<String>,
}

/// Hands `mail` to `server`.
pub(super) async fn send(server: &Server, mail: &Mail) -> Result<(), SendError> {
    let offered = timeout(PATIENCE, offer(server, mail)).await;
    let mut connection = offered.unwrap_or_else(|_| {
        Err(SendError::NotAccepted {
            why: "the server does not answer".to_owned(),
            retry_after: None,
        })
    })?;
    let handed = timeout(TEXT_PATIENCE, connection.message(&mail.bytes)).await;
    let accepted = match handed {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) if error.is_transient() => Err(later(&error)),
        Ok(Err(error)) if error.is_permanent() => Err(refused(&error)),
        Ok(Err(error)) => Err(SendError::Unknown(kind_of(&error).to_owned())),
        Err(_) => Err(SendError::Unknown("the server does not answer".to_owned())),
    };
    // It has been accepted or not: how the goodbye goes is no matter.
    let _ = timeout(GOODBYE, connection.quit()).await;
    accepted
}

/// Goes as far as the server's word that it wants the text.
async fn offer(server: &Server, mail: &Mail) -> Result<AsyncSmtpConnection, SendError> {
    let mut connection = connect(server).await?;
    let mut parameters = Vec::new();
    if connection.server_info().supports_feature(Extension::EightBitMime) && !mail.bytes.is_ascii()
    {
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    let from = MailFrom::new(mail.envelope.from().cloned(), parameters);
    connection.command(from).await.map_err(|error| before(&error))?;
    for to in mail.envelope.to() {
        let to = Rcpt::new(to.clone(), Vec::new());
        connection.command(to).await.map_err(|error| before(&error))?;
    }
    connection.command(Data).await.map_err(|error| before(&error))?;
    Ok(connection)
}

/// Whatever goes wrong here is between the server and us, and no customer's reply is lost for it.
async fn connect(server: &Server) -> Result<AsyncSmtpConnection, SendError> {
    let ours = |why: &str| SendError::NotAccepted { why: why.to_owned(), retry_after: Some(LATER) };
    let tls = || tls(server).map_err(|why| ours(&why));
    let name = ClientId::default();
    let wrapped = (server.security == Security::Tls).then(tls).transpose()?;
    let address = (server.host.as_str(), server.port);
    let connected =
        AsyncSmtpConnection::connect_tokio1(address, Some(PATIENCE), &name, wrapped, None).await;
    let mut connection = connected.map_err(|error| SendError::NotAccepted {
        why: kind_of(&error).to_owned(),
        retry_after: None,
    })?;
    if server.security == Security::Starttls {
        if !connection.can_starttls() {
            return Err(ours("the server does not offer STARTTLS"));
        }
        connection.starttls(tls()?, &name).await.map_err(|error| ours(kind_of(&error)))?;
    }
    if !server.user.is_empty() {
        let credentials = Credentials::new(server.user.clone(), server.password.clone());
        let let_in = connection.auth(DEFAULT_MECHANISMS, &credentials).await;
        let_in.map_err(|_| ours("the log-in was refused"))?;
    }
    Ok(connection)
}

fn tls(server: &Server) -> Result<TlsParameters, String> {
    let mut parameters = TlsParameters::builder(server.host.clone());
    if let Some(path) = &server.ca_file {
        let pem =
            std::fs::read(path).map_err(|error| format!("ca_file cannot be read: {error}"))?;
        let certificate = Certificate::from_pem(&pem).map_err(|_| "ca_file is no certificate")?;
        parameters = parameters.add_root_certificate(certificate);
    }
    parameters.build_native().map_err(|error| kind_of(&error).to_owned())
}

#[cfg(test)]
mod tests;
