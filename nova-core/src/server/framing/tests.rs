use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const LIMITS: Limits = Limits {
    bytes: 64 * 1024,
    fields: 100,
};

/// What was let through of some bytes, and what was said of the rest.
#[derive(Debug, PartialEq)]
struct Judged {
    cleared: usize,
    refusal: Option<Refusal>,
    is_held: bool,
}

/// The bytes come in these pieces, the last one over and over; those that were not let through come again.
fn judged(framing: &mut Framing, bytes: &[u8], pieces: &[usize]) -> Judged {
    let (mut cleared, mut come) = (0, 0);
    let last = pieces.last().copied().unwrap_or(bytes.len());
    let mut pieces = pieces.iter().copied();
    while come < bytes.len() {
        come = bytes.len().min(come + pieces.next().unwrap_or(last));
        cleared += framing.clear(&bytes[cleared..come]);
    }
    Judged {
        cleared,
        refusal: framing.refusal(),
        is_held: framing.is_held(),
    }
}

fn line() -> impl Strategy<Value = &'static str> {
    select(&[
        "GET / HTTP/1.1",
        "POST /a?b HTTP/1.1",
        "GET / HTTP/1.0",
        "OPTIONS * HTTP/1.1",
        "GET * HTTP/1.1",
        "GET http://a:1/b HTTP/1.1",
        "GET http:/// HTTP/1.1",
        "CONNECT a:1 HTTP/1.1",
        "GET a HTTP/1.1",
    ])
}

fn field() -> impl Strategy<Value = &'static str> {
    let usual = select(&["host: a", "x: y", "accept: */*", "user-agent: z"]);
    let of_weight = select(&[
        "Host:b:80",
        "host: a b",
        "host:",
        "hosts: a",
        "content-length: 3",
        "Content-Length:\t3 ",
        "content-length: 0",
        "content-length: 3, 3",
        "content-length: +3",
        "content-lengths: 4",
        "transfer-encoding: chunked",
        "Transfer-Encoding:\tCHUNKED ",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: chunked, chunked",
        "transfer-encoding: gzip",
        "expect: 100-continue",
        "expect: the best",
        "Upgrade: x",
    ]);
    prop_oneof![2 => usual, 1 => of_weight]
}

fn end() -> impl Strategy<Value = &'static str> {
    prop_oneof![30 => Just("\r\n"), 1 => Just("\n")]
}

prop_compose! {
    fn head()(
        line in line(),
        first in end(),
        fields in prop::collection::vec((field(), end()), 0..5),
        last in end(),
    ) -> String {
        let fields: String = fields.into_iter().map(|(field, end)| format!("{field}{end}")).collect();
        format!("{line}{first}{fields}{last}")
    }
}

fn behind() -> impl Strategy<Value = &'static str> {
    select(&[
        "",
        "abc",
        "3\r\nabc\r\n0\r\n\r\n",
        "3;a=\"b\"\r\nabc\r\n1\r\nd\r\n0\r\nx: y\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "0\r\nhost: b\r\n\r\n",
        "x\r\n",
        "\r\n",
    ])
}

fn stream() -> impl Strategy<Value = String> {
    prop::collection::vec((head(), behind()), 1..4).prop_map(|all| {
        let all = all.into_iter();
        all.map(|(head, behind)| format!("{head}{behind}"))
            .collect()
    })
}

