//! What a client wants to read an error as, by its `Accept` header (RFC 9110 §12.5.1).
//!
//! Each form that an error can take is weighed by the range that fits it best. The heaviest wins;
//! of two equal ones, that which the client has named, rather than covered with a star.

use http::{HeaderMap, header};
use mediatype::names::{APPLICATION, HTML, JSON, PLAIN, TEXT};
use mediatype::{MediaType, MediaTypeList, Name, ReadParams};

/// A form that an error can take. Between equals, the first is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// `application/problem+json`: for programs, and for whoever takes everything.
    Problem,
    /// `text/html`: for browsers.
    Page,
    /// `text/plain`.
    Text,
}

/// How closely a range describes a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// `*/*`.
    Anything,
    /// `text/*`.
    Type,
    /// A near name: other JSON for a problem document, or parameters that the form lacks.
    Near,
    /// The form itself.
    Exact,
}

const STAR: Name<'static> = Name::new_unchecked("*");
const PROBLEM: Name<'static> = Name::new_unchecked("problem");

impl Format {
    /// The form that a client with these headers wants most.
    ///
    /// Who says nothing, or takes none of the forms, gets a problem document: an error in a form
    /// that was not asked for tells more than a 406.
    pub(crate) fn wanted(headers: &HeaderMap) -> Format {
        Format::best(headers).0
    }

    /// The form that a client with these headers wants most, if it wants one more than anything
    /// else.
    pub(crate) fn named(headers: &HeaderMap) -> Option<Format> {
        let (format, fit) = Format::best(headers);
        (fit > Fit::Anything).then_some(format)
    }

    fn best(headers: &HeaderMap) -> (Format, Fit) {
        // Several lines are one list (RFC 9110 §5.3).
        let lines: Vec<_> = headers
            .get_all(header::ACCEPT)
            .iter()
            .map(|line| String::from_utf8_lossy(line.as_bytes()))
            .collect();
        let ranges: Vec<_> = lines
            .iter()
            .flat_map(|line| MediaTypeList::new(line))
            // What is malformed is passed over.
            .filter_map(|range| range.ok())
            .filter_map(|range| Some((weight(&range)?, range)))
            .collect();

        let mut best = (Format::Problem, 0, Fit::Anything);
        for format in [Format::Problem, Format::Page, Format::Text] {
            let fits = ranges
                .iter()
                .filter_map(|(weight, range)| Some((format.fit(range)?, *weight)));
            if let Some((fit, weight)) = fits.max().filter(|(_, weight)| *weight > 0) {
                // Named is named: `text/plain` is no better than `application/json`.
                let fit = fit.min(Fit::Near);
                if (weight, fit) > (best.1, best.2) {
                    best = (format, weight, fit);
                }
            }
        }
        (best.0, best.2)
    }

    /// How `range` fits this form; `None` if it does not.
    fn fit(self, range: &MediaType<'_>) -> Option<Fit> {
        let (ty, subty) = match self {
            Format::Problem => (APPLICATION, PROBLEM),
            Format::Page => (TEXT, HTML),
            Format::Text => (TEXT, PLAIN),
        };
        let suffix = (self == Format::Problem).then_some(JSON);
        if range.ty == STAR && range.subty == STAR && range.suffix.is_none() {
            return Some(Fit::Anything);
        }
        if range.ty != ty {
            return None;
        }
        if range.subty == STAR && range.suffix.is_none() {
            return Some(Fit::Type);
        }
        if range.subty == subty && range.suffix == suffix {
            let more = range.params().any(|(name, _)| !is_weight(name));
            return Some(if more { Fit::Near } else { Fit::Exact });
        }
        // Who reads JSON reads a problem document.
        let is_json = range.suffix == Some(JSON) || (range.subty == JSON && range.suffix.is_none());
        (self == Format::Problem && is_json).then_some(Fit::Near)
    }
}

fn is_weight(name: Name<'_>) -> bool {
    name.as_str().eq_ignore_ascii_case("q")
}

/// The weight of a range in thousandths (RFC 9110 §12.4.2), 1000 if it has none; `None` if it is
/// malformed.
fn weight(range: &MediaType<'_>) -> Option<u16> {
    let Some((_, weight)) = range.params().find(|(name, _)| is_weight(*name)) else {
        return Some(1000);
    };
    thousandths(weight.as_str())
}

