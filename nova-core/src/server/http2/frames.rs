//! The frames of HTTP/2: their heads, of nine bytes (RFC 9113 §4.1).

/// The longest payload of a frame that is taken: the least that there may be, and what all clients expect.
pub(super) const FRAME: u32 = 16 * 1024;
/// The head of a frame.
pub(super) const HEAD: usize = 9;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const ACK: u8 = 1;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
pub(super) const PADDED: u8 = 8;
pub(super) const HAS_PRIORITY: u8 = 32;

/// RFC 9113 §7.
pub(super) const PROTOCOL_ERROR: u32 = 1;
pub(super) const FLOW_CONTROL_ERROR: u32 = 3;
pub(super) const FRAME_SIZE_ERROR: u32 = 6;
pub(super) const COMPRESSION_ERROR: u32 = 9;
pub(super) const ENHANCE_YOUR_CALM: u32 = 11;

/// A setting: its name and its value.
const SETTING: usize = 6;
const INITIAL_WINDOW_SIZE: u16 = 4;
const LARGEST_WINDOW: u32 = u32::MAX >> 1;

#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
}

impl Head {
    pub(super) fn read(bytes: &[u8]) -> Option<Head> {
        let &[a, b, c, kind, flags, s, t, u, v, ..] = bytes else {
            return None;
        };
        Some(Head {
            length: u32::from_be_bytes([0, a, b, c]) as usize,
            kind,
            flags,
            stream: u32::from_be_bytes([s, t, u, v]) & (u32::MAX >> 1),
        })
    }

    /// With the payload.
    pub(super) fn whole(&self) -> usize {
        HEAD + self.length
    }

    /// Whether its kind has another length (RFC 9113 §6), or it is longer than any may be.
    pub(super) fn has_wrong_length(&self) -> bool {
        match self.kind {
            _ if self.length > FRAME as usize => true,
            PRIORITY => self.length != 5,
            RST_STREAM | WINDOW_UPDATE => self.length != 4,
            SETTINGS if self.has(ACK) => self.length != 0,
            SETTINGS => !self.length.is_multiple_of(SETTING),
            PING => self.length != 8,
            GOAWAY => self.length < 8,
            _ => false,
        }
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// The streams whose bodies are still to come to their end.
#[derive(Debug, Default)]
pub(super) struct Receiving(Vec<u32>);

impl Receiving {
    pub(super) fn begin(&mut self, stream: u32) {
        self.0.push(stream);
    }

    pub(super) fn end(&mut self, stream: u32) {
        self.0.retain(|one| *one != stream);
    }

    pub(super) fn contains(&self, stream: u32) -> bool {
        self.0.contains(&stream)
    }
}

/// Whether these settings ask for a window that is larger than one may be (RFC 9113 §6.5.2).
pub(super) fn has_wrong_window(settings: &[u8]) -> bool {
    settings.chunks_exact(SETTING).any(|setting| {
        let &[a, b, w, x, y, z] = setting else {
            return false;
        };
        let is_window = u16::from_be_bytes([a, b]) == INITIAL_WINDOW_SIZE;
        is_window && u32::from_be_bytes([w, x, y, z]) > LARGEST_WINDOW
    })
}

/// A frame that says that the connection ends, and why (RFC 9113 §6.8).
pub(super) fn go_away(last_stream: u32, code: u32) -> Vec<u8> {
    let mut frame = vec![0, 0, 8, GOAWAY, 0, 0, 0, 0, 0];
    frame.extend_from_slice(&last_stream.to_be_bytes());
    frame.extend_from_slice(&code.to_be_bytes());
    frame
}
