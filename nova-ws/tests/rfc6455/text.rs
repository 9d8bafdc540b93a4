//! Texts are UTF-8 (§5.6, §8.1; Autobahn 6).

use super::peer::{BINARY, Case, FIN, Said, TEXT, check, frame, head, ping, pong, said, text};

/// Characters of one, two, three and four bytes, the first and the last of each, those around the
/// surrogates, and some that mean nothing but are characters all the same.
const CHARACTERS: &str = "\0\u{7f}\u{80}\u{7ff}\u{800}\u{d7ff}\u{e000}\u{feff}\u{fffd}\u{fffe}\
    \u{ffff}\u{10000}\u{1fffe}\u{10fffe}\u{10ffff}κόσμε𝄞";

/// Not UTF-8, at the latest where the last byte stands.
const WRONG: &[&[u8]] = &[
    &[0x80],                                     // a continuation of nothing
    &[0xbf],                                     // the same
    &[0xfe],                                     // never a byte of UTF-8
    &[0xff],                                     // the same
    &[0xc0],                                     // begins what is longer than it has to be
    &[0xc1],                                     // the same
    &[0xe0, 0x80],                               // the same
    &[0xe0, 0x9f],                               // the same
    &[0xf0, 0x80],                               // the same
    &[0xf0, 0x8f],                               // the same
    &[0xed, 0xa0],                               // begins a surrogate
    &[0xed, 0xbf],                               // the same
    &[0xf4, 0x90],                               // begins what is above U+10FFFF
    &[0xf5],                                     // the same
    &[0xf8],                                     // begins five bytes
    &[0xfc],                                     // begins six bytes
    &[0xc3, b'a'],                               // a character breaks off
    &[0xe2, 0x82, b'a'],                         // the same
    &[0xf0, 0x9d, 0x84, b'a'],                   // the same
    &[0xf0, 0x9d, 0x84, 0xc3],                   // the same, and another begins
    &[0xce, 0xba, 0xe1, 0xbd, 0xb9, 0xed, 0xa0], // Autobahn's own
];

#[tokio::test]
async fn texts_come_back() {
    check([
        (
            "characters come back",
            text(CHARACTERS),
            vec![said(CHARACTERS)],
        ),
        ("an empty text comes back", text(""), vec![said("")]),
        (
            "bytes that are no text come back as bytes",
            frame(FIN | BINARY, [0xff, 0xed, 0xa0, 0x80]),
            vec![Said::Binary(vec![0xff, 0xed, 0xa0, 0x80])],
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_text_can_be_split_at_every_byte() {
    check((0..=CHARACTERS.len()).map(|at| -> Case {
        let (before, after) = CHARACTERS.as_bytes().split_at(at);
        (
            "two fragments are a text, wherever the second begins",
            [frame(TEXT, before), ping("1"), frame(FIN, after)].concat(),
            vec![pong(b"1"), said(CHARACTERS)],
        )
    }))
    .await;
    let bytes = CHARACTERS.as_bytes().iter();
    let one_by_one = bytes.flat_map(|&byte| frame(0, [byte]));
    let sent = [frame(TEXT, ""), one_by_one.collect(), frame(FIN, "")].concat();
    check([(
        "a fragment for each byte is a text",
        sent,
        vec![said(CHARACTERS)],
    )])
    .await;
}

#[tokio::test]
async fn a_text_that_is_not_utf_8_is_1007() {
    check(WRONG.iter().flat_map(|wrong| -> [Case; 4] {
        let closed = || vec![Said::Closed(1007)];
        let good = CHARACTERS.as_bytes();
        [
            ("in one frame", text(wrong), closed()),
            (
                "behind what is UTF-8, and before it",
                text([good, wrong, good].concat()),
                closed(),
            ),
            (
                "in a second fragment",
                [frame(TEXT, good), frame(FIN, wrong)].concat(),
                closed(),
            ),
            (
                "in two fragments",
                [frame(TEXT, &wrong[..1]), frame(FIN, &wrong[1..])].concat(),
                closed(),
            ),
        ]
    }))
    .await;
}

#[tokio::test]
async fn a_text_is_1007_at_the_first_wrong_byte() {
    check(WRONG.iter().flat_map(|wrong| -> [Case; 3] {
        let closed = || vec![Said::Closed(1007)];
        // All but the end of a frame: the rest never comes.
        let begin = |first, payload: &[u8]| {
            let bytes = frame(first, payload);
            let masked = &bytes[bytes.len() - payload.len()..];
            [&head(first, payload.len() as u64 + 100)[..], masked].concat()
        };
        [
            (
                "the first fragment is enough",
                frame(TEXT, [CHARACTERS.as_bytes(), wrong].concat()),
                closed(),
            ),
            (
                "the begin of a frame is enough",
                begin(FIN | TEXT, wrong),
                closed(),
            ),
            (
                "the begin of a last fragment is enough",
                [frame(TEXT, "κόσμε"), begin(FIN, wrong)].concat(),
                closed(),
            ),
        ]
    }))
    .await;
}

#[tokio::test]
async fn a_text_that_ends_within_a_character_is_1007() {
    let parts = ["é", "€", "𝄞"].map(str::as_bytes);
    check(parts.into_iter().flat_map(|character| {
        (1..character.len()).flat_map(move |at| -> [Case; 3] {
            let part = &character[..at];
            [
                ("in one frame", text(part), vec![Said::Closed(1007)]),
                (
                    "in a last fragment",
                    [frame(TEXT, "a"), frame(FIN, part)].concat(),
                    vec![Said::Closed(1007)],
                ),
                (
                    "before an empty last fragment",
                    [frame(TEXT, part), frame(FIN, "")].concat(),
                    vec![Said::Closed(1007)],
                ),
            ]
        })
    }))
    .await;
}