/// A weight such as `0.5`, in thousandths (RFC 9110 §12.4.2); `None` if it is malformed.
pub(crate) fn thousandths(weight: &str) -> Option<u16> {
    let (whole, part) = weight.split_once('.').unwrap_or((weight, ""));
    if part.len() > 3 || !part.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let part: u16 = format!("{part:0<3}").parse().ok()?;
    match (whole, part) {
        ("0", part) => Some(part),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Format::{Page, Problem, Text};

    fn wanted(lines: &[&str]) -> Format {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::ACCEPT, line.parse().unwrap());
        }
        Format::wanted(&headers)
    }

    #[test]
    fn the_form_is_what_the_client_wants_most() {
        for (accept, format) in [
            ("*/*", Problem),
            ("application/json", Problem),
            ("application/problem+json", Problem),
            ("application/vnd.api+json", Problem),
            ("application/*", Problem),
            ("Application/JSON;Charset=utf-8", Problem),
            ("text/html", Page),
            ("TEXT/Html; Q=0.1", Page),
            // Browsers, with and without images.
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                Page,
            ),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,\
                 image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
                Page,
            ),
            ("image/avif,image/webp,*/*;q=0.8", Problem),
            // Libraries.
            ("application/json, text/plain, */*", Problem),
            ("text/html, */*; q=0.01", Page),
            ("text/html, */*", Page),
            ("*/*, text/html", Page),
            ("text/plain, */*", Text),
            ("text/plain", Text),
            ("text/*", Page),
            ("text/*, */*", Page),
            ("text/html;q=0.4, text/*", Text),
            // Weights.
            ("application/json;q=0.5, text/html;q=0.9", Page),
            ("application/json;q=0.9, text/html;q=0.5", Problem),
            ("text/html, application/json", Problem),
            ("text/html;q=0.999, application/json;q=1.000", Problem),
            ("text/html;q=0.001, application/json;q=0", Page),
            // The closest range counts, not the heaviest.
            ("text/*, text/html;q=0.2, application/json;q=0.5", Text),
            ("*/*;q=0.1, application/json;q=0, text/html;q=0.05", Text),
            ("text/html;level=1, text/html;q=0.3, */*;q=0.5", Problem),
            // Zero excludes, also from a star.
            ("text/html;q=0, text/*", Text),
            ("application/json;q=0, */*", Page),
            ("application/json;q=0, application/problem+json", Problem),
            // None of the forms: better that than nothing.
            ("image/png", Problem),
            ("*/*;q=0", Problem),
            ("text/html;q=0", Problem),
            ("text/event-stream", Problem),
            // Malformed parts.
            ("", Problem),
            (",, ;q=1, html, text/, /html, text/html;q=0.5", Page),
            ("application/json;q=2, text/html;q=0.1", Page),
            ("application/json;q=-1, text/html;q=0.1", Page),
            ("application/json;q=1.001, text/html;q=0.1", Page),
            ("application/json;q=0.1234, text/html;q=0.1", Page),
            ("application/json;q=+1, text/html;q=0.1", Page),
            ("application/json;q, text/html;q=0.1", Page),
            ("application/json;q=, text/html;q=0.1", Page),
            ("*/html, text/plain", Text),
            ("text/html+json, text/plain", Text),
            // Commas and semicolons in quotes.
            ("image/png;a=\"x,text/html;q=1\", text/plain", Text),
        ] {
            assert_eq!(wanted(&[accept]), format, "{accept}");
        }
        assert_eq!(wanted(&[]), Problem);
    }

    #[test]
    fn several_header_lines_are_one_list() {
        assert_eq!(wanted(&["application/json;q=0.1", "text/html"]), Page);
        assert_eq!(wanted(&["text/html;q=0.1", "application/json"]), Problem);
    }

    #[test]
    fn bytes_that_are_no_text_spoil_only_their_part() {
        let mut headers = HeaderMap::new();
        let value = http::HeaderValue::from_bytes(b"im\xffage/png, text/html").unwrap();
        headers.append(header::ACCEPT, value);
        assert_eq!(Format::wanted(&headers), Page);
    }
}
