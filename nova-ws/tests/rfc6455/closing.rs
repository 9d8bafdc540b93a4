//! The closing handshake, its codes and reasons (§5.5.1, §7; Autobahn 7).

use nova_ws::CloseReason;

use super::peer::{CLOSE, FIN, Said, TEXT, check, close, frame, ping, pong, reason, said, text};

#[tokio::test]
async fn a_close_is_answered_with_its_code() {
    let codes = (1000..=1003).chain(1007..=1014);
    let codes = codes.chain([3000, 3999, 4000, 4999]);
    check(codes.map(|code| {
        (
            "the code comes back",
            close(code, ""),
            vec![Said::Closed(code)],
        )
    }))
    .await;
    check([
        (
            "a close without a code is answered with one without a code",
            frame(FIN | CLOSE, ""),
            vec![Said::ClosedWithoutCode],
        ),
        (
            "a reason of 123 bytes has room",
            close(1000, "a".repeat(123)),
            vec![Said::Closed(1000)],
        ),
        (
            "what came before the close is answered",
            [text("Hello"), ping("1"), close(1001, "gone")].concat(),
            vec![said("Hello"), pong(b"1"), Said::Closed(1001)],
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_close_with_a_code_that_is_never_sent_is_1002() {
    let codes = [
        0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535,
    ];
    check(codes.map(|code| {
        (
            "such a code is 1002",
            close(code, ""),
            vec![Said::Closed(1002)],
        )
    }))
    .await;
}

#[tokio::test]
async fn a_malformed_close_says_what_is_wrong() {
    check([
        (
            "half a code is 1002",
            frame(FIN | CLOSE, [0x03]),
            vec![Said::Closed(1002)],
        ),
        (
            "a reason that is not UTF-8 is 1007",
            close(1000, [0xce, 0xba, 0xff]),
            vec![Said::Closed(1007)],
        ),
        (
            "a reason that ends within a character is 1007",
            close(1000, [0xce]),
            vec![Said::Closed(1007)],
        ),
        (
            "a reason that is too long for a control frame is 1002",
            close(1000, "a".repeat(124)),
            vec![Said::Closed(1002)],
        ),
    ])
    .await;
}

#[tokio::test]
async fn nothing_is_answered_after_a_close() {
    check([
        (
            "a second close has no answer",
            [close(1000, ""), close(1001, "")].concat(),
            vec![Said::Closed(1000)],
        ),
        (
            "a text has no answer",
            [close(1000, ""), text("Hello")].concat(),
            vec![Said::Closed(1000)],
        ),
        (
            "a ping has no answer",
            [close(1000, ""), ping("Hello")].concat(),
            vec![Said::Closed(1000)],
        ),
        (
            "what breaks the protocol has no answer",
            [close(1000, ""), vec![0xff; 200]].concat(),
            vec![Said::Closed(1000)],
        ),
        (
            "many bytes have no answer",
            [close(1000, ""), frame(TEXT, [b'a'; 5000])].concat(),
            vec![Said::Closed(1000)],
        ),
    ])
    .await;
}

#[tokio::test]
async fn nothing_is_answered_after_a_violation() {
    check([
        (
            "a text has no answer",
            [frame(FIN | 0x3, ""), text("Hello")].concat(),
            vec![Said::Closed(1002)],
        ),
        (
            "a close has no answer",
            [text([0xff]), close(1000, "")].concat(),
            vec![Said::Closed(1007)],
        ),
        (
            "another violation has no answer",
            [frame(FIN | 0x3, ""), text([0xff])].concat(),
            vec![Said::Closed(1002)],
        ),
    ])
    .await;
}

#[tokio::test]
async fn nothing_is_answered_after_a_close_of_the_apps() {
    check([
        (
            "the client's close ends the connection",
            [text("stop"), close(1000, "")].concat(),
            vec![Said::Closed(1000)],
        ),
        (
            "texts and pings that crossed the close have no answer",
            [text("stop"), text("Hello"), ping("1"), close(1000, "")].concat(),
            vec![Said::Closed(1000)],
        ),
        (
            "a close with another code is an answer as well",
            [text("stop"), close(4000, "")].concat(),
            vec![Said::Closed(1000)],
        ),
        (
            "a violation ends the connection",
            [text("stop"), text([0xff])].concat(),
            vec![Said::Closed(1000)],
        ),
    ])
    .await;
}

#[tokio::test]
async fn the_handler_hears_what_the_client_says_in_its_close() {
    let remote = |code, reason: &str| CloseReason::Remote {
        code,
        reason: reason.to_owned(),
    };
    assert_eq!(
        reason(&close(4001, "grüße")).await,
        remote(Some(4001), "grüße")
    );
    assert_eq!(reason(&frame(FIN | CLOSE, "")).await, remote(None, ""));
}

#[tokio::test]
async fn the_handler_hears_what_a_client_did_wrong() {
    let violation = |told: &str| CloseReason::Violation(told.to_owned());
    for (sent, told) in [
        (frame(FIN | 0x3, ""), "the opcode 3 has no meaning"),
        (vec![0x81, 0x00], "a client masks its frames"),
        (text([0xff]), "a text message is not UTF-8"),
        (close(1005, ""), "the close code 1005 is never sent"),
        (
            frame(FIN | TEXT, [b'a'; 65_537]),
            "a frame is longer than 65536 bytes",
        ),
    ] {
        assert_eq!(reason(&sent).await, violation(told));
    }
}
