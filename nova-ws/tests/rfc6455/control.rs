//! Pings and pongs (§5.5; Autobahn 2).

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::peer::{CLOSE, FIN, PING, PONG, Said, app, check, frame, head, ping, pong, said, text};

#[tokio::test]
async fn a_ping_is_answered_with_its_payload() {
    check([
        ("an empty ping has an empty pong", ping(""), vec![pong(b"")]),
        ("a pong repeats a text", ping("Hello"), vec![pong(b"Hello")]),
        (
            "a pong repeats what is no text",
            ping([0x00, 0xff, 0xfe, 0xc0]),
            vec![pong(&[0x00, 0xff, 0xfe, 0xc0])],
        ),
        (
            "a ping can hold 125 bytes",
            ping([0xfe; 125]),
            vec![pong(&[0xfe; 125])],
        ),
        (
            "pings and texts are answered in their order",
            [ping("1"), text("2"), ping("3"), text("4")].concat(),
            vec![pong(b"1"), said("2"), pong(b"3"), said("4")],
        ),
    ])
    .await;
}

#[tokio::test]
async fn of_pings_that_come_faster_than_their_pongs_are_read_only_the_last_is_answered() {
    let payload = |number: u32| [number.to_be_bytes(); 31].concat();
    let pings: Vec<u8> = (0..5000).flat_map(|number| ping(payload(number))).collect();
    let app = app();
    let mut socket = app.connect().await;
    socket.write_all(&pings).await.unwrap();

    let mut pongs = 0;
    let mut heard = [0; 126];
    while heard[2..] != payload(4999) {
        socket.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard[..2], [FIN | PONG, 124]);
        pongs += 1;
    }
    // The connection in memory holds 64 KiB of them.
    assert!(pongs < 1000, "{pongs} pongs waited");
}

#[tokio::test]
async fn a_pong_that_nobody_asked_for_has_no_answer() {
    check([
        (
            "an empty pong is passed over",
            frame(FIN | PONG, ""),
            vec![],
        ),
        (
            "a pong with a payload is passed over",
            frame(FIN | PONG, "Hello"),
            vec![],
        ),
        (
            "a pong before a ping is passed over",
            [frame(FIN | PONG, [0xff; 125]), ping("now")].concat(),
            vec![pong(b"now")],
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_control_frame_holds_125_bytes() {
    let opcodes = [PING, PONG, CLOSE];
    check(opcodes.into_iter().flat_map(|opcode| {
        [126, 127, 65_535, 65_536, u64::MAX >> 1].map(|length| {
            (
                "a longer control frame is 1002 before there is a payload",
                head(FIN | opcode, length),
                vec![Said::Closed(1002)],
            )
        })
    }))
    .await;
}
