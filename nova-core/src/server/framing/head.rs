//! The head of a request: whom it is for, and what comes behind it.

use std::net::Ipv6Addr;

use http::uri::Authority;
use memchr::{memchr, memrchr};

/// How much of a head is read.
#[derive(Debug, Clone, Copy)]
pub(in crate::server) struct Limits {
    pub(in crate::server) bytes: usize,
    pub(in crate::server) fields: usize,
}

/// What a head says of what comes behind it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct After {
    pub(super) body: Body,
    /// Whether it may be another protocol.
    pub(super) may_switch: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body {
    None,
    Length(u64),
    Chunked,
}

/// The status of a refusal.
type Status = u16;

/// What is seen of a head, line by line.
#[derive(Default)]
struct Seen {
    is_old: bool,
    has_host: bool,
    length: Option<u64>,
    is_chunked: bool,
    may_switch: bool,
}

/// Looks at the head that `bytes` begin with, and says where it ends, if it is all there.
///
/// # Errors
/// The status that refuses it, as soon as that is known.
pub(super) fn judge(bytes: &[u8], most_fields: usize) -> Result<Option<(usize, After)>, Status> {
    let mut seen = Seen::default();
    let (mut begin, mut lines) = (0, 0);
    while let Some(length) = memchr(b'\n', &bytes[begin..]) {
        // A bare LF may be read as the end of a line, and need not (RFC 9112 §2.2).
        let [line @ .., b'\r'] = &bytes[begin..begin + length] else {
            return Err(400);
        };
        begin += length + 1;
        let Some(first) = line.first() else {
            match lines {
                0 => continue, // empty lines before a request are passed over
                _ => return seen.after().map(|after| Some((begin, after))),
            }
        };
        lines += 1;
        if lines == 1 {
            seen.request_line(line)?;
            continue;
        }
        if lines > most_fields + 1 {
            return Err(431);
        }
        match first | 0x20 {
            b'h' => seen.host(line)?,
            b'c' => seen.content_length(line)?,
            b't' => seen.transfer_encoding(line)?,
            b'e' => seen.expect(line)?,
            b'u' => seen.upgrade(line),
            _ => {}
        }
    }
    Ok(None)
}

impl Seen {
    fn request_line(&mut self, line: &[u8]) -> Result<(), Status> {
        let (Some(begin), Some(end)) = (memchr(b' ', line), memrchr(b' ', line)) else {
            return Err(400);
        };
        let method = &line[..begin];
        let target = line.get(begin + 1..end).ok_or(400u16)?;
        self.is_old = &line[end + 1..] == b"HTTP/1.0";
        // RFC 9112 §3.2: the four forms of a target.
        match target {
            [b'/', ..] => Ok(()),
            b"*" if method == b"OPTIONS" => Ok(()),
            _ if method == b"CONNECT" => {
                self.may_switch = true;
                Ok(())
            }
            _ if is_absolute(target) => Ok(()),
            _ => Err(400),
        }
    }

    /// RFC 9112 §3.2. A target that names an authority has the last word, as the router has it; and still
    /// there is to be one `host`.
    fn host(&mut self, line: &[u8]) -> Result<(), Status> {
        let Some(host) = value(line, b"host") else {
            return Ok(());
        };
        match std::mem::replace(&mut self.has_host, true) || !is_host(host) {
            true => Err(400),
            false => Ok(()),
        }
    }

    /// RFC 9112 §6.3.
    fn content_length(&mut self, line: &[u8]) -> Result<(), Status> {
        let Some(digits) = value(line, b"content-length") else {
            return Ok(());
        };
        let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        if !is_number || self.length.is_some() {
            return Err(400);
        }
        let digits = std::str::from_utf8(digits).map_err(|_| 400u16)?;
        // hyper takes the last two numbers of 64 bits for something else.
        let length = digits.parse().ok().filter(|length| *length < u64::MAX - 1);
        self.length = Some(length.ok_or(413u16)?);
        Ok(())
    }

