//! Why an app cannot listen.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::super::tls::CertificateError;
use crate::config::{Config, ListenAddress};
use crate::origin::Origin;

/// Why an app cannot listen where its settings say: all that is wrong, with what to do about each.
#[derive(Debug)]
pub struct ListenErrors {
    problems: Vec<Problem>,
    listen: Vec<ListenAddress>,
    /// Where that was set, if anybody has.
    origin: Option<Origin>,
}

/// What is wrong with one socket.
#[derive(Debug)]
pub(super) enum Problem {
    Tcp {
        address: SocketAddr,
        error: io::Error,
    },
    Unix {
        path: PathBuf,
        why: String,
        help: String,
    },
    /// The certificate, or its key, will not do.
    Tls(CertificateError),
    /// A socket for HTTPS was passed, and there is no certificate.
    NoCertificate,
    /// A socket that the process was started with.
    #[cfg_attr(not(unix), expect(dead_code, reason = "nobody passes any there"))]
    Inherited { what: String, why: String },
}

impl Problem {
    pub(super) fn unix(path: &Path, why: String, help: &str) -> Self {
        Problem::Unix {
            path: path.to_path_buf(),
            why,
            help: help.to_owned(),
        }
    }
}

impl ListenErrors {
    pub(super) fn new(problems: Vec<Problem>, config: &Config) -> Self {
        let origin = config.origin("server.listen");
        ListenErrors {
            problems,
            listen: config.server.listen.clone(),
            origin: origin.filter(|origin| !origin.is_default()).cloned(),
        }
    }

    /// How to listen on `other` in place of `address`.
    fn change(&self, address: SocketAddr, other: SocketAddr) -> String {
        let other = self.listen.iter().map(|one| match one {
            ListenAddress::Http(taken) if *taken == address => {
                ListenAddress::Http(other).to_string()
            }
            ListenAddress::Https(taken) if *taken == address => {
                ListenAddress::Https(other).to_string()
            }
            one => one.to_string(),
        });
        let other: Vec<String> = other.collect();
        let note = self.origin.as_ref().map_or_else(String::new, |origin| {
            format!("\nnote: it is {origin} that says {address}")
        });
        format!(
            "`listen` in the `[server]` table of `nova.toml`, or NOVA_SERVER__LISTEN={}{note}",
            other.join(",")
        )
    }

    fn write(&self, problem: &Problem, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match problem {
            Problem::Tcp { address, error } => {
                let address = *address;
                match error.kind() {
                    io::ErrorKind::AddrInUse => {
                        let other = SocketAddr::new(
                            address.ip(),
                            address.port().checked_add(1).unwrap_or(8080),
                        );
                        write!(
                            f,
                            "cannot listen on {address}: the port is taken\n\
                             help: stop the program that has it, or choose another: {}",
                            self.change(address, other)
                        )
                    }
                    io::ErrorKind::PermissionDenied => write!(
                        f,
                        "cannot listen on {address}: {error}\n\
                         help: ports below 1024 are for privileged programs; choose another: {}",
                        self.change(address, SocketAddr::new(address.ip(), 8080))
                    ),
                    _ => write!(
                        f,
                        "cannot listen on {address}: {error}\nhelp: choose another: {}",
                        self.change(address, SocketAddr::from(([127, 0, 0, 1], 8080)))
                    ),
                }
            }
            Problem::Unix { path, why, help } => write!(
                f,
                "cannot listen on unix:{}: {why}\nhelp: {help}",
                path.display()
            ),
            Problem::Tls(error) => write!(f, "cannot serve HTTPS: {error}"),
            Problem::NoCertificate => write!(
                f,
                "cannot serve HTTPS: there is no certificate\n\
                 help: set `certificate` and `key` in the `[server.tls]` table of `nova.toml`"
            ),
            Problem::Inherited { what, why } => write!(
                f,
                "cannot listen on {what}, which the process was started with: {why}\n\
                 help: the service manager has to pass listening sockets of TCP or Unix streams; \
                 with systemd, `ListenStream=` in the `.socket` unit, without `Accept=yes`"
            ),
        }
    }
}

/// All of them, with what to do, and an empty line between.
impl fmt::Display for ListenErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.problems.iter().enumerate() {
            if position > 0 {
                f.write_str("\n\n")?;
            }
            self.write(problem, f)?;
        }
        Ok(())
    }
}

impl Error for ListenErrors {
    /// The system's reason of the first that has one.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.problems.iter().find_map(|problem| match problem {
            Problem::Tcp { error, .. } => Some(error as &(dyn Error + 'static)),
            _ => None,
        })
    }
}
