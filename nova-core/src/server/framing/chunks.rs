//! The lines of a chunked body (RFC 9112 §7.1).

use memchr::memchr;

use super::head::{field_name, is_token};

/// The longest line with the size of a chunk, extensions included.
const SIZE_LINE: usize = 4 * 1024;
/// More would not fit into 64 bits.
const DIGITS: usize = 15;
/// What decides where a message ends, and whom it is for, comes before the body (RFC 9110 §6.5.1).
const NO_TRAILERS: [&str; 4] = ["content-length", "transfer-encoding", "host", "trailer"];

/// The place in a chunked body.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    state: State,
    /// How many bytes of trailers there were.
    trailers: usize,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    Data(u64),
    DataEnd,
    Trailers,
    End,
}

/// What is read is no chunk.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoChunk;

impl Chunks {
    pub(super) fn is_at_end(&self) -> bool {
        self.state == State::End
    }

    /// How many of `bytes`, which are some, may go on; none if the line is not all there.
    pub(super) fn step(&mut self, bytes: &[u8], trailer_limit: usize) -> Result<usize, NoChunk> {
        match self.state {
            State::Size => {
                let Some((line, count)) = line(bytes, SIZE_LINE)? else {
                    return Ok(0);
                };
                self.state = match size(line)? {
                    0 => State::Trailers,
                    size => State::Data(size),
                };
                Ok(count)
            }
            State::Data(left) => {
                let count = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                self.state = match left - count as u64 {
                    0 => State::DataEnd,
                    left => State::Data(left),
                };
                Ok(count)
            }
            State::DataEnd => match bytes {
                [b'\r', b'\n', ..] => {
                    self.state = State::Size;
                    Ok(2)
                }
                [b'\r'] => Ok(0),
                _ => Err(NoChunk),
            },
            State::Trailers => {
                let left = trailer_limit.saturating_sub(self.trailers);
                let Some((line, count)) = line(bytes, left)? else {
                    return Ok(0);
                };
                self.trailers += count;
                if line.is_empty() {
                    self.state = State::End;
                    return Ok(count);
                }
                let name = field_name(line).ok_or(NoChunk)?;
                match NO_TRAILERS
                    .iter()
                    .any(|late| name.eq_ignore_ascii_case(late.as_bytes()))
                {
                    true => Err(NoChunk),
                    false => Ok(count),
                }
            }
            State::End => Ok(0),
        }
    }
}

/// The first line without its end, and its length with it, if it is all there.
fn line(bytes: &[u8], limit: usize) -> Result<Option<(&[u8], usize)>, NoChunk> {
    let Some(end) = memchr(b'\n', bytes) else {
        return match bytes.len() > limit {
            true => Err(NoChunk),
            false => Ok(None),
        };
    };
    match bytes[..end].strip_suffix(b"\r") {
        Some(line) if end <= limit => Ok(Some((line, end + 1))),
        _ => Err(NoChunk),
    }
}

/// The size in a line such as `1f;name=value`.
fn size(line: &[u8]) -> Result<u64, NoChunk> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
    let (digits, extensions) = line.split_at(digits.count());
    if digits.is_empty() || digits.len() > DIGITS {
        return Err(NoChunk);
    }
    check_extensions(extensions)?;
    let digits = std::str::from_utf8(digits).map_err(|_| NoChunk)?;
    u64::from_str_radix(digits, 16).map_err(|_| NoChunk)
}

/// `;name` or `;name=value`, with a text in quotes for a value (RFC 9112 §7.1.1).
fn check_extensions(mut rest: &[u8]) -> Result<(), NoChunk> {
    while !rest.is_empty() {
        rest = unspaced(rest).strip_prefix(b";").ok_or(NoChunk)?;
        rest = token(unspaced(rest))?;
        if let Some(value) = unspaced(rest).strip_prefix(b"=") {
            let value = unspaced(value);
            rest = match value.strip_prefix(b"\"") {
                Some(quoted) => behind_quotes(quoted)?,
                None => token(value)?,
            };
        }
    }
    Ok(())
}

/// Without the spaces and tabs that it begins with.
fn unspaced(mut rest: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', behind @ ..] = rest {
        rest = behind;
    }
    rest
}

/// What is behind a token.
fn token(bytes: &[u8]) -> Result<&[u8], NoChunk> {
    match bytes.iter().take_while(|byte| is_token(**byte)).count() {
        0 => Err(NoChunk),
        length => Ok(&bytes[length..]),
    }
}

/// What is behind the end of a text in quotes.
fn behind_quotes(mut rest: &[u8]) -> Result<&[u8], NoChunk> {
    loop {
        rest = match rest {
            [b'"', behind @ ..] => return Ok(behind),
            [b'\\', escaped, behind @ ..] if is_text(*escaped) => behind,
            [byte, behind @ ..] if *byte != b'\\' && is_text(*byte) => behind,
            _ => return Err(NoChunk),
        };
    }
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}
