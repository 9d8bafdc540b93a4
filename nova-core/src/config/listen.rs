//! Where an app listens.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Unexpected, Visitor};

/// Where an app listens: one entry of [`listen`](crate::ServerConfig::listen) in `[server]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ListenAddress {
    /// HTTP in clear text on an address and port: `127.0.0.1:8080`, or `http://127.0.0.1:8080`.
    Http(SocketAddr),
    /// HTTP over TLS, with the certificate of [`tls`](crate::ServerConfig::tls): `https://0.0.0.0:8443`.
    Https(SocketAddr),
    /// HTTP on a Unix socket, whose file is made and removed by the app: `unix:/run/app.sock`. A
    /// path in `nova.toml` is relative to that file.
    Unix(PathBuf),
}

const EXPECTED: &str = "an IP address with a port, such as \"127.0.0.1:8080\", or a Unix socket, such as \
                        \"unix:/run/app.sock\"";

impl ListenAddress {
    /// `None` for what is neither an address nor a path.
    fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            return (!path.is_empty()).then(|| ListenAddress::Unix(path.into()));
        }
        if let Some(address) = text.strip_prefix("https://") {
            return address.parse().ok().map(ListenAddress::Https);
        }
        let address = text.strip_prefix("http://").unwrap_or(text);
        address.parse().ok().map(ListenAddress::Http)
    }

    /// The same, with a path below `folder` where it is relative.
    pub(super) fn below(self, folder: &Path) -> Self {
        match self {
            ListenAddress::Unix(path) => ListenAddress::Unix(folder.join(path)),
            address => address,
        }
    }

    /// The address and port, where it has them.
    fn address(&self) -> Option<SocketAddr> {
        match self {
            ListenAddress::Http(address) | ListenAddress::Https(address) => Some(*address),
            ListenAddress::Unix(_) => None,
        }
    }

    /// Whether two of them cannot both be listened on: any number of free ports can.
    pub(super) fn excludes(&self, other: &Self) -> bool {
        match self {
            ListenAddress::Http(address) | ListenAddress::Https(address) => {
                address.port() != 0 && other.address() == Some(*address)
            }
            ListenAddress::Unix(_) => self == other,
        }
    }
}

/// As `server.listen` has it.
impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddress::Http(address) => address.fmt(f),
            ListenAddress::Https(address) => write!(f, "https://{address}"),
            ListenAddress::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl<'de> Deserialize<'de> for ListenAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One;
        impl Visitor<'_> for One {
            type Value = ListenAddress;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ListenAddress, E> {
                ListenAddress::parse(text)
                    .ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(One)
    }
}

/// One address, a text with several between commas, as a variable has it, or a list.
pub(super) fn addresses<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<ListenAddress>, D::Error> {
    struct Addresses;
    impl<'de> Visitor<'de> for Addresses {
        type Value = Vec<ListenAddress>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{EXPECTED}, or a list of such")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            let addresses = text.split(',').map(str::trim).map(|one| {
                ListenAddress::parse(one)
                    .ok_or_else(|| E::invalid_value(Unexpected::Str(one), &self))
            });
            addresses.collect()
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut addresses = Vec::new();
            while let Some(address) = list.next_element()? {
                addresses.push(address);
            }
            match addresses.is_empty() {
                true => Err(A::Error::custom("the app has to listen somewhere")),
                false => Ok(addresses),
            }
        }
    }
    deserializer.deserialize_any(Addresses)
}
