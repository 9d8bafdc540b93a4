//! Which of a file's compressed forms a client wants, by its `accept-encoding` (RFC 9110 §12.5.3).

use std::path::{Path, PathBuf};

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

use crate::accept::thousandths;

/// A way to compress, and the end of the names of files that are compressed so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Coding {
    pub(super) name: &'static str,
    extension: &'static str,
}

/// Of two that a client wants equally, the first is sent: it is the shorter one, usually.
const CODINGS: [Coding; 3] = [
    Coding {
        name: "br",
        extension: ".br",
    },
    Coding {
        name: "zstd",
        extension: ".zst",
    },
    Coding {
        name: "gzip",
        extension: ".gz",
    },
];

/// All codings: those that the client takes, the dearest first, and then the others.
#[derive(Debug)]
pub(super) struct Codings {
    pub(super) taken: Vec<Coding>,
    pub(super) others: Vec<Coding>,
}

impl Coding {
    /// Where the compressed form of a file is.
    pub(super) fn beside(self, path: &Path) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(self.extension);
        name.into()
    }
}

impl Codings {
    pub(super) fn by(headers: &HeaderMap) -> Self {
        let lines: Vec<_> = headers
            .get_all(ACCEPT_ENCODING)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .collect();
        let named: Vec<_> = lines
            .iter()
            .flat_map(|line| line.split(','))
            .filter_map(weighed)
            .collect();
        let weight = |coding: &str| {
            let of = |name: &str| named.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
            of(coding).map(|(_, weight)| *weight)
        };
        let star = weight("*").unwrap_or(0);
        // Who does not name it takes it, but would rather have anything that is named.
        let plain = weight("identity").unwrap_or(1);
        let weight = |coding: &Coding| weight(coding.name).unwrap_or(star);
        let (mut taken, others): (Vec<_>, Vec<_>) = CODINGS.into_iter().partition(|coding| {
            let weight = weight(coding);
            weight > 0 && weight >= plain
        });
        taken.sort_by_key(|coding| std::cmp::Reverse(weight(coding)));
        Codings { taken, others }
    }
}

/// `gzip;q=0.5`; `None` for what is malformed, which is passed over.
fn weighed(part: &str) -> Option<(&str, u16)> {
    let mut parts = part.split(';').map(str::trim);
    let coding = parts.next().filter(|coding| !coding.is_empty())?;
    let Some(weight) = parts.next() else {
        return Some((coding, 1000));
    };
    let (name, weight) = weight.split_once('=')?;
    let is_weight = name.trim().eq_ignore_ascii_case("q");
    Some((coding, thousandths(weight.trim()).filter(|_| is_weight)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ACCEPT_ENCODING, line.parse().unwrap());
        }
        let wanted = Codings::by(&headers);
        assert_eq!(wanted.taken.len() + wanted.others.len(), CODINGS.len());
        let names: Vec<_> = wanted.taken.iter().map(|coding| coding.name).collect();
        names.join(" ")
    }

    #[test]
    fn what_the_client_wants_most_comes_first() {
        for (accept, expected) in [
            ("gzip, deflate, br, zstd", "br zstd gzip"),
            ("gzip", "gzip"),
            ("GZIP;Q=0.5", "gzip"),
            ("br;q=0.5, gzip;q=0.9", "gzip br"),
            ("br;q=0, gzip", "gzip"),
            ("*", "br zstd gzip"),
            ("*;q=0.5, gzip", "gzip br zstd"),
            ("*, br;q=0", "zstd gzip"),
            ("identity, gzip;q=0.5", ""),
            ("identity;q=0.5, gzip;q=0.5", "gzip"),
            ("identity;q=0, gzip;q=0.1", "gzip"),
            ("gzip;q=2, br;q=x, zstd;z=1, ;q=1", ""),
            ("deflate", ""),
            ("", ""),
        ] {
            assert_eq!(taken(&[accept]), expected, "{accept}");
        }
        assert_eq!(taken(&[]), "");
        assert_eq!(taken(&["gzip;q=0.1", "br;q=0.2"]), "br gzip");
    }
}
