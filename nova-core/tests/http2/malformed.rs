//! What RFC 9113 asks for, section by section: what is malformed ends its stream or the connection, and is never
//! answered as a request.

use std::time::Duration;

use nova_core::testing::TestClient;
use tokio::time::Instant;

use super::app;
use super::frames::{
    COMPRESSION_ERROR, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY, Got, HEADERS, NO_ERROR, PING, PREFACE, PRIORITY,
    PROTOCOL_ERROR, PUSH_PROMISE, RST_STREAM, Raw, SETTINGS, STREAM_CLOSED, WINDOW_UPDATE, block,
    frame, get, post, request_block,
};

const WHOLE: u8 = END_STREAM | END_HEADERS;

/// What comes of these bytes behind a preface and settings. When they come frame by frame or byte by byte, an answer
/// may leave before what is wrong comes; else that ends the connection as soon.
async fn after(bytes: &[u8]) -> Vec<Got> {
    let whole = in_pieces(&[bytes]).await;
    let size = if bytes.len() < 20_000 { 1 } else { 1_000 };
    for pieces in [frames_of(bytes), bytes.chunks(size).collect()] {
        let begun = Instant::now();
        let got = in_pieces(&pieces).await;
        let is_soon = begun.elapsed() < Duration::from_secs(5);
        let is_good = !ends_at_once(&whole) || got.contains(&Got::End(1)) || is_soon;
        assert!(
            is_good,
            "{bytes:x?} in pieces got {got:?}, and not {whole:?}"
        );
    }
    whole
}

fn ends_at_once(got: &[Got]) -> bool {
    let codes = [NO_ERROR, ENHANCE_YOUR_CALM];
    got.iter()
        .any(|got| matches!(got, Got::GoAway(code) if !codes.contains(code)))
}

/// What comes of pieces that the app reads one by one.
async fn in_pieces(pieces: &[&[u8]]) -> Vec<Got> {
    let client = TestClient::new(app("").unwrap());
    let mut raw = Raw::open(&client).await;
    for piece in pieces {
        raw.send(piece).await;
        tokio::task::yield_now().await;
    }
    raw.rest().await
}

fn frames_of(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let [a, b, c, ..] = *bytes {
        let length = 9 + u32::from_be_bytes([0, a, b, c]) as usize;
        let (frame, rest) = bytes.split_at(length.min(bytes.len()));
        frames.push(frame);
        bytes = rest;
    }
    frames
}

/// Checks that one of these comes, and no answer that is a success.
async fn is_refused(bytes: &[u8], with: &[Got]) {
    let got = after(bytes).await;
    assert!(
        with.iter().any(|refusal| got.contains(refusal)),
        "{bytes:x?} got {got:?}, and none of {with:?}"
    );
    assert!(
        !got.iter().any(|got| matches!(got, Got::Status(_, 200))),
        "{bytes:x?} got {got:?}"
    );
}

/// The connection ends with one of these codes.
async fn ends_all(bytes: &[u8], with: &[u32]) {
    let with: Vec<Got> = with.iter().map(|code| Got::GoAway(*code)).collect();
    is_refused(bytes, &with).await;
}

/// Stream 1 is reset, and the connection goes on.
async fn ends_the_stream(bytes: &[u8]) {
    let more = get(3, "/none");
    let got = after(&[bytes, &more].concat()).await;
    let reset = got.iter().any(|got| matches!(got, Got::Reset(1, _)));
    assert!(reset, "{bytes:x?} got {got:?}");
    assert!(got.contains(&Got::Status(3, 404)), "{bytes:x?} got {got:?}");
    assert!(
        !got.contains(&Got::Status(1, 200)),
        "{bytes:x?} got {got:?}"
    );
}

/// A request with these fields, in this order.
fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, WHOLE, 1, &block(fields))
}

/// A good request with one field more.
fn with(name: &str, value: &str) -> Vec<u8> {
    frame(
        HEADERS,
        WHOLE,
        1,
        &request_block("GET", "/", &[(name, value)]),
    )
}

