//! Messages that are too big (§7.4.1, §10.4; Autobahn 9 and 10).

use super::peer::{BINARY, FIN, Said, TEXT, check, frame, head, ping, said, text};

/// The longest message and the longest frame, by default.
const LIMIT: usize = 64 * 1024;

#[tokio::test]
async fn a_message_that_is_too_big_is_1009() {
    let longest = "a".repeat(LIMIT);
    check([
        (
            "the longest message comes back",
            text(&longest),
            vec![said(&longest)],
        ),
        (
            "the longest message in fragments comes back",
            [frame(TEXT, &longest[1..]), frame(FIN, "a")].concat(),
            vec![said(&longest)],
        ),
        (
            "a longer text is 1009 before there is a payload",
            head(FIN | TEXT, LIMIT as u64 + 1),
            vec![Said::Closed(1009)],
        ),
        (
            "longer bytes are 1009 before there is a payload",
            head(FIN | BINARY, LIMIT as u64 + 1),
            vec![Said::Closed(1009)],
        ),
        (
            "a longer fragment is 1009 before there is a payload",
            head(BINARY, LIMIT as u64 + 1),
            vec![Said::Closed(1009)],
        ),
        (
            "a fragment that makes a message too long is 1009 before there is a payload",
            [frame(TEXT, &longest[1..]), head(0, 2)].concat(),
            vec![Said::Closed(1009)],
        ),
        (
            "a last fragment that makes a message too long is 1009 before there is a payload",
            [frame(BINARY, &longest), head(FIN, 1)].concat(),
            vec![Said::Closed(1009)],
        ),
        (
            "fragments of one byte are 1009 when they are too many",
            [
                frame(TEXT, &longest[..LIMIT - 10]),
                frame(0, "a").repeat(11),
            ]
            .concat(),
            vec![Said::Closed(1009)],
        ),
        (
            "pings amid fragments do not count",
            [
                frame(TEXT, &longest[1..]),
                frame(FIN | 0xa, [0; 125]).repeat(10),
                frame(FIN, "a"),
            ]
            .concat(),
            vec![said(&longest)],
        ),
    ])
    .await;
}

#[tokio::test]
async fn nothing_is_answered_after_1009() {
    let too_long = frame(FIN | TEXT, "a".repeat(LIMIT + 1));
    check([
        (
            "a text has no answer",
            [too_long.clone(), text("Hello")].concat(),
            vec![Said::Closed(1009)],
        ),
        (
            "a ping has no answer",
            [too_long.clone(), ping("")].concat(),
            vec![Said::Closed(1009)],
        ),
        (
            "what was before it has one",
            [text("Hello"), too_long].concat(),
            vec![said("Hello"), Said::Closed(1009)],
        ),
    ])
    .await;
}
