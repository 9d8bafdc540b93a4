//! The head of a request: whom it is for, and what comes behind it.
//!
//! A client that keeps its connection mostly sends the same fields again, which is what HTTP/2 makes use of
//! (RFC 7541 §1.1). So what was said of a head's fields is said again where they are the same, byte by byte.

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct After {
    pub(super) body: Body,
    /// Whether it may be another protocol.
    pub(super) may_switch: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    None,
    Length(u64),
    Chunked,
}

/// The status of a refusal.
type Status = u16;

/// Longer fields are judged each time.
const REMEMBERED: usize = 512;

/// Judges the heads of one connection.
#[derive(Debug)]
pub(super) struct Heads {
    most_fields: usize,
    /// The fields of an earlier head, with the empty line behind them, or nothing; and what they said.
    fields: Vec<u8>,
    is_old: bool,
    after: After,
}

impl Heads {
    pub(super) fn new(most_fields: usize) -> Self {
        Heads {
            most_fields,
            fields: Vec::new(),
            is_old: false,
            after: After {
                body: Body::None,
                may_switch: false,
            },
        }
    }

    /// Looks at the head that `bytes` begin with, and says where it ends, if it is all there.
    ///
    /// # Errors
    /// The status that refuses it, as soon as that is known.
    #[inline]
    pub(super) fn judge(&mut self, bytes: &[u8]) -> Result<Option<(usize, After)>, Status> {
        let mut begin = 0;
        let line = loop {
            let Some((line, length)) = next_line(&bytes[begin..])? else {
                return Ok(None);
            };
            begin += length;
            // Empty lines before a request are passed over.
            if !line.is_empty() {
                break RequestLine::judge(line)?;
            }
        };
        let fields = &bytes[begin..];
        let is_known = self.is_old == line.is_old
            && !self.fields.is_empty()
            && fields.starts_with(&self.fields);
        let (length, after) = match is_known {
            true => (self.fields.len(), self.after),
            false => match judge_fields(fields, self.most_fields, line.is_old)? {
                Some((length, after)) => {
                    self.remember(&fields[..length], line.is_old, after);
                    (length, after)
                }
                None => return Ok(None),
            },
        };
        let after = After {
            may_switch: after.may_switch || line.is_connect,
            ..after
        };
        Ok(Some((begin + length, after)))
    }

    fn remember(&mut self, fields: &[u8], is_old: bool, after: After) {
        if fields.len() <= REMEMBERED {
            self.fields.clear();
            self.fields.extend_from_slice(fields);
            (self.is_old, self.after) = (is_old, after);
        }
    }
}

/// The first line without its end, and its length with it, if it is all there. A bare LF may be read as the
/// end of a line, and need not (RFC 9112 §2.2).
#[inline]
fn next_line(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, Status> {
    let Some(end) = memchr(b'\n', bytes) else {
        return Ok(None);
    };
    match &bytes[..end] {
        [line @ .., b'\r'] => Ok(Some((line, end + 1))),
        _ => Err(400),
    }
}

struct RequestLine {
    is_old: bool,
    is_connect: bool,
}

impl RequestLine {
    #[inline]
    fn judge(line: &[u8]) -> Result<Self, Status> {
        // hyper refuses other versions.
        let (rest, version) = line.split_last_chunk().ok_or(400u16)?;
        let is_old = version == b" HTTP/1.0";
        if (rest.starts_with(b"GET /") || rest.starts_with(b"POST /")) && is_usual_target(rest) {
            return Ok(RequestLine {
                is_old,
                is_connect: false,
            });
        }
        // Methods are short.
        let end = rest.iter().position(|byte| *byte == b' ').ok_or(400u16)?;
        let (method, target) = (&rest[..end], &rest[end + 1..]);
        let is_connect = method == b"CONNECT";
        // RFC 9112 §3.2: the four forms of a target.
        let is_target = match target {
            [b'/', ..] => true,
            b"*" => method == b"OPTIONS",
            _ => is_connect || is_absolute(target),
        };
        match is_target && is_usual_target(target) {
            true => Ok(RequestLine { is_old, is_connect }),
            false => Err(400),
        }
    }
}

/// Without a fragment, and of ASCII (RFC 9112 §3.2, RFC 3986 §2): hyper would cut the one off, and the other is read
/// in two ways.
#[inline]
fn is_usual_target(target: &[u8]) -> bool {
    let is_usual = |byte: &u8| *byte != b'#' && byte.is_ascii();
    // Without a way out in the middle, this takes less.
    target.iter().fold(true, |all, byte| all & is_usual(byte))
}

/// Looks at the lines behind the first, up to the empty one.
fn judge_fields(bytes: &[u8], most: usize, is_old: bool) -> Result<Option<(usize, After)>, Status> {
    let mut seen = Seen {
        is_old,
        ..Seen::default()
    };
    let (mut begin, mut count) = (0, 0);
    while let Some((line, length)) = next_line(&bytes[begin..])? {
        begin += length;
        let Some(first) = line.first() else {
            return seen.after().map(|after| Some((begin, after)));
        };
        count += 1;
        if count > most {
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

/// What is seen of the fields, line by line.
#[derive(Default)]
struct Seen {
    is_old: bool,
    has_host: bool,
    length: Option<u64>,
    is_chunked: bool,
    may_switch: bool,
}

impl Seen {
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
fn value<'l, const N: usize>(line: &'l [u8], name: &[u8; N]) -> Option<&'l [u8]> {
    let (found, value) = line.split_first_chunk::<N>()?;
    let value = value.strip_prefix(b":")?;
    found.eq_ignore_ascii_case(name).then(|| trimmed(value))
}

/// Without the spaces and tabs around it, and no others (RFC 9110 §5.5).
#[inline]
fn trimmed(value: &[u8]) -> &[u8] {
    // The usual one.
    let mut value = value.strip_prefix(b" ").unwrap_or(value);
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
    let end = rest.iter().position(|byte| b"/?".contains(byte));
    is_known && is_host(&rest[..end.unwrap_or(rest.len())])
}

/// A host that is not empty, with or without a port (RFC 9110 §7.2).
#[inline]
pub(in crate::server) fn is_host(host: &[u8]) -> bool {
    // Without a way out in the middle, this takes half as long.
    let is_usual = |name: &[u8]| {
        name.iter()
            .fold(true, |all, byte| all & USUAL[usize::from(*byte)])
    };
    if is_usual(host) {
        return !host.is_empty();
    }
    match memrchr(b':', host).map(|colon| (&host[..colon], &host[colon + 1..])) {
        Some((name, port)) if !name.is_empty() && is_usual(name) => is_port(port),
        _ => is_unusual_host(host),
    }
}

/// The bytes that most names of hosts consist of.
static USUAL: [bool; 256] = {
    let mut usual = [false; 256];
    let mut byte = 0;
    while byte < usual.len() {
        let is_other = matches!(byte as u8, b'-' | b'.' | b'_');
        usual[byte] = is_other || (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    usual
};

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