#[tokio::test(start_paused = true)]
async fn a_preface_is_followed_by_settings() {
    let client = TestClient::new(app("").unwrap());
    for first in [
        get(1, "/"),
        frame(PING, 0, 0, &[0; 8]),
        frame(SETTINGS, 1, 0, &[]),
        frame(DATA, 0, 1, b"x"),
    ] {
        let mut raw = Raw::silent(&client);
        raw.send(&[PREFACE, &first].concat()).await;
        let rest = raw.rest().await;

        assert_eq!(rest.last(), Some(&Got::GoAway(PROTOCOL_ERROR)), "{first:?}");
        assert!(!rest.contains(&Got::Status(1, 200)));
    }
}

#[tokio::test(start_paused = true)]
async fn section_4_frames_and_header_blocks() {
    let good = request_block("GET", "/", &[]);
    let (first, second) = good.split_at(10);
    for (bytes, codes) in [
        // §4.2: longer than what was announced.
        (frame(DATA, 0, 1, &[0; 16_385]), &[FRAME_SIZE_ERROR][..]),
        (frame(HEADERS, WHOLE, 1, &[0; 16_385]), &[FRAME_SIZE_ERROR]),
        // §4.3: what cannot be decompressed.
        (frame(HEADERS, WHOLE, 1, &[0xff; 12]), &[COMPRESSION_ERROR]),
        (frame(HEADERS, WHOLE, 1, &[0x80]), &[COMPRESSION_ERROR]),
        (frame(HEADERS, WHOLE, 1, first), &[COMPRESSION_ERROR]),
        // A table that is larger than agreed (RFC 7541 §6.3).
        (
            frame(
                HEADERS,
                WHOLE,
                1,
                &[&[0x3f, 0xe1, 0xff, 0x03], &good[..]].concat(),
            ),
            &[COMPRESSION_ERROR],
        ),
        // §4.3: nothing comes between the parts of a block.
        (
            [
                frame(HEADERS, END_STREAM, 1, first),
                frame(PING, 0, 0, &[0; 8]),
            ]
            .concat(),
            &[PROTOCOL_ERROR],
        ),
        (
            [frame(HEADERS, END_STREAM, 1, first), get(3, "/")].concat(),
            &[PROTOCOL_ERROR],
        ),
        (
            [
                frame(HEADERS, END_STREAM, 1, first),
                frame(CONTINUATION, END_HEADERS, 3, second),
            ]
            .concat(),
            &[PROTOCOL_ERROR],
        ),
        (
            frame(CONTINUATION, END_HEADERS, 1, &good),
            &[PROTOCOL_ERROR],
        ),
    ] {
        ends_all(&bytes, codes).await;
    }
    let parts = [
        frame(HEADERS, END_STREAM, 1, first),
        frame(CONTINUATION, 0, 1, &[]),
        frame(CONTINUATION, END_HEADERS, 1, second),
    ];
    assert!(after(&parts.concat()).await.contains(&Got::Status(1, 200)));
    // §4.1, §5.5: what is not known is passed over.
    let unknown = [
        frame(0x16, 0xff, 0, b"what"),
        frame(0x20, 0, 7, b""),
        get(1, "/"),
    ];
    assert!(
        after(&unknown.concat())
            .await
            .contains(&Got::Status(1, 200))
    );
}