    /// RFC 9112 §6.1: `chunked`, once, and no other coding, of which hyper decodes none.
    fn transfer_encoding(&mut self, line: &[u8]) -> Result<(), Status> {
        let Some(codings) = value(line, b"transfer-encoding") else {
            return Ok(());
        };
        if std::mem::replace(&mut self.is_chunked, true) {
            return Err(400);
        }
        let is_chunked = |coding: &[u8]| trimmed(coding).eq_ignore_ascii_case(b"chunked");
        if is_chunked(codings) {
            return Ok(());
        }
        let mut codings = codings.split(|byte| *byte == b',');
        let is_last = codings.next_back().is_some_and(is_chunked);
        match is_last && !codings.any(is_chunked) {
            true => Err(501),
            false => Err(400),
        }
    }

    /// RFC 9110 §10.1.1. What HTTP/1.0 expects is passed over.
    fn expect(&self, line: &[u8]) -> Result<(), Status> {
        match value(line, b"expect") {
            Some(expected) if !self.is_old && !expected.eq_ignore_ascii_case(b"100-continue") => {
                Err(417)
            }
            _ => Ok(()),
        }
    }

    fn upgrade(&mut self, line: &[u8]) {
        self.may_switch |= !self.is_old && value(line, b"upgrade").is_some();
    }

    fn after(self) -> Result<After, Status> {
        if !self.has_host && !self.is_old {
            return Err(400);
        }
        let body = match (self.is_chunked, self.length) {
            (true, Some(_)) => return Err(400),
            (true, None) if self.is_old => return Err(400),
            (true, None) => Body::Chunked,
            (false, None | Some(0)) => Body::None,
            (false, Some(length)) => Body::Length(length),
        };
        Ok(After {
            body,
            may_switch: self.may_switch,
        })
    }
}

/// The value of a field, if it has this name.
#[inline]
fn value<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    let (found, value) = line.split_at_checked(name.len())?;
    let value = value.strip_prefix(b":")?;
    found.eq_ignore_ascii_case(name).then(|| trimmed(value))
}

/// Without the spaces and tabs around it, and no others (RFC 9110 §5.5).
fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// The name of a field, if the line has one.
pub(super) fn field_name(line: &[u8]) -> Option<&[u8]> {
    let name = &line[..memchr(b':', line)?];
    (!name.is_empty() && name.iter().all(|byte| is_token(*byte))).then_some(name)
}

/// RFC 9110 §5.6.2.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// `http://` or `https://`, with a host behind it.
fn is_absolute(target: &[u8]) -> bool {
    let Some(colon) = memchr(b':', target) else {
        return false;
    };
    let (scheme, rest) = target.split_at(colon);
    let is_known = scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https");
    let Some(rest) = rest.strip_prefix(b"://") else {
        return false;
    };
    let end = rest.iter().position(|byte| b"/?#".contains(byte));
    is_known && is_host(&rest[..end.unwrap_or(rest.len())])
}

/// A host that is not empty, with or without a port (RFC 9110 §7.2).
pub(in crate::server) fn is_host(host: &[u8]) -> bool {
    let is_usual = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let name = host.iter().take_while(|byte| is_usual(byte)).count();
    match host.split_at(name) {
        ([], []) => false,
        (_, []) => true,
        ([_, ..], [b':', port @ ..]) => is_port(port),
        _ => is_unusual_host(host),
    }
}

fn is_port(port: &[u8]) -> bool {
    port.len() <= 5 && port.iter().all(u8::is_ascii_digit)
}

/// With an address in brackets, or other characters that names may have.
fn is_unusual_host(host: &[u8]) -> bool {
    let name = match memrchr(b':', host) {
        Some(colon) if !host.ends_with(b"]") => match is_port(&host[colon + 1..]) {
            true => &host[..colon],
            false => return false,
        },
        _ => host,
    };
    if let Some(address) = name.strip_prefix(b"[") {
        let address = address.strip_suffix(b"]").map(std::str::from_utf8);
        return matches!(address, Some(Ok(address)) if address.parse::<Ipv6Addr>().is_ok());
    }
    let is_name = !name.is_empty() && !name.iter().any(|byte| b"@:[]".contains(byte));
    is_name && Authority::try_from(name).is_ok()
}
