//! Any bytes of a client's, in any chunks: there is no panic, the model of the tests agrees after
//! each chunk, and no more memory is held than for the longest message and a little.
//!
//! The first two bytes are the longest message and the longest frame, in fours; the first bit of
//! the second says whether memory is given back after each chunk. The next two are the lengths of
//! the chunks, in turns, and the rest is what the client sends.

#![no_main]

use allocation_counter::{measure, opt_out};
use libfuzzer_sys::{Corpus, fuzz_target};
use nova_ws::codec::{Limits, Message};

#[path = "../../nova-ws/tests/frames/model.rs"]
mod model;
#[path = "../../nova-ws/tests/frames/real.rs"]
mod real;

use real::{Real, encode, translate};

/// What may be held besides a message: a control frame, the count of who has a payload, what is
/// told of a violation.
const BESIDES: i64 = 512;

fuzz_target!(|bytes: &[u8]| -> Corpus { check(bytes) });

fn check(bytes: &[u8]) -> Corpus {
    let [message_fours, frame_fours, one, other, bytes @ ..] = bytes else {
        return Corpus::Reject;
    };
    let limits = Limits {
        message_bytes: 4 * usize::from(*message_fours),
        frame_bytes: 4 * usize::from(*frame_fours & 0x7f),
        outgoing_bytes: 0,
    };
    let longest = limits.message_bytes as i64;
    let mut real = Real::new(limits);
    let mut told = Vec::new();
    let mut held = 0;
    let mut come = 0;
    for chunk in [*one, *other].into_iter().cycle() {
        let end = bytes.len().min(come + usize::from(chunk).max(1));
        let used = measure(|| {
            real.take(&bytes[come..end], |message| {
                opt_out(|| {
                    told.push(translate(&message));
                    check_encoded(&message);
                });
            });
            if *frame_fours >= 0x80 {
                real.shrink();
            }
        });
        // A buffer that grows is there twice for a moment.
        assert!(held + used.bytes_max as i64 <= 2 * longest + BESIDES);
        held += used.bytes_current;
        assert!(held <= longest + BESIDES, "{held} bytes are held");

        come = end;
        let model = model::told(&bytes[..come], limits.message_bytes, limits.frame_bytes);
        assert_eq!((&told, real.code), (&model.0, model.1));
        if come == bytes.len() || real.code.is_some() {
            break;
        }
    }
    drop(real);
    Corpus::Keep
}

/// What the encoder makes of a message is decoded to the same.
fn check_encoded(message: &Message) {
    let mut decoded = None;
    Real::new(Limits::default()).take(&encode(message), |message| decoded = Some(message));
    assert_eq!(decoded.as_ref(), Some(message));
}
