//! In place of `tls.rs` where the feature `tls` is off: nobody has one of these, since building the app
//! refuses `https://` then.

use std::convert::Infallible;
use std::io;

use tokio::net::TcpStream;

use super::first_words::Spoken;
use super::room::{Place, Placed};
use crate::config::TlsConfig;

pub(crate) type CertificateError = &'static str;

#[derive(Debug)]
pub(crate) struct Tls(Infallible);

impl Tls {
    pub(super) fn new(_files: &TlsConfig, _http2: bool) -> Result<Self, CertificateError> {
        Err(crate::config::NEEDS_TLS)
    }

    pub(super) async fn accept(
        &self,
        _stream: TcpStream,
        _place: Place,
    ) -> io::Result<Option<(Placed<TcpStream>, Spoken)>> {
        match self.0 {}
    }

    pub(crate) fn reload(&self) -> Result<Option<String>, CertificateError> {
        match self.0 {}
    }

    pub(super) async fn renew(&self) {
        match self.0 {}
    }
}
