//! The certificate and its key: read, checked, and read again.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tokio_rustls::rustls;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tracing::warn;
use x509_cert::Certificate as X509;
use x509_cert::der::Decode;

use crate::config::TlsConfig;

/// What clients are shown. Connections that have begun keep what they were shown.
pub(super) struct Certificate {
    chain_file: PathBuf,
    key_file: PathBuf,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<CertifiedKey>,
}

/// What is wrong with the files of `[server.tls]`.
#[derive(Debug)]
pub(crate) enum CertificateError {
    /// A file cannot be read.
    Unreadable { file: PathBuf, error: io::Error },
    /// A file is no PEM, or has none of what belongs there.
    NoPem {
        file: PathBuf,
        what: &'static str,
        error: pem::Error,
    },
    /// The first certificate is none.
    Malformed { file: PathBuf, why: String },
    /// The key is of a kind that is not known, or not that of the certificate.
    Key {
        file: PathBuf,
        chain: PathBuf,
        error: rustls::Error,
    },
    /// The program has installed what cannot speak any version of TLS.
    Provider(rustls::Error),
}

impl Certificate {
    pub(super) fn read(
        files: &TlsConfig,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, CertificateError> {
        // The working directory may change later.
        let whole = |file: &Option<PathBuf>| {
            let file = file.clone().unwrap_or_default();
            std::path::absolute(&file).unwrap_or(file)
        };
        let (chain_file, key_file) = (whole(&files.certificate), whole(&files.key));
        let current = read(&chain_file, &key_file, &provider)?;
        Ok(Certificate {
            current: ArcSwap::from_pointee(current),
            chain_file,
            key_file,
            provider,
        })
    }

    /// As [`Tls::reload`](super::Tls::reload).
    pub(super) fn reload(&self) -> Result<Option<String>, CertificateError> {
        let new = read(&self.chain_file, &self.key_file, &self.provider)?;
        if new.cert == self.current.load().cert {
            return Ok(None);
        }
        let until = validity(&new.cert[0], &self.chain_file)?;
        self.current.store(Arc::new(new));
        Ok(Some(until))
    }
}

/// Whatever name the client asks for: there is one certificate.
impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn read(
    chain_file: &Path,
    key_file: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, CertificateError> {
    let no_pem = |file: &Path, what| {
        let file = file.to_path_buf();
        move |error| match error {
            pem::Error::Io(error) => CertificateError::Unreadable { file, error },
            error => CertificateError::NoPem { file, what, error },
        }
    };
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(chain_file).and_then(Iterator::collect);
    let chain = match chain {
        Ok(chain) if chain.is_empty() => Err(pem::Error::NoItemsFound),
        chain => chain,
    };
    let chain = chain.map_err(no_pem(chain_file, "CERTIFICATE"))?;
    validity(&chain[0], chain_file)?;
    let key = PrivateKeyDer::from_pem_file(key_file).map_err(no_pem(key_file, "PRIVATE KEY"))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| CertificateError::Key {
        file: key_file.to_path_buf(),
        chain: chain_file.to_path_buf(),
        error,
    })
}

/// Until when it is good. A certificate that is not good now is served all the same, and told.
fn validity(certificate: &CertificateDer<'_>, file: &Path) -> Result<String, CertificateError> {
    let parsed = X509::from_der(certificate).map_err(|error| CertificateError::Malformed {
        file: file.to_path_buf(),
        why: error.to_string(),
    })?;
    let validity = parsed.tbs_certificate().validity();
    let (since, until) = (
        validity.not_before.to_system_time(),
        validity.not_after.to_system_time(),
    );
    let (now, shown) = (SystemTime::now(), humantime::format_rfc3339_seconds);
    if until < now {
        warn!(
            "the certificate in {} has expired at {}: clients will refuse it; renew it",
            file.display(),
            shown(until)
        );
    }
    if since > now {
        warn!(
            "the certificate in {} is not good before {}: clients will refuse it; is this machine's clock right?",
            file.display(),
            shown(since)
        );
    }
    Ok(shown(until).to_string())
}

impl CertificateError {
    pub(super) fn provider(error: rustls::Error) -> Self {
        CertificateError::Provider(error)
    }
}

/// What is wrong, and in the next line what to do.
impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CertificateError::Unreadable { file, error } => write!(
                f,
                "{} cannot be read: {error}\n\
                 help: `certificate` and `key` in the `[server.tls]` table of `nova.toml` are the paths of two \
                 files, which the app's user has to be able to read",
                file.display()
            ),
            CertificateError::NoPem { file, what, error } => write!(
                f,
                "{} is no PEM file with a {}: {error}\n\
                 help: such a file has a line `-----BEGIN {what}-----`; `openssl` makes one of other forms",
                file.display(),
                what.to_lowercase(),
            ),
            CertificateError::Malformed { file, why } => write!(
                f,
                "the first certificate in {} is malformed: {why}\n\
                 help: get the file once more from who has issued it",
                file.display()
            ),
            CertificateError::Key { file, chain, error } => {
                let is_other = matches!(error, rustls::Error::InconsistentKeys(_));
                match is_other {
                    true => write!(
                        f,
                        "the key in {} is not that of the first certificate in {}\n\
                         help: name the two files that were made together; in that of the certificate, the \
                         server's own stands first, and those that vouch for it behind",
                        file.display(),
                        chain.display()
                    ),
                    false => write!(
                        f,
                        "the key in {} is no use: {error}\n\
                         help: it should be an RSA key of at least 2048 bits, or one on the curve P-256, \
                         P-384 or Ed25519, and without a password",
                        file.display()
                    ),
                }
            }
            CertificateError::Provider(error) => write!(
                f,
                "the `CryptoProvider` that the program has installed speaks no TLS: {error}\n\
                 help: install another, or none"
            ),
        }
    }
}

impl Error for CertificateError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            CertificateError::Unreadable { error, .. } => Some(error),
            CertificateError::NoPem { error, .. } => Some(error),
            CertificateError::Malformed { .. } => None,
            CertificateError::Key { error, .. } | CertificateError::Provider(error) => Some(error),
        }
    }
}

/// Without the key.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("chain_file", &self.chain_file)
            .field("key_file", &self.key_file)
            .finish_non_exhaustive()
    }
}
