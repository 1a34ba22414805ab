//! What stands between our process and a mail server: it passes on what is said, speaks TLS in the server's
//! place, and cuts lines.

use std::io;
use std::sync::Arc;

use native_tls::Identity;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::PATIENCE;

/// How it is spoken to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    /// As the server is.
    Plain,
    /// TLS from the first byte.
    Tls,
    /// IMAP that goes over to TLS.
    ImapStarttls,
    /// SMTP that goes over to TLS.
    SmtpStarttls,
}

/// It.
pub(super) struct Front {
    pub(super) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    target: String,
    speaks: Speaks,
    identity: Mutex<Option<Identity>>,
    /// All that was said to the server, in TLS or not.
    said: watch::Sender<String>,
    /// What was said to it without TLS where there should be some.
    in_clear: Mutex<String>,
    cut: watch::Sender<()>,
}

impl Front {
    /// Stands before the server at `target`, showing `identity`.
    pub(super) async fn of(target: &str, speaks: Speaks, identity: Option<Identity>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            target: target.to_owned(),
            speaks,
            identity: Mutex::new(identity),
            said: watch::Sender::default(),
            in_clear: Mutex::default(),
            cut: watch::Sender::default(),
        });
        let here = Arc::clone(&shared);
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let shared = Arc::clone(&here);
                tokio::spawn(async move {
                    let mut cut = shared.cut.subscribe();
                    tokio::select! {
                        // However it ends: the line is down.
                        _ = shared.serve(socket) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self { port, shared }
    }

    /// Shows another certificate from now on.
    pub(super) fn shows(&self, identity: Identity) {
        *self.shared.identity.lock() = Some(identity);
    }

    /// Every line goes down, in the middle of whatever is said.
    pub(super) fn cuts(&self) {
        self.shared.cut.send_replace(());
    }

    /// What was said without TLS before a line was safe, or was to be.
    pub(super) fn in_clear(&self) -> String {
        self.shared.in_clear.lock().clone()
    }

    /// All that was said to the server.
    pub(super) fn said(&self) -> String {
        self.shared.said.borrow().clone()
    }

    /// Waits until `word` was said so many times.
    pub(super) async fn heard(&self, word: &str, times: usize) {
        let mut said = self.shared.said.subscribe();
        let enough = said.wait_for(|said| said.matches(word).count() >= times);
        tokio::time::timeout(PATIENCE, enough).await.unwrap().unwrap();
    }
}

impl Shared {
    async fn serve(&self, mut socket: TcpStream) -> io::Result<()> {
        match self.speaks {
            Speaks::Plain => return self.pass(socket, false).await,
            Speaks::Tls => {}
            Speaks::ImapStarttls => {
                socket.write_all(b"* OK ready\r\n").await?;
                let asked = self.line(&mut socket).await?;
                let (tag, command) = asked.split_once(' ').unwrap_or_default();
                if !command.starts_with("STARTTLS") {
                    return socket.write_all(format!("{tag} BAD first\r\n").as_bytes()).await;
                }
                socket.write_all(format!("{tag} OK go\r\n").as_bytes()).await?;
            }
            Speaks::SmtpStarttls => {
                socket.write_all(b"220 ready\r\n").await?;
                self.line(&mut socket).await?;
                socket.write_all(b"250-here\r\n250 STARTTLS\r\n").await?;
                if !self.line(&mut socket).await?.starts_with("STARTTLS") {
                    return socket.write_all(b"530 first\r\n").await;
                }
                socket.write_all(b"220 go\r\n").await?;
            }
        }
        let identity = self.identity.lock().clone().unwrap();
        let acceptor = native_tls::TlsAcceptor::new(identity).map_err(io::Error::other)?;
        let acceptor = tokio_native_tls::TlsAcceptor::from(acceptor);
        let safe = acceptor.accept(socket).await.map_err(io::Error::other)?;
        self.pass(safe, self.speaks != Speaks::Tls).await
    }

    /// A line said in clear; nothing behind it is read.
    async fn line(&self, socket: &mut TcpStream) -> io::Result<String> {
        let mut line = String::new();
        while !line.ends_with('\n') {
            line.push(char::from(socket.read_u8().await?));
        }
        self.in_clear.lock().push_str(&line);
        Ok(line)
    }

    async fn pass(&self, theirs: impl AsyncRead + AsyncWrite, was_greeted: bool) -> io::Result<()> {
        let mut server = TcpStream::connect(&self.target).await?;
        if was_greeted {
            while server.read_u8().await? != b'\n' {}
        }
        let (mut from_us, mut to_us) = tokio::io::split(theirs);
        let (mut from_server, mut to_server) = server.split();
        let up = async {
            let mut bytes = vec![0; 16 << 10];
            loop {
                let read = from_us.read(&mut bytes).await?;
                if read == 0 {
                    return Ok(());
                }
                to_server.write_all(&bytes[..read]).await?;
                let said = String::from_utf8_lossy(&bytes[..read]).into_owned();
                self.said.send_modify(|all| all.push_str(&said));
            }
        };
        let down = async { tokio::io::copy(&mut from_server, &mut to_us).await.map(|_| ()) };
        tokio::select! { ended = up => ended, ended = down => ended }
    }
}

/// Who signs certificates.
pub(super) struct Authority {
    certificate: X509,
    key: PKey<Private>,
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let key = key();
        let certificate = signed(name, &key, None);
        Self { certificate, key }
    }

    /// As it is told to those who are to trust it.
    pub(super) fn pem(&self) -> Vec<u8> {
        self.certificate.to_pem().unwrap()
    }

    /// A server at 127.0.0.1.
    pub(super) fn server(&self) -> Identity {
        let key = key();
        let certificate = signed("server", &key, Some(self)).to_pem().unwrap();
        Identity::from_pkcs8(&certificate, &key.private_key_to_pem_pkcs8().unwrap()).unwrap()
    }
}

fn key() -> PKey<Private> {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap()
}

/// A certificate of 127.0.0.1 by an authority; without one, of an authority by itself.
fn signed(name: &str, key: &PKey<Private>, by: Option<&Authority>) -> X509 {
    let mut called = X509NameBuilder::new().unwrap();
    called.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    let called = called.build();
    let mut made = X509::builder().unwrap();
    made.set_version(2).unwrap();
    let serial = BigNum::from_u32(if by.is_some() { 2 } else { 1 }).unwrap();
    made.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    made.set_subject_name(&called).unwrap();
    made.set_issuer_name(by.map_or(&*called, |by| by.certificate.subject_name())).unwrap();
    made.set_pubkey(key).unwrap();
    made.set_not_before(&Asn1Time::from_unix(0).unwrap()).unwrap();
    made.set_not_after(&Asn1Time::days_from_now(30).unwrap()).unwrap();
    let extension = match by {
        None => BasicConstraints::new().critical().ca().build().unwrap(),
        Some(by) => {
            let context = made.x509v3_context(Some(&by.certificate), None);
            SubjectAlternativeName::new().ip("127.0.0.1").build(&context).unwrap()
        }
    };
    made.append_extension(extension).unwrap();
    made.sign(by.map_or(key, |by| &by.key), MessageDigest::sha256()).unwrap();
    made.build()
}
