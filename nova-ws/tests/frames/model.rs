//! RFC 6455 by the shortest way: all the bytes are there, and are read from their begin.
//!
//! It shares no line with the codec, not even tungstenite's. The fuzz target `frames` uses it too.

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

/// Everything that `bytes` say, and the code of what is wrong with them, if something is. Nothing
/// follows that, nor a close.
pub(crate) fn told(
    bytes: &[u8],
    longest_message: usize,
    longest_frame: usize,
) -> (Vec<Told>, Option<u16>) {
    let mut told = Vec::new();
    let code = read(bytes, longest_message, longest_frame, &mut told).err();
    (told, code)
}

fn read(
    mut bytes: &[u8],
    longest_message: usize,
    longest_frame: usize,
    told: &mut Vec<Told>,
) -> Result<(), u16> {
    // The opcode of a message in fragments, and its bytes.
    let mut message: Option<(u8, Vec<u8>)> = None;
    while let Some(head) = Head::read(bytes) {
        let (is_final, reserved, opcode) =
            (head.first >= 128, head.first >> 4 & 7, head.first & 15);
        let is_control = opcode >= 8;
        if reserved != 0 || !head.is_masked || !head.is_shortest || head.length >= 1 << 63 {
            return Err(1002);
        }
        match (opcode, &message) {
            (8..=10, _) if is_final && head.length <= 125 => {}
            (0, Some(_)) | (1 | 2, None) => {}
            _ => return Err(1002),
        }
        let before = message.as_ref().map_or(0, |(_, bytes)| bytes.len() as u128);
        let too_long = head.length > longest_frame as u64
            || before + head.length as u128 > longest_message as u128;
        if !is_control && too_long {
            return Err(1009);
        }

        let come = &bytes[head.size..];
        let come = &come[..come.len().min(head.length as usize)];
        let is_whole = come.len() as u64 == head.length;
        let payload = come.iter().enumerate();
        let payload: Vec<u8> = payload.map(|(at, byte)| byte ^ head.mask[at % 4]).collect();
        bytes = &bytes[head.size + come.len()..];
        if is_control {
            if !is_whole {
                return Ok(());
            }
            told.push(match opcode {
                8 => Told::Close(close(&payload)?),
                9 => Told::Ping(payload),
                _ => Told::Pong(payload),
            });
            if opcode == 8 {
                return Ok(());
            }
            continue;
        }
        let (kind, all) = message.get_or_insert((opcode, Vec::new()));
        all.extend(payload);
        let is_end = is_whole && is_final;
        if *kind == 1 && !can_be_text(all, is_end) {
            return Err(1007);
        }
        if is_end {
            let whole = message.take().map(|(kind, all)| match kind {
                1 => Told::Text(String::from_utf8_lossy(&all).into_owned()),
                _ => Told::Binary(all),
            });
            told.extend(whole);
        }
        if !is_whole {
            return Ok(());
        }
    }
    Ok(())
}

struct Head {
    first: u8,
    is_masked: bool,
    is_shortest: bool,
    length: u64,
    mask: [u8; 4],
    size: usize,
}

impl Head {
    /// The head at the begin of `bytes`, if it is whole.
    fn read(bytes: &[u8]) -> Option<Head> {
        let &[first, second, ..] = bytes else {
            return None;
        };
        let more = match second & 127 {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let length = bytes.get(2..2 + more)?.iter();
        let length = length.fold(0, |length, &byte| length << 8 | u64::from(byte));
        let (length, shortest) = match second & 127 {
            126 => (length, 126),
            127 => (length, 65_536),
            short => (u64::from(short), 0),
        };
        let is_masked = second >= 128;
        let mask_bytes = if is_masked { 4 } else { 0 };
        let mask = bytes.get(2 + more..2 + more + mask_bytes)?;
        Some(Head {
            first,
            is_masked,
            is_shortest: length >= shortest,
            length,
            mask: mask.try_into().unwrap_or_default(),
            size: 2 + more + mask_bytes,
        })
    }
}

fn close(payload: &[u8]) -> Result<Option<(u16, String)>, u16> {
    match payload {
        [] => Ok(None),
        [_] => Err(1002),
        [high, low, reason @ ..] => {
            let code = u16::from(*high) << 8 | u16::from(*low);
            let is_sent = match code {
                1004..=1006 => false,
                1000..=1014 | 3000..=4999 => true,
                _ => false,
            };
            let reason = String::from_utf8(reason.to_vec());
            match reason {
                _ if !is_sent => Err(1002),
                Ok(reason) => Ok(Some((code, reason))),
                Err(_) => Err(1007),
            }
        }
    }
}

/// Whether this is UTF-8, or can become it with what is still to come (RFC 3629 §4).
fn can_be_text(bytes: &[u8], is_end: bool) -> bool {
    let mut bytes = bytes.iter().copied();
    while let Some(first) = bytes.next() {
        let (more, second) = match first {
            0x00..=0x7f => (0, 0..=0),
            0xc2..=0xdf => (1, 0x80..=0xbf),
            0xe0 => (2, 0xa0..=0xbf),
            0xed => (2, 0x80..=0x9f),
            0xe1..=0xef => (2, 0x80..=0xbf),
            0xf0 => (3, 0x90..=0xbf),
            0xf1..=0xf3 => (3, 0x80..=0xbf),
            0xf4 => (3, 0x80..=0x8f),
            _ => return false,
        };
        for at in 0..more {
            let allowed = if at == 0 { second.clone() } else { 0x80..=0xbf };
            match bytes.next() {
                Some(byte) if allowed.contains(&byte) => {}
                Some(_) => return false,
                None => return !is_end,
            }
        }
    }
    true
}
