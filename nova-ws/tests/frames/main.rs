//! The codec and a model of it say the same of any frames, however their bytes arrive.
//!
//! The fuzz target `frames` tries any bytes; here they are frames that are nearly right, which it
//! would seldom find.

mod model;
mod real;

use nova_ws::codec::{Limits, Message};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, RngSeed};

use real::{Real, translate};

const LIMITS: Limits = Limits {
    message_bytes: 300,
    frame_bytes: 200,
    outgoing_bytes: 0,
};

/// A masked frame, mostly of an opcode and a length that it can have.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        30 => prop::sample::select(vec![0x00u8, 0x01, 0x02, 0x80, 0x81, 0x82, 0x89, 0x8a]),
        2 => Just(0x88),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        6 => "\\PC{0,20}".prop_map(String::into_bytes),
        2 => vec(any::<u8>(), 0..10),
        2 => vec(Just(b'a'), 100..150),
        1 => vec(Just(b'a'), 190..210),
        1 => (990u16..5010, "\\PC{0,5}").prop_map(|(code, reason)| {
            [&code.to_be_bytes(), reason.as_bytes()].concat()
        }),
    ];
    (first, payload, any::<[u8; 4]>()).prop_map(|(first, payload, mask)| {
        let length = (payload.len() as u16).to_be_bytes();
        let length = match payload.len() {
            0..126 => vec![0x80 | length[1]],
            _ => vec![0x80 | 126, length[0], length[1]],
        };
        let masked = payload.iter().zip(mask.iter().cycle());
        let masked = masked.map(|(byte, mask)| byte ^ mask).collect();
        [vec![first], length, mask.to_vec(), masked].concat()
    })
}

/// A few hundred cases, with a fixed seed unless another is asked for.
fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig {
        rng_seed: match config.rng_seed {
            RngSeed::Random => RngSeed::Fixed(6),
            fixed => fixed,
        },
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..config
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_codec_says_of_frames_what_the_model_says(
        frames in vec(frame(), 0..12),
        chunks in vec(1usize..40, 1..10),
        shrinks in any::<bool>(),
    ) {
        let bytes = frames.concat();
        let mut real = Real::new(LIMITS);
        let mut told = Vec::new();
        let mut come = 0;
        for chunk in chunks.into_iter().cycle() {
            let end = bytes.len().min(come + chunk);
            real.take(&bytes[come..end], |message| told.push(translate(&message)));
            if shrinks {
                real.shrink();
            }
            come = end;
            let model = model::told(&bytes[..come], LIMITS.message_bytes, LIMITS.frame_bytes);
            prop_assert_eq!((&told, real.code), (&model.0, model.1));
            if come == bytes.len() {
                break;
            }
        }
    }

    #[test]
    fn what_is_encoded_is_what_is_decoded(frames in vec(frame(), 0..12)) {
        let mut messages = Vec::new();
        Real::new(LIMITS).take(&frames.concat(), |message| messages.push(message));
        for message in messages {
            let mut decoded = Vec::new();
            let bytes = real::encode(&message);
            Real::new(Limits::default()).take(&bytes, |message| decoded.push(message));
            prop_assert_eq!(decoded, vec![message]);
        }
    }
}

#[test]
fn a_message_of_any_length_is_encoded_as_it_is_decoded() {
    for length in [0, 125, 126, 65_535, 65_536] {
        let message = Message::from(nova_ws::Frame::binary(vec![1; length]));
        let mut decoded = Vec::new();
        Real::new(Limits::default()).take(&real::encode(&message), |message| {
            decoded.push(message.clone())
        });
        assert_eq!(decoded.pop().unwrap(), message);
    }
}
