//! Whether a client that has a file already gets it, by its conditions (RFC 9110 §13).

use std::time::SystemTime;

use headers::{HeaderMapExt, IfMatch, IfModifiedSince, IfNoneMatch, IfUnmodifiedSince};
use http::header::{IF_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, Method};

use super::tag::Tag;

/// What becomes of a request for a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict<'h> {
    /// 412: the client means another file than this.
    Failed,
    /// 304: the client has it.
    NotModified,
    /// It is sent: all of it, or what this `range` says.
    Passed(Option<&'h HeaderValue>),
}

/// What a file is compared by.
#[derive(Debug)]
pub(super) struct Validators<'v> {
    pub(super) tag: &'v Tag,
    /// In whole seconds.
    pub(super) modified: Option<SystemTime>,
    pub(super) now: SystemTime,
}

impl Validators<'_> {
    /// In the order of RFC 9110 §13.2.2, for a `GET` or a `HEAD`.
    pub(super) fn judge<'h>(&self, method: &Method, headers: &'h HeaderMap) -> Verdict<'h> {
        if let Some(wanted) = headers.typed_get::<IfMatch>() {
            if !wanted.precondition_passes(&self.tag.tag) {
                return Verdict::Failed;
            }
        } else if let (Some(since), Some(modified)) =
            (headers.typed_get::<IfUnmodifiedSince>(), self.modified)
            && !since.precondition_passes(modified)
        {
            return Verdict::Failed;
        }
        if let Some(known) = headers.typed_get::<IfNoneMatch>() {
            if !known.precondition_passes(&self.tag.tag) {
                return Verdict::NotModified;
            }
        } else if let (Some(since), Some(modified)) =
            (headers.typed_get::<IfModifiedSince>(), self.modified)
            && !since.is_modified(modified)
        {
            return Verdict::NotModified;
        }
        // RFC 9110 §14.2: a range is for `GET` only. Two fields are none that both ends understand
        // alike.
        let mut ranges = headers.get_all(RANGE).iter();
        let range = ranges.next().filter(|_| method == Method::GET);
        let range = range.filter(|_| ranges.next().is_none());
        let if_range = headers.get(IF_RANGE);
        Verdict::Passed(range.filter(|_| if_range.is_none_or(|known| self.is_same(known))))
    }

    /// Whether `if-range` names this file, beyond doubt (RFC 9110 §13.1.5).
    fn is_same(&self, known: &HeaderValue) -> bool {
        if known.as_bytes().ends_with(b"\"") {
            return self.tag.is_strong && known == self.tag.header;
        }
        let known = known.to_str().ok();
        let known = known.and_then(|known| httpdate::parse_http_date(known).ok());
        // A date is beyond doubt when its second is over.
        let is_over = |modified: SystemTime| {
            let age = self.now.duration_since(modified);
            age.is_ok_and(|age| age.as_secs() >= 1)
        };
        known.is_some() && known == self.modified.filter(|modified| is_over(*modified))
    }
}
