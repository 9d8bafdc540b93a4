//! Frames of a client's, one after the other, become messages.

use std::mem;

use bytes::Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::partial::{PartialFrame, PartialHead, PartialMessage};
use crate::close::Close;
use crate::codec::{CONTROL_BYTES, Decoder, Limits, Message, Violation};

/// Reads what a client sends. It holds the message that is not whole yet, and nothing between
/// messages.
#[derive(Debug)]
pub struct TungsteniteDecoder {
    limits: Limits,
    head: PartialHead,
    /// The frame whose head has been read.
    frame: Option<PartialFrame>,
    /// The message that is not whole yet.
    message: Option<PartialMessage>,
    /// What there is of a control frame, which may stand amid a message.
    control: Vec<u8>,
    /// A close or a violation was told.
    ended: bool,
}

impl TungsteniteDecoder {
    /// One for a new connection.
    pub fn new(limits: Limits) -> Self {
        TungsteniteDecoder {
            limits,
            head: PartialHead::default(),
            frame: None,
            message: None,
            control: Vec::new(),
            ended: false,
        }
    }

    fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Message>, Violation> {
        loop {
            let mut frame = match self.frame.take() {
                Some(frame) => frame,
                None => match self.head.take(bytes)? {
                    Some((head, length)) => self.begin(&head, length)?,
                    None => return Ok(None),
                },
            };
            self.take_payload(&mut frame, bytes);
            if let Some(message) = self.end(frame)? {
                return Ok(Some(message));
            }
            if self.frame.is_some() {
                return Ok(None);
            }
        }
    }

    /// Checks what a head says, before there is any of its payload.
    fn begin(&mut self, head: &FrameHeader, length: u64) -> Result<PartialFrame, Violation> {
        if head.rsv1 || head.rsv2 || head.rsv3 {
            return Err(Violation::ReservedBit);
        }
        let mask = head.mask.ok_or(Violation::Unmasked)?;
        let length = match head.opcode {
            OpCode::Control(_) => control_length(head, length)?,
            OpCode::Data(opcode) => self.data_length(opcode, length)?,
        };
        Ok(PartialFrame {
            opcode: head.opcode,
            is_final: head.is_final,
            mask,
            missing: length,
        })
    }

    fn data_length(&mut self, opcode: Data, length: u64) -> Result<usize, Violation> {
        let begun = match (opcode, &self.message) {
            (Data::Continue, None) => return Err(Violation::NothingToContinue),
            (Data::Continue, Some(message)) => message.bytes.len(),
            (_, Some(_)) => return Err(Violation::UnfinishedMessage),
            (opcode, None) => {
                self.message = Some(PartialMessage {
                    is_text: opcode == Data::Text,
                    bytes: Vec::new(),
                    checked: 0,
                });
                0
            }
        };
        let Limits {
            frame_bytes,
            message_bytes,
            ..
        } = self.limits;
        let length = usize::try_from(length)
            .ok()
            .filter(|&length| length <= frame_bytes)
            .ok_or(Violation::LongFrame(frame_bytes))?;
        match begun.checked_add(length) {
            Some(whole) if whole <= message_bytes => Ok(length),
            _ => Err(Violation::LongMessage(message_bytes)),
        }
    }

    /// Takes what there is of a frame's payload.
    fn take_payload(&mut self, frame: &mut PartialFrame, bytes: &mut &[u8]) {
        match (frame.opcode, &mut self.message) {
            (OpCode::Data(_), Some(message)) => {
                let most = match frame.is_final {
                    true => message.bytes.len() + frame.missing,
                    false => self.limits.message_bytes,
                };
                frame.take(bytes, &mut message.bytes, most);
            }
            _ => frame.take(bytes, &mut self.control, CONTROL_BYTES),
        }
    }

    /// The message that ends with this frame, if the frame is whole and the last one of it.
    fn end(&mut self, frame: PartialFrame) -> Result<Option<Message>, Violation> {
        let is_whole = frame.missing == 0;
        match frame.opcode {
            OpCode::Control(control) if is_whole => {
                let payload = Bytes::from(mem::take(&mut self.control));
                return Ok(Some(match control {
                    Control::Ping => Message::Ping(payload),
                    Control::Pong => Message::Pong(payload),
                    _ => Message::Close(close(&payload)?),
                }));
            }
            OpCode::Data(_) if is_whole && frame.is_final => {
                return self.message.take().map(PartialMessage::end).transpose();
            }
            OpCode::Data(_) => {
                if let Some(message) = &mut self.message {
                    message.check()?;
                }
            }
            OpCode::Control(_) => {}
        }
        if !is_whole {
            self.frame = Some(frame);
        }
        Ok(None)
    }
}

impl Decoder for TungsteniteDecoder {
    fn decode(&mut self, bytes: &mut &[u8]) -> Result<Option<Message>, Violation> {
        if self.ended {
            *bytes = &[];
            return Ok(None);
        }
        let next = self.next(bytes);
        if let Err(_) | Ok(Some(Message::Close(_))) = next {
            *self = TungsteniteDecoder {
                ended: true,
                ..TungsteniteDecoder::new(self.limits)
            };
        }
        next
    }

    fn shrink(&mut self) {
        self.control.shrink_to_fit();
        if let Some(message) = &mut self.message {
            message.bytes.shrink_to_fit();
        }
    }
}

/// Control frames are short and whole (§5.5), whatever the limits are.
fn control_length(head: &FrameHeader, length: u64) -> Result<usize, Violation> {
    if !head.is_final {
        return Err(Violation::FragmentedControlFrame);
    }
    usize::try_from(length)
        .ok()
        .filter(|&length| length <= CONTROL_BYTES)
        .ok_or(Violation::LongControlFrame)
}

