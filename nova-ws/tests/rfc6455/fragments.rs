//! Messages in several frames (§5.4; Autobahn 5).

use super::peer::{
    BINARY, CLOSE, FIN, PING, PONG, Said, TEXT, check, frame, ping, pong, said, text,
};

/// The opcode of all fragments but the first.
const CONTINUED: u8 = 0x0;

#[tokio::test]
async fn fragments_are_put_together() {
    check([
        (
            "two fragments are a text",
            [frame(TEXT, "Hel"), frame(FIN | CONTINUED, "lo")].concat(),
            vec![said("Hello")],
        ),
        (
            "three fragments are bytes",
            [
                frame(BINARY, [0xff]),
                frame(CONTINUED, [0xfe]),
                frame(FIN | CONTINUED, [0xfd]),
            ]
            .concat(),
            vec![Said::Binary(vec![0xff, 0xfe, 0xfd])],
        ),
        (
            "the first fragment can be empty",
            [frame(TEXT, ""), frame(FIN | CONTINUED, "Hello")].concat(),
            vec![said("Hello")],
        ),
        (
            "the last fragment can be empty",
            [frame(TEXT, "Hello"), frame(FIN | CONTINUED, "")].concat(),
            vec![said("Hello")],
        ),
        (
            "all fragments can be empty",
            [
                frame(BINARY, ""),
                frame(CONTINUED, ""),
                frame(FIN | CONTINUED, ""),
            ]
            .concat(),
            vec![Said::Binary(Vec::new())],
        ),
        (
            "messages in fragments follow one another",
            [
                frame(TEXT, "a"),
                frame(FIN | CONTINUED, "b"),
                frame(BINARY, "c"),
                frame(FIN | CONTINUED, "d"),
            ]
            .concat(),
            vec![said("ab"), Said::Binary(b"cd".to_vec())],
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_message_of_many_fragments_is_put_together() {
    let mut sent = frame(TEXT, "");
    for _ in 0..5000 {
        sent.extend(frame(CONTINUED, "a"));
    }
    sent.extend(frame(FIN | CONTINUED, ""));
    check([(
        "5,000 letters are a text",
        sent,
        vec![said(&"a".repeat(5000))],
    )])
    .await;
}

#[tokio::test]
async fn control_frames_can_stand_amid_fragments() {
    check([
        (
            "a ping is answered before the message is whole",
            [
                frame(TEXT, "Hel"),
                ping("now"),
                frame(FIN | CONTINUED, "lo"),
            ]
            .concat(),
            vec![pong(b"now"), said("Hello")],
        ),
        (
            "a pong changes nothing",
            [
                frame(TEXT, "Hel"),
                frame(FIN | PONG, "x"),
                frame(FIN | CONTINUED, "lo"),
            ]
            .concat(),
            vec![said("Hello")],
        ),
        (
            "a ping amid a character changes nothing",
            [
                frame(TEXT, [0xc3]),
                ping(""),
                frame(FIN | CONTINUED, [0xa9]),
            ]
            .concat(),
            vec![pong(b""), said("é")],
        ),
        (
            "a close ends a message that is not whole",
            [
                frame(TEXT, "Hel"),
                frame(FIN | CLOSE, [0x03, 0xe9]),
                frame(FIN, "lo"),
            ]
            .concat(),
            vec![Said::Closed(1001)],
        ),
    ])
    .await;
}

#[tokio::test]
async fn messages_do_not_stand_amid_fragments() {
    check([
        (
            "a text before the last one is whole is 1002",
            [frame(TEXT, "Hel"), text("lo")].concat(),
            vec![Said::Closed(1002)],
        ),
        (
            "bytes before a text is whole are 1002",
            [frame(TEXT, "Hel"), frame(FIN | BINARY, "lo")].concat(),
            vec![Said::Closed(1002)],
        ),
        (
            "a first fragment after a first fragment is 1002",
            [frame(TEXT, "Hel"), frame(TEXT, "lo")].concat(),
            vec![Said::Closed(1002)],
        ),
        (
            "a first fragment after an empty one is 1002",
            [frame(TEXT, ""), frame(TEXT, "")].concat(),
            vec![Said::Closed(1002)],
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_continuation_has_something_to_continue() {
    check([
        (
            "a last fragment of nothing is 1002",
            frame(FIN | CONTINUED, "lo"),
            vec![Said::Closed(1002)],
        ),
        (
            "a fragment of nothing is 1002",
            frame(CONTINUED, "lo"),
            vec![Said::Closed(1002)],
        ),
        (
            "an empty fragment of nothing is 1002",
            frame(CONTINUED, ""),
            vec![Said::Closed(1002)],
        ),
        (
            "a continuation of a whole message is 1002",
            [text("Hello"), frame(FIN | CONTINUED, "!")].concat(),
            vec![said("Hello"), Said::Closed(1002)],
        ),
        (
            "a continuation of a message that has ended is 1002",
            [
                frame(TEXT, "Hel"),
                frame(FIN | CONTINUED, "lo"),
                frame(FIN | CONTINUED, "!"),
            ]
            .concat(),
            vec![said("Hello"), Said::Closed(1002)],
        ),
        (
            "a ping is nothing to continue",
            [ping(""), frame(FIN | CONTINUED, "")].concat(),
            vec![pong(b""), Said::Closed(1002)],
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_control_frame_is_no_fragment() {
    check([PING, PONG, CLOSE].into_iter().map(|opcode| {
        (
            "a control frame that is not the last of its message is 1002",
            [frame(opcode, ""), frame(FIN | CONTINUED, "")].concat(),
            vec![Said::Closed(1002)],
        )
    }))
    .await;
}