#[tokio::test(start_paused = true)]
async fn section_5_states_of_streams() {
    let missing = get(1, "/none");
    for bytes in [
        // §5.1: idle streams take HEADERS and PRIORITY alone.
        frame(DATA, END_STREAM, 1, b"x"),
        frame(RST_STREAM, 0, 1, &[0; 4]),
        frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]),
        // §5.1.1: clients have the odd ones, and they only grow.
        get(2, "/"),
        get(0, "/"),
        [get(5, "/none"), get(3, "/")].concat(),
    ] {
        ends_all(&bytes, &[PROTOCOL_ERROR, STREAM_CLOSED]).await;
    }
    // §5.1: nothing more of the body comes behind its end.
    for more in [
        frame(DATA, 0, 1, b"x"),
        frame(HEADERS, WHOLE, 1, &block(&[("a", "b")])),
        frame(CONTINUATION, END_HEADERS, 1, &[]),
    ] {
        let bytes = [&missing[..], &more].concat();
        let refusals = [
            Got::Reset(1, STREAM_CLOSED),
            Got::GoAway(STREAM_CLOSED),
            Got::GoAway(PROTOCOL_ERROR),
        ];
        is_refused(&bytes, &refusals).await;
    }
    // §5.3.1: no stream depends on itself.
    ends_the_stream(&frame(PRIORITY, 0, 1, &[0, 0, 0, 1, 16])).await;
    let depends = [&[0, 0, 0, 1, 16][..], &request_block("GET", "/", &[])].concat();
    ends_the_stream(&frame(HEADERS, WHOLE | 0x20, 1, &depends)).await;
}

#[tokio::test(start_paused = true)]
async fn section_6_frames_by_type() {
    for (bytes, codes) in [
        // §6.1
        (frame(DATA, END_STREAM, 0, b"x"), &[PROTOCOL_ERROR][..]),
        (
            [post(1, "/none", &[]), frame(DATA, 8, 1, &[9, 0, 0])].concat(),
            &[PROTOCOL_ERROR],
        ),
        // §6.2
        (
            frame(HEADERS, WHOLE | 8, 1, &[200, 0x82]),
            &[PROTOCOL_ERROR],
        ),
        // §6.3, whose wrong size may end the stream alone.
        (frame(PRIORITY, 0, 0, &[0; 5]), &[PROTOCOL_ERROR]),
        (frame(PRIORITY, 0, 1, &[0; 4]), &[FRAME_SIZE_ERROR]),
        // §6.4
        (frame(RST_STREAM, 0, 0, &[0; 4]), &[PROTOCOL_ERROR]),
        (
            [post(1, "/none", &[]), frame(RST_STREAM, 0, 1, &[0; 3])].concat(),
            &[FRAME_SIZE_ERROR],
        ),
        // §6.5
        (frame(SETTINGS, 1, 0, &[0; 6]), &[FRAME_SIZE_ERROR]),
        (frame(SETTINGS, 0, 1, &[]), &[PROTOCOL_ERROR]),
        (frame(SETTINGS, 0, 0, &[0; 5]), &[FRAME_SIZE_ERROR]),
        (
            frame(SETTINGS, 0, 0, &[0, 2, 0, 0, 0, 2]),
            &[PROTOCOL_ERROR],
        ),
        (
            frame(SETTINGS, 0, 0, &[0, 4, 0x80, 0, 0, 0]),
            &[FLOW_CONTROL_ERROR],
        ),
        (
            frame(SETTINGS, 0, 0, &[0, 5, 0, 0, 0x3f, 0xff]),
            &[PROTOCOL_ERROR],
        ),
        (
            frame(SETTINGS, 0, 0, &[0, 5, 1, 0, 0, 0]),
            &[PROTOCOL_ERROR],
        ),
        // §6.6, §8.4: clients push nothing.
        (
            [
                post(1, "/none", &[]),
                frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2, 0x82]),
            ]
            .concat(),
            &[PROTOCOL_ERROR],
        ),
        // §6.7
        (frame(PING, 0, 1, &[0; 8]), &[PROTOCOL_ERROR]),
        (frame(PING, 0, 0, &[0; 7]), &[FRAME_SIZE_ERROR]),
        // §6.8
        (frame(GOAWAY, 0, 1, &[0; 8]), &[PROTOCOL_ERROR]),
        // §6.9
        (frame(WINDOW_UPDATE, 0, 0, &[0; 4]), &[PROTOCOL_ERROR]),
        (frame(WINDOW_UPDATE, 0, 0, &[0; 3]), &[FRAME_SIZE_ERROR]),
        (
            frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
            &[FLOW_CONTROL_ERROR],
        ),
    ] {
        ends_all(&bytes, codes).await;
    }
    // §6.9, §6.9.1: of a stream, they end it alone, or all.
    for update in [[0; 4], [0x7f, 0xff, 0xff, 0xff]] {
        let bytes = [post(1, "/none", &[]), frame(WINDOW_UPDATE, 0, 1, &update)].concat();
        let codes = [FLOW_CONTROL_ERROR, PROTOCOL_ERROR];
        let refusals: Vec<Got> = codes
            .iter()
            .flat_map(|code| [Got::Reset(1, *code), Got::GoAway(*code)])
            .collect();
        is_refused(&bytes, &refusals).await;
    }
    // §6.5.3, §6.7: what is asked is answered; what is not known is passed over.
    let settings = frame(SETTINGS, 0, 0, &[0, 0x99, 0, 0, 0, 1]);
    let got = after(&[settings, frame(PING, 0, 0, &[7; 8])].concat()).await;
    assert!(got.contains(&Got::Pong), "{got:?}");
    assert!(!got.contains(&Got::GoAway(PROTOCOL_ERROR)), "{got:?}");
    // §6.9: more than the window allows.
    let full = frame(DATA, 0, 1, &[0; 16_384]);
    let got = after(&[&post(1, "/none", &[])[..], &full.repeat(80)].concat()).await;
    let stopped = [
        Got::GoAway(FLOW_CONTROL_ERROR),
        Got::Reset(1, FLOW_CONTROL_ERROR),
        Got::Reset(1, NO_ERROR),
        Got::Reset(1, STREAM_CLOSED),
    ];
    assert!(got.iter().any(|got| stopped.contains(got)), "{got:?}");
}

