//! The `compression` plugin: smaller answers for who takes them.

mod accepted;

use std::io;

use async_compression::Level;
use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue,
    IF_NONE_MATCH,
};
use http::{HeaderMap, Method, StatusCode};
use http_body::Body;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::io::{ReaderStream, StreamReader};

use super::vary::vary;
use super::{Flow, Plugin, PluginInfo};
use crate::error::Result;
use crate::request::Head;
use crate::response::{Response, ResponseBody};

/// Up to this length, a body is compressed before it is sent, so that its length is known.
const AT_ONCE: u64 = 64 * 1024;
/// How much of a longer one is compressed at a time.
const CHUNK: usize = 16 * 1024;

/// Compresses answers with what the client accepts: Zstandard, Brotli or gzip.
///
/// It is registered as `compression`. In the router file:
///
/// ```toml
/// plugins = ["compression"]
/// ```
///
/// Text, JSON, JavaScript, XML, SVG and WebAssembly are compressed. An answer stays as it is if its
/// type is another one or is not known, if it is short, compressed already or a part
/// (`Content-Range`), if it says `Cache-Control: no-transform`, and if it is a stream of events
/// (`text/event-stream`). Streams are compressed as they flow; when nothing more comes for now, what
/// there is, is sent.
///
/// Whatever could be compressed says `Vary: Accept-Encoding`, and what was has a weak `ETag`, as
/// its bytes are others. List it before plugins that look at the body or its length.
#[derive(Debug)]
pub struct CompressionPlugin {
    options: CompressionOptions,
}

/// The options of the `compression` plugin.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CompressionOptions {
    /// What is offered; between two that the client likes as much, the first one is taken.
    /// **Default:** `["zstd", "br", "gzip"]`.
    pub algorithms: Vec<Algorithm>,
    /// How long an answer has to be, in bytes; a shorter one fits into one packet anyway. What has no
    /// length, as a stream, is long enough. **Default:** `860`.
    pub min_length: u64,
}

/// How to compress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// Zstandard (RFC 8878), at level 3: the quickest.
    Zstd,
    /// Brotli (RFC 7932), at level 4: the smallest.
    Br,
    /// gzip (RFC 1952), at level 6: known to everybody.
    Gzip,
}

impl Algorithm {
    /// As `Content-Encoding` calls it.
    fn name(self) -> &'static str {
        match self {
            Algorithm::Zstd => "zstd",
            Algorithm::Br => "br",
            Algorithm::Gzip => "gzip",
        }
    }

    fn encode(self, body: ResponseBody) -> Box<dyn AsyncRead + Send + Unpin> {
        let reader = StreamReader::new(body.into_chunks());
        match self {
            Algorithm::Zstd => Box::new(ZstdEncoder::with_quality(reader, Level::Precise(3))),
            Algorithm::Br => Box::new(BrotliEncoder::with_quality(reader, Level::Precise(4))),
            Algorithm::Gzip => Box::new(GzipEncoder::with_quality(reader, Level::Precise(6))),
        }
    }
}

impl Default for CompressionOptions {
    fn default() -> Self {
        CompressionOptions {
            algorithms: vec![Algorithm::Zstd, Algorithm::Br, Algorithm::Gzip],
            min_length: 860,
        }
    }
}

impl CompressionPlugin {
    /// The plugin with these options, for [`Group::plugin`](crate::Group::plugin).
    pub fn new(options: CompressionOptions) -> Self {
        CompressionPlugin { options }
    }

    fn is_compressible(&self, response: &Response) -> bool {
        let headers = response.headers();
        let length = response.body().size_hint().exact();
        length.is_none_or(|length| length >= self.options.min_length.max(1))
            && response.status() != StatusCode::PARTIAL_CONTENT
            && !headers.contains_key(CONTENT_ENCODING)
            && !headers.contains_key(CONTENT_RANGE)
            && has_text(headers)
            && !forbids(headers)
    }
}

impl Plugin for CompressionPlugin {
    async fn post_request(&self, head: &Head, response: &mut Response) -> Result<Flow> {
        if response.status() == StatusCode::NOT_MODIFIED {
            // It says what the whole answer would (RFC 9110 §15.4.5): the tag that the client has.
            vary(response.headers_mut(), "accept-encoding");
            if has_weak(head.headers(), response.headers().get(ETAG)) {
                weaken(response.headers_mut());
            }
        }
        if !self.is_compressible(response) {
            return Ok(Flow::Continue);
        }
        vary(response.headers_mut(), "accept-encoding");
        let Some(algorithm) = accepted::best(&self.options.algorithms, head.headers()) else {
            return Ok(Flow::Continue);
        };
        let body = std::mem::take(response.body_mut());
        let at_once = body
            .size_hint()
            .exact()
            .is_some_and(|length| length <= AT_ONCE);
        let mut encoded = algorithm.encode(body);
        // Nobody reads the body for a `HEAD`, and so nothing is compressed.
        *response.body_mut() = match at_once && head.method() != Method::HEAD {
            true => {
                let mut bytes = Vec::new();
                encoded.read_to_end(&mut bytes).await?;
                bytes.into()
            }
            false => {
                ResponseBody::stream::<_, _, io::Error>(ReaderStream::with_capacity(encoded, CHUNK))
            }
        };
        let headers = response.headers_mut();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(algorithm.name()));
        headers.remove(ACCEPT_RANGES);
        weaken(headers);
        Ok(Flow::Continue)
    }

    fn check(&self) -> Result<(), String> {
        match self.options.algorithms.is_empty() {
            true => Err("it has no `algorithms`: leave the option out for all of them".to_owned()),
            false => Ok(()),
        }
    }

    fn info(&self) -> PluginInfo {
        let description = "compresses answers with what the client accepts";
        PluginInfo::built_in("Compression", description, &self.options)
    }
}

/// Whether the type is one that gets smaller.
fn has_text(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let essence = content_type.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    match essence.split_once('/') {
        Some(("text", kind)) => kind != "event-stream",
        Some(("application", kind)) => {
            let known = [
                "javascript",
                "json",
                "wasm",
                "x-javascript",
                "x-ndjson",
                "xml",
            ];
            known.contains(&kind) || kind.ends_with("+json") || kind.ends_with("+xml")
        }
        Some(("image", kind)) => kind == "svg+xml" || kind == "bmp",
        Some(("font", kind)) => kind == "ttf" || kind == "otf",
        _ => false,
    }
}

/// Whether nobody may change the answer (RFC 9111 §5.2.2.6).
fn forbids(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(CACHE_CONTROL).iter();
    let mut directives = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    directives.any(|directive| directive.trim_ascii().eq_ignore_ascii_case(b"no-transform"))
}

/// Whether a client knows its answer by the weak form of this tag: it was compressed.
fn has_weak(request: &HeaderMap, tag: Option<&HeaderValue>) -> bool {
    let Some(tag) = tag else { return false };
    let known = request.get_all(IF_NONE_MATCH).iter();
    let mut known = known.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    known.any(|known| known.trim_ascii().strip_prefix(b"W/") == Some(tag.as_bytes()))
}

/// A strong tag is for the same bytes (RFC 9110 §8.8.1).
fn weaken(headers: &mut HeaderMap) {
    if let Some(tag) = headers
        .get(ETAG)
        .filter(|tag| !tag.as_bytes().starts_with(b"W/"))
    {
        let weak = [b"W/", tag.as_bytes()].concat();
        match HeaderValue::from_bytes(&weak) {
            Ok(weak) => headers.insert(ETAG, weak),
            Err(_) => headers.remove(ETAG),
        };
    }
}
