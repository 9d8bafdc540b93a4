//! What a client does that it must not.

use std::fmt;

use crate::close::Close;

/// How a client has broken the protocol (RFC 6455) or a limit. Each says so in a sentence, which
/// is short enough to be the reason in a close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// A frame is not masked (§5.1).
    Unmasked,
    /// A reserved bit is set that no extension has a meaning for (§5.2).
    ReservedBit,
    /// An opcode has no meaning (§5.2).
    UnknownOpcode(u8),
    /// A length is not written in the shortest way, or takes more than 63 bits (§5.2).
    LengthEncoding,
    /// A control frame is longer than 125 bytes (§5.5).
    LongControlFrame,
    /// A control frame is a fragment (§5.4).
    FragmentedControlFrame,
    /// A continuation stands where no message has begun (§5.4).
    NothingToContinue,
    /// A message begins where the last one is not whole (§5.4).
    UnfinishedMessage,
    /// A close frame has a payload of one byte (§5.5.1).
    HalfCloseCode,
    /// A close frame has a code that must not be sent (§7.4).
    CloseCode(u16),
    /// A text message is not UTF-8 (§8.1).
    Text,
    /// The reason in a close frame is not UTF-8 (§8.1).
    CloseReason,
    /// A frame is longer than the limit, in bytes.
    LongFrame(usize),
    /// A message is longer than the limit, in bytes.
    LongMessage(usize),
}

impl Violation {
    /// The code that the client is closed with (§7.4.1).
    pub fn code(self) -> u16 {
        match self {
            Violation::Text | Violation::CloseReason => Close::NOT_UTF_8,
            Violation::LongFrame(_) | Violation::LongMessage(_) => Close::TOO_LONG,
            _ => Close::PROTOCOL_ERROR,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::Unmasked => f.write_str("a client masks its frames"),
            Violation::ReservedBit => f.write_str("a reserved bit is set"),
            Violation::UnknownOpcode(opcode) => write!(f, "the opcode {opcode} has no meaning"),
            Violation::LengthEncoding => f.write_str("a length is not as short as it can be"),
            Violation::LongControlFrame => f.write_str("a control frame is longer than 125 bytes"),
            Violation::FragmentedControlFrame => f.write_str("a control frame is a fragment"),
            Violation::NothingToContinue => f.write_str("there is no message to continue"),
            Violation::UnfinishedMessage => {
                f.write_str("a message begins before the last one is whole")
            }
            Violation::HalfCloseCode => f.write_str("a close code has two bytes"),
            Violation::CloseCode(code) => write!(f, "the close code {code} is never sent"),
            Violation::Text => f.write_str("a text message is not UTF-8"),
            Violation::CloseReason => f.write_str("the reason of a close is not UTF-8"),
            Violation::LongFrame(limit) => write!(f, "a frame is longer than {limit} bytes"),
            Violation::LongMessage(limit) => write!(f, "a message is longer than {limit} bytes"),
        }
    }
}

impl std::error::Error for Violation {}