/// What a close frame says (§5.5.1).
fn close(payload: &[u8]) -> Result<Option<Close>, Violation> {
    let (code, reason) = match payload {
        [] => return Ok(None),
        [_] => return Err(Violation::HalfCloseCode),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
    };
    if !Close::is_code(code) {
        return Err(Violation::CloseCode(code));
    }
    let reason = std::str::from_utf8(reason).map_err(|_| Violation::CloseReason)?;
    Ok(Some(Close::new(code, reason)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Frame;

    const LIMITS: Limits = Limits {
        message_bytes: 1000,
        frame_bytes: 400,
        outgoing_bytes: 0,
    };

    /// A frame of 400 bytes at most, masked with zeroes.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let length = (payload.len() as u16).to_be_bytes();
        let length = match payload.len() {
            0..126 => vec![0x80 | length[1]],
            _ => vec![0x80 | 126, length[0], length[1]],
        };
        [&[first][..], &length, &[0; 4], payload].concat()
    }

    fn decode(
        decoder: &mut TungsteniteDecoder,
        bytes: &[u8],
    ) -> Result<Option<Message>, Violation> {
        decoder.decode(&mut &bytes[..])
    }

    fn held(decoder: &TungsteniteDecoder) -> usize {
        let message = decoder.message.as_ref();
        message.map_or(0, |message| message.bytes.capacity()) + decoder.control.capacity()
    }

    #[test]
    fn limits_are_those_that_were_handed_in() {
        let mut decoder = TungsteniteDecoder::new(LIMITS);
        let whole = decode(&mut decoder, &frame(0x82, &[7; 400]));
        assert_eq!(whole, Ok(Some(Frame::binary(vec![7; 400]).into())));
        let long = decode(&mut decoder, &frame(0x82, &[7; 401]));
        assert_eq!(long, Err(Violation::LongFrame(400)));

        let mut decoder = TungsteniteDecoder::new(LIMITS);
        assert_eq!(decode(&mut decoder, &frame(0x02, &[7; 400])), Ok(None));
        assert_eq!(decode(&mut decoder, &frame(0x00, &[7; 400])), Ok(None));
        let long = decode(&mut decoder, &frame(0x80, &[7; 201]));
        assert_eq!(long, Err(Violation::LongMessage(1000)));
    }

    #[test]
    fn memory_is_taken_for_what_has_come_and_not_for_what_is_announced() {
        let mut decoder = TungsteniteDecoder::new(Limits::default());
        let announced = [0x82, 0x80 | 126, 0xff, 0xff, 0, 0, 0, 0, 1, 2, 3];
        assert_eq!(decode(&mut decoder, &announced), Ok(None));
        assert_eq!(held(&decoder), 3);
    }

    #[test]
    fn fragments_take_no_more_than_the_longest_message() {
        let mut decoder = TungsteniteDecoder::new(LIMITS);
        assert_eq!(decode(&mut decoder, &frame(0x02, b"a")), Ok(None));
        for _ in 1..1000 {
            assert_eq!(decode(&mut decoder, &frame(0x00, b"a")), Ok(None));
            assert!(held(&decoder) <= 1000, "{}", held(&decoder));
        }
        let ping = decode(&mut decoder, &frame(0x89, &[0; 125]));
        assert_eq!(ping, Ok(Some(Message::Ping(vec![0; 125].into()))));
        assert!(held(&decoder) <= 1000, "{}", held(&decoder));
    }

    #[test]
    fn nothing_is_held_between_messages() {
        let mut decoder = TungsteniteDecoder::new(LIMITS);
        let bytes = [frame(0x01, &[b'a'; 400]), frame(0x80, &[b'a'; 400])].concat();
        assert!(decode(&mut decoder, &bytes[..500]).unwrap().is_none());
        assert!(decode(&mut decoder, &bytes[500..]).unwrap().is_some());
        assert_eq!(held(&decoder), 0);
    }

    #[test]
    fn nothing_is_held_after_a_violation() {
        let mut decoder = TungsteniteDecoder::new(LIMITS);
        assert_eq!(decode(&mut decoder, &frame(0x02, &[7; 400])), Ok(None));
        assert!(decode(&mut decoder, &frame(0x02, &[7; 400])).is_err());
        assert_eq!(held(&decoder), 0);
    }

    #[test]
    fn room_for_more_fragments_is_given_back() {
        let mut decoder = TungsteniteDecoder::new(LIMITS);
        for part in [frame(0x02, &[7; 100]), frame(0x00, b"b")] {
            assert_eq!(decode(&mut decoder, &part), Ok(None));
        }
        assert_eq!(held(&decoder), 200);
        decoder.shrink();
        assert_eq!(held(&decoder), 101);
    }

    #[test]
    fn bytes_behind_a_message_are_left() {
        let mut decoder = TungsteniteDecoder::new(LIMITS);
        let bytes = [frame(0x81, b"one"), frame(0x81, b"two")].concat();
        let mut rest = &bytes[..];
        assert_eq!(
            decoder.decode(&mut rest),
            Ok(Some(Frame::text("one").into()))
        );
        assert_eq!(rest, frame(0x81, b"two"));
        assert_eq!(
            decoder.decode(&mut rest),
            Ok(Some(Frame::text("two").into()))
        );
        assert!(rest.is_empty());
    }

    #[test]
    fn bytes_behind_a_close_are_used_up() {
        let mut decoder = TungsteniteDecoder::new(LIMITS);
        let bytes = [frame(0x88, b""), frame(0x81, b"more")].concat();
        let mut rest = &bytes[..];
        assert_eq!(decoder.decode(&mut rest), Ok(Some(Message::Close(None))));
        assert_eq!(decoder.decode(&mut rest), Ok(None));
        assert!(rest.is_empty());
    }
}