#[tokio::test(start_paused = true)]
async fn section_8_malformed_requests_end_their_stream() {
    let (method, scheme, authority, path) = (
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", "/"),
    );
    for bytes in [
        // §8.2.2: nothing of the connection.
        with("connection", "close"),
        with("keep-alive", "1"),
        with("proxy-connection", "close"),
        with("transfer-encoding", "chunked"),
        with("upgrade", "websocket"),
        with("te", "gzip"),
        with("te", "trailers, deflate"),
        // §8.3: pseudo-fields, all of them, once, in front, and no others.
        fields(&[scheme, authority, path]),
        fields(&[method, authority, path]),
        fields(&[method, scheme, authority]),
        fields(&[method, scheme, authority, path, path]),
        fields(&[method, method, scheme, authority, path]),
        fields(&[method, scheme, scheme, authority, path]),
        fields(&[method, scheme, authority, authority, path]),
        fields(&[method, scheme, authority, ("a", "b"), path]),
        fields(&[method, scheme, authority, path, (":status", "200")]),
        fields(&[method, scheme, authority, path, (":protocol", "websocket")]),
        fields(&[method, scheme, authority, (":path", "")]),
        // §8.1.1: the length is what it says.
        with("content-length", "1"),
        with("content-length", "x"),
        with("content-length", "+0"),
        [
            post(1, "/length", &[("content-length", "5")]),
            frame(DATA, END_STREAM, 1, b"four"),
        ]
        .concat(),
        [
            post(1, "/length", &[("content-length", "3")]),
            frame(DATA, END_STREAM, 1, b"four"),
        ]
        .concat(),
        [
            post(
                1,
                "/length",
                &[("content-length", "5"), ("content-length", "4")],
            ),
            frame(DATA, END_STREAM, 1, b"four"),
        ]
        .concat(),
        // §8.5
        fields(&[(":method", "CONNECT"), scheme, authority, path]),
    ] {
        ends_the_stream(&bytes).await;
    }
    // §8.2.1: names are in small letters, and without what HTTP/1.1 would take for something else. For these
    // h2 ends the connection, as §5.4.1 allows.
    for bytes in [
        with("X-Capital", "a"),
        with("a b", "c"),
        with("", "a"),
        with("a:b", "c"),
        with("a", "b\nc"),
        with("a", "b\rc"),
        with("a", "b\0c"),
        fields(&[(":method", ""), scheme, authority, path]),
        fields(&[(":method", "G T"), scheme, authority, path]),
        fields(&[method, scheme, authority, path, (":other", "a")]),
    ] {
        let refusals = [Got::Reset(1, PROTOCOL_ERROR), Got::GoAway(PROTOCOL_ERROR)];
        is_refused(&bytes, &refusals).await;
    }
    assert!(
        after(&with("te", "trailers"))
            .await
            .contains(&Got::Status(1, 200))
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_that_does_not_say_well_whom_it_is_for_is_400() {
    let (method, scheme, authority, path) = (
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", "/"),
    );
    for bytes in [
        fields(&[method, scheme, path]),
        fields(&[method, scheme, path, ("host", "")]),
        fields(&[method, scheme, path, ("host", "a/b")]),
        fields(&[method, scheme, path, ("host", "a"), ("host", "a")]),
        fields(&[method, scheme, authority, path, ("host", "b")]),
        fields(&[
            method,
            scheme,
            authority,
            path,
            ("host", "a"),
            ("host", "a"),
        ]),
        fields(&[method, scheme, (":authority", "u@a"), path]),
        fields(&[method, (":scheme", "ftp"), authority, path]),
        fields(&[method, scheme, authority, (":path", "x")]),
        fields(&[method, scheme, authority, (":path", "*")]),
        fields(&[(":method", "CONNECT")]),
    ] {
        let got = after(&bytes).await;
        let is_refused = got.contains(&Got::Status(1, 400)) || got.contains(&Got::Reset(1, 1));
        assert!(is_refused, "{bytes:?} got {got:?}");
    }
    for bytes in [
        fields(&[method, scheme, path, ("host", "a")]),
        fields(&[method, scheme, authority, path, ("host", "A")]),
    ] {
        assert!(after(&bytes).await.contains(&Got::Status(1, 200)));
    }
}

#[tokio::test(start_paused = true)]
async fn trailers_are_passed_over_and_pseudo_fields_in_them_refused() {
    let begun = [post(1, "/length", &[]), frame(DATA, 0, 1, b"four")].concat();
    let trailers = |fields: &[(&str, &str)], flags| {
        [&begun[..], &frame(HEADERS, flags, 1, &block(fields))].concat()
    };
    let got = after(&trailers(&[("checksum", "1")], WHOLE)).await;
    assert!(got.contains(&Got::Status(1, 200)), "{got:?}");
    for fields in [
        &[("a", "b"), ("connection", "close")][..],
        &[("te", "gzip")],
    ] {
        ends_the_stream(&trailers(fields, WHOLE)).await;
    }
    for fields in [
        &[(":path", "/")][..],
        &[("a", "b"), (":method", "GET")],
        &[(":status", "200")],
        &[(":path", "/"), ("a", "b")],
    ] {
        ends_all(&trailers(fields, WHOLE), &[PROTOCOL_ERROR]).await;
    }
    // Compressed, from the static table, and from what an earlier request has left.
    let remembered = [&[0x40][..], &block(&[(":path", "/x")])[1..]].concat();
    for pseudo in [&[0x84][..], &[0x02, 0x01, 0x61], &[0xbe]] {
        let mut request = request_block("POST", "/length", &[]);
        request.truncate(request.len() - block(&[(":path", "/length")]).len());
        request.extend(&remembered);
        let bytes = [
            frame(HEADERS, END_HEADERS, 1, &request),
            frame(HEADERS, WHOLE, 1, pseudo),
        ];
        ends_all(&bytes.concat(), &[PROTOCOL_ERROR]).await;
    }
    // §8.1: they are the end.
    ends_the_stream(&trailers(&[("a", "b")], END_HEADERS)).await;
}
