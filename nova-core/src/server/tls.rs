//! TLS: HTTPS on the listeners that are for it.

mod certificate;
mod renewal;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::server::TlsStream;

use super::first_words::Spoken;
use super::room::{Place, Placed};
use crate::config::TlsConfig;
use certificate::Certificate;
pub(crate) use certificate::CertificateError;
use renewal::Renewal;

/// A record of TLS begins a handshake with this byte (RFC 8446 §5.1); a request in clear text does not.
const HANDSHAKE: u8 = 0x16;
/// How many bytes may wait to be sent in rustls's own buffer: one record. What is there counts as sent, and
/// so a client that takes nothing is noticed that much later.
const BUFFERED: usize = 16 * 1024;
/// The names of the versions of HTTP (RFC 7301, RFC 9113 §3.1).
const HTTP_1: &[u8] = b"http/1.1";
const HTTP_2: &[u8] = b"h2";
/// How long, and how many bytes of, a client is listened to that has been told to speak TLS: a connection
/// that is closed with unread bytes is reset, and the client may lose what it was told.
const LINGER: Duration = Duration::from_secs(1);
const LINGERED: u64 = 64 * 1024;
const IN_CLEAR_TEXT: &str =
    "this port speaks HTTPS: write `https://` in place of `http://` in the address\n";

/// What makes connections secure, with a certificate that can be changed.
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    certificate: Arc<Certificate>,
    renewal: Renewal,
}

impl Tls {
    /// With the certificate and the key in these files, which are watched from here on.
    /// Where `http2` is spoken, it is what clients are offered first.
    pub(super) fn new(files: &TlsConfig, http2: bool) -> Result<Self, CertificateError> {
        // One that the program has installed is meant to be used.
        let provider = CryptoProvider::get_default().cloned();
        let provider = provider.unwrap_or_else(|| Arc::new(ring::default_provider()));
        let renewal = Renewal::of(files);
        let certificate = Arc::new(Certificate::read(files, Arc::clone(&provider))?);
        let resolver: Arc<Certificate> = Arc::clone(&certificate);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(CertificateError::provider)?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = match http2 {
            true => vec![HTTP_2.to_vec(), HTTP_1.to_vec()],
            false => vec![HTTP_1.to_vec()],
        };
        Ok(Tls {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            certificate,
            renewal,
        })
    }

    /// Shakes hands, and agrees on what is spoken: without a word of it, HTTP/1.1, since the preface of HTTP/2
    /// is for clear text alone (RFC 9113 §3.3). `None` with a client that was told to come by HTTPS.
    ///
    /// # Errors
    /// That of the stream, or why there is no connection: nothing that the operator could change.
    pub(super) async fn accept(
        &self,
        stream: TcpStream,
        place: Place,
    ) -> io::Result<Option<(TlsStream<Placed<TcpStream>>, Spoken)>> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first[0].is_ascii_uppercase() {
            refuse(stream).await?;
            return Ok(None);
        }
        if first[0] != HANDSHAKE {
            return Err(io::Error::other("what comes is no TLS"));
        }
        let handshake = self
            .acceptor
            .accept_with(Placed::new(stream, place), |session| {
                session.set_buffer_limit(Some(BUFFERED));
            });
        let stream = handshake.await?;
        let spoken = match stream.get_ref().1.alpn_protocol() {
            Some(HTTP_2) => Spoken::Http2,
            _ => Spoken::Http1,
        };
        Ok(Some((stream, spoken)))
    }

    /// Reads the files again, and says until when the new certificate is good; `None` if they are the same.
    /// It blocks for as long as that takes.
    ///
    /// # Errors
    /// What is wrong with them; nothing has changed then.
    pub(crate) fn reload(&self) -> Result<Option<String>, CertificateError> {
        self.certificate.reload()
    }

    /// Reads the files again whenever they change. It never ends.
    pub(super) async fn renew(&self) {
        self.renewal.run(&self.certificate).await;
    }
}

/// Answers what is most likely a request in clear text.
async fn refuse(mut stream: TcpStream) -> io::Result<()> {
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n\
         content-length: {}\r\n\r\n{IN_CLEAR_TEXT}",
        IN_CLEAR_TEXT.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    let mut rest = stream.take(LINGERED);
    let mut nowhere = tokio::io::sink();
    let _ = timeout(LINGER, tokio::io::copy(&mut rest, &mut nowhere)).await;
    Ok(())
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}
