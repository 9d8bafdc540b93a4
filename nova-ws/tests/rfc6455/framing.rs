//! Masks, reserved bits, opcodes and lengths (§5.1 to §5.3; Autobahn 1, 3 and 4).

use super::peer::{
    BINARY, CLOSE, Case, FIN, PING, PONG, Said, TEXT, check, frame, head, long_head, ping, pong,
    said, text,
};

#[tokio::test]
async fn a_client_masks_its_frames() {
    check([
        (
            "the mask of the examples of the RFC is taken off",
            vec![
                0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
            ],
            vec![said("Hello")],
        ),
        (
            "a mask of zeroes is a mask",
            [&[0x81, 0x85, 0, 0, 0, 0][..], b"Hello"].concat(),
            vec![said("Hello")],
        ),
        (
            "a text that is not masked is 1002",
            [&[0x81, 0x05][..], b"Hello"].concat(),
            vec![Said::Closed(1002)],
        ),
        (
            "a head without a mask is 1002 before there is a payload",
            vec![0x82, 0x7e, 0xff, 0xff],
            vec![Said::Closed(1002)],
        ),
        (
            "a ping that is not masked is 1002",
            vec![0x89, 0x00],
            vec![Said::Closed(1002)],
        ),
        (
            "a pong that is not masked is 1002",
            vec![0x8a, 0x00],
            vec![Said::Closed(1002)],
        ),
        (
            "a close that is not masked is 1002",
            vec![0x88, 0x02, 0x03, 0xe8],
            vec![Said::Closed(1002)],
        ),
        (
            "a continuation that is not masked is 1002",
            [frame(TEXT, "Hel"), vec![0x80, 0x02, b'l', b'o']].concat(),
            vec![Said::Closed(1002)],
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_mask_goes_on_over_payloads_of_any_length() {
    let bytes: Vec<u8> = (0..=40).collect();
    check((0..bytes.len()).map(|length| {
        let payload = &bytes[..length];
        let sent = frame(FIN | BINARY, payload);
        (
            "a payload comes back",
            sent,
            vec![Said::Binary(payload.to_vec())],
        )
    }))
    .await;
}

#[tokio::test]
async fn a_reserved_bit_is_1002() {
    let bits = (1..8u8).map(|bits| bits << 4);
    let opcodes = [TEXT, BINARY, CLOSE, PING, PONG];
    check(bits.flat_map(|bits| {
        opcodes.map(|opcode| -> Case {
            (
                "a reserved bit without an extension is 1002, and what was before it is answered",
                [text("before"), frame(FIN | bits | opcode, ""), ping("")].concat(),
                vec![said("before"), Said::Closed(1002)],
            )
        })
    }))
    .await;
    check([
        (
            "a reserved bit in a continuation is 1002",
            [frame(TEXT, "Hel"), frame(FIN | 0x40, "lo")].concat(),
            vec![Said::Closed(1002)],
        ),
        (
            "a reserved bit is 1002 before there is a payload",
            head(FIN | 0x40 | TEXT, 60_000),
            vec![Said::Closed(1002)],
        ),
    ])
    .await;
}

#[tokio::test]
async fn an_opcode_without_a_meaning_is_1002() {
    let opcodes = (0x3..0x8).chain(0xb..=0xf);
    check(opcodes.flat_map(|opcode| -> [Case; 3] {
        [
            (
                "an opcode without a meaning is 1002",
                [text("before"), frame(FIN | opcode, "")].concat(),
                vec![said("before"), Said::Closed(1002)],
            ),
            (
                "it is 1002 before there is a payload",
                head(FIN | opcode, 100),
                vec![Said::Closed(1002)],
            ),
            (
                "it is 1002 amid fragments",
                [frame(TEXT, "Hel"), frame(FIN | opcode, "lo")].concat(),
                vec![Said::Closed(1002)],
            ),
        ]
    }))
    .await;
}

#[tokio::test]
async fn messages_of_all_lengths_come_back() {
    for length in [0, 1, 125, 126, 127, 128, 65_535, 65_536] {
        let letters = "a".repeat(length);
        check([
            ("a text comes back", text(&letters), vec![said(&letters)]),
            (
                "bytes come back",
                frame(FIN | BINARY, vec![0xfe; length]),
                vec![Said::Binary(vec![0xfe; length])],
            ),
        ])
        .await;
    }
}

#[tokio::test]
async fn a_length_is_as_short_as_it_can_be() {
    check([
        (
            "125 in two bytes is 1002",
            long_head(FIN | TEXT, 126, &125u16.to_be_bytes()),
            vec![Said::Closed(1002)],
        ),
        (
            "0 in two bytes is 1002",
            long_head(FIN | TEXT, 126, &[0; 2]),
            vec![Said::Closed(1002)],
        ),
        (
            "65,535 in eight bytes is 1002",
            long_head(FIN | BINARY, 127, &65_535u64.to_be_bytes()),
            vec![Said::Closed(1002)],
        ),
        (
            "0 in eight bytes is 1002",
            long_head(FIN | BINARY, 127, &[0; 8]),
            vec![Said::Closed(1002)],
        ),
        (
            "the length of a ping in two bytes is 1002",
            long_head(FIN | PING, 126, &4u16.to_be_bytes()),
            vec![Said::Closed(1002)],
        ),
        (
            "2 to the 63 is 1002",
            long_head(FIN | BINARY, 127, &(1u64 << 63).to_be_bytes()),
            vec![Said::Closed(1002)],
        ),
        (
            "2 to the 64 less one is 1002",
            long_head(FIN | BINARY, 127, &u64::MAX.to_be_bytes()),
            vec![Said::Closed(1002)],
        ),
        (
            "2 to the 63 less one is a length, and too long",
            long_head(FIN | BINARY, 127, &(u64::MAX >> 1).to_be_bytes()),
            vec![Said::Closed(1009)],
        ),
    ])
    .await;
}

#[tokio::test]
async fn frames_that_arrive_together_are_answered_in_their_order() {
    let mut sent = Vec::new();
    let mut expected = Vec::new();
    for number in 0..1000u32 {
        sent.extend(text(number.to_string()));
        expected.push(said(&number.to_string()));
    }
    sent.extend(ping("end"));
    expected.push(pong(b"end"));
    check([("a thousand texts come back", sent, expected)]).await;
}