/// What RFC 9112 makes of the head that `bytes` begin with, said again as simply as can be, of what httparse
/// finds: the length of the head and of what belongs to it, or nothing if it is refused.
fn expected(bytes: &[u8]) -> Result<Option<(usize, Body)>, httparse::Error> {
    let mut fields = [httparse::EMPTY_HEADER; 16];
    let mut request = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(length) = request.parse(bytes)? else {
        return Ok(None);
    };
    let all = |name: &str| -> Vec<String> {
        let named = |field: &&httparse::Header<'_>| field.name.eq_ignore_ascii_case(name);
        let text =
            |field: &httparse::Header<'_>| String::from_utf8_lossy(field.value).to_lowercase();
        let fields = request.headers.iter();
        fields.filter(named).map(text).collect()
    };
    let is_old = request.version == Some(0);
    let head = String::from_utf8_lossy(&bytes[..length]);
    let has_bare_feed = head.replace("\r\n", "").contains('\n');
    let is_target = match (request.method, request.path) {
        (Some("OPTIONS"), Some("*")) | (Some("CONNECT"), _) => true,
        (_, Some(path)) => path.starts_with('/') || path == "http://a:1/b",
        _ => false,
    };
    let hosts = all("host");
    let is_host = match &hosts[..] {
        [] => is_old,
        [host] => ["a", "b:80"].contains(&&**host),
        _ => false,
    };
    let expects = all("expect");
    let is_expected = is_old || expects.iter().all(|value| value == "100-continue");
    let (lengths, codings) = (all("content-length"), all("transfer-encoding"));
    let lengths: Vec<_> = lengths.iter().map(|length| length.trim()).collect();
    let codings: Vec<_> = codings.iter().map(|coding| coding.trim()).collect();
    let body = match (&lengths[..], &codings[..]) {
        ([] | ["0"], []) => Some(Body::None),
        (["3"], []) => Some(Body::Length(3)),
        ([], ["chunked"]) if !is_old => Some(Body::Chunked),
        _ => None,
    };
    let is_good = !has_bare_feed && is_target && is_host && is_expected;
    Ok(body.filter(|_| is_good).map(|body| (length, body)))
}

proptest! {
    #[test]
    fn how_the_bytes_come_makes_no_difference(
        bytes in stream(),
        pieces in prop::collection::vec(1..40usize, 1..20),
    ) {
        let bytes = bytes.as_bytes();
        let whole = judged(&mut Framing::new(LIMITS), bytes, &[]);
        for pieces in [&pieces[..], &[1]] {
            let in_pieces = judged(&mut Framing::new(LIMITS), bytes, pieces);
            // Half a head that comes at once is refused at once, where that is known.
            if in_pieces.refusal.is_none() && whole.refusal.is_some() {
                let rest = &bytes[whole.cleared..];
                prop_assert!(!has_end(rest, 0));
                prop_assert_eq!(in_pieces.cleared, whole.cleared);
            } else {
                prop_assert_eq!(&in_pieces, &whole);
            }
        }
    }

    #[test]
    fn a_head_is_judged_as_the_rfc_says(head in head()) {
        let mut framing = Framing::new(LIMITS);
        let cleared = framing.clear(head.as_bytes());
        // What httparse refuses, hyper refuses.
        if let Ok(expected) = expected(head.as_bytes()) {
            let found = match framing.state {
                State::Refused(_) => None,
                State::Head | State::Held => Some((cleared, Body::None)),
                State::Length(length) => Some((cleared, Body::Length(length))),
                State::Chunked(_) => Some((cleared, Body::Chunked)),
            };
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn what_came_before_makes_no_difference(heads in prop::collection::vec(head(), 2..12)) {
        let mut one = Framing::new(LIMITS);
        for head in heads {
            let fresh = judged(&mut Framing::new(LIMITS), head.as_bytes(), &[]);
            prop_assert_eq!(judged(&mut one, head.as_bytes(), &[]), fresh);
            (one.state, one.looked_at) = (State::Head, 0);
        }
    }

    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let whole = judged(&mut Framing::new(LIMITS), &bytes, &[]);
        prop_assert!(whole.cleared <= bytes.len());
    }
}

#[test]
fn fields_that_are_the_same_but_for_more_behind_them_are_looked_at() {
    let mut framing = Framing::new(LIMITS);
    let good = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let doubled = b"GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n";
    let old = b"POST / HTTP/1.0\r\nhost: a\r\n\r\n";
    assert_eq!(framing.clear(good), good.len());
    assert_eq!(framing.clear(old), old.len());
    assert_eq!(framing.clear(good), good.len());
    assert_eq!(framing.clear(doubled), 0);
    assert_eq!(framing.refusal(), Some(Refusal::Head(400)));
}
