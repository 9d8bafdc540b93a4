//! The outline of a header block (RFC 7541): whether it has pseudo-fields.
//!
//! h2 passes over those in trailers, where there are to be none (RFC 9113 §8.1). So each block is followed as far
//! as that takes: which names begin with a colon, and how long the fields are that later blocks name by a
//! number. No text is decompressed or copied. What is malformed ends the connection.

use std::collections::VecDeque;

/// How large the table is at most: the least that there may be, and what hyper announces.
const TABLE: usize = 4096;
/// What a field takes in the table beside its texts (RFC 7541 §4.1).
const BESIDE: usize = 32;
/// The last pseudo-field of the static table.
const LAST_PSEUDO: usize = 14;
/// How long the names of the static table are (RFC 7541, appendix A).
const STATIC: [u8; 61] = [
    10, 7, 7, 5, 5, 7, 7, 7, 7, 7, 7, 7, 7, 7, 14, 15, 15, 13, 6, 27, 3, 5, 13, 13, 19, 16, 16, 14,
    16, 13, 12, 6, 4, 4, 6, 7, 4, 4, 8, 17, 13, 8, 19, 13, 4, 8, 12, 18, 19, 5, 7, 7, 11, 6, 10,
    25, 17, 10, 4, 3, 16,
];
/// How many codes there are of each length (RFC 7541, appendix B): of those that are as long, one is one more than
/// the one before, and the first one goes on behind the shorter ones.
const CODES: [(u32, u32); 21] = [
    (5, 10),
    (6, 26),
    (7, 32),
    (8, 6),
    (10, 5),
    (11, 3),
    (12, 2),
    (13, 6),
    (14, 2),
    (15, 3),
    (19, 3),
    (20, 8),
    (21, 13),
    (22, 26),
    (23, 29),
    (24, 12),
    (25, 4),
    (26, 15),
    (27, 19),
    (28, 29),
    (30, 4),
];
/// For each length, what is less begins with a code that is no longer.
const ENDS: [(u32, u64); 21] = ends();
/// The code of a colon, and its length.
const COLON: (u8, u32) = (0b101_1100, 7);

const fn ends() -> [(u32, u64); 21] {
    let mut ends = [(0, 0); 21];
    let (mut code, mut before, mut n) = (0u64, 0, 0);
    while n < CODES.len() {
        let (length, count) = CODES[n];
        code = (code << (length - before)) + count as u64;
        ends[n] = (length, code << (32 - length));
        before = length;
        n += 1;
    }
    ends
}

/// What the blocks of a connection have in common.
#[derive(Debug, Default)]
pub(super) struct Outline {
    /// The fields that are remembered, the newest one first.
    fields: VecDeque<Field>,
    size: usize,
    /// How large the table may be, once the client has made it smaller.
    most: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Field {
    name: Name,
    size: usize,
}

#[derive(Debug, Clone, Copy)]
struct Name {
    length: usize,
    is_pseudo: bool,
}

impl Outline {
    /// Whether a block has a pseudo-field; `None` if it is malformed.
    pub(super) fn has_pseudo(&mut self, mut block: &[u8]) -> Option<bool> {
        let mut has_pseudo = false;
        while let Some(first) = block.first() {
            let (prefix, is_remembered) = match first {
                0b1000_0000.. => {
                    let index = integer(&mut block, 7)?;
                    has_pseudo |= self.name(index)?.is_pseudo;
                    continue;
                }
                0b0100_0000.. => (6, true),
                0b0010_0000.. => {
                    let most = integer(&mut block, 5)?;
                    if most > TABLE {
                        return None; // RFC 7541 §6.3
                    }
                    self.most = Some(most);
                    self.evict(0);
                    continue;
                }
                _ => (4, false),
            };
            let name = match integer(&mut block, prefix)? {
                0 => {
                    let text = Text::read(&mut block)?;
                    Name {
                        length: if is_remembered { text.length() } else { 0 },
                        is_pseudo: text.begins_with_colon(),
                    }
                }
                index => self.name(index)?,
            };
            has_pseudo |= name.is_pseudo;
            let value = Text::read(&mut block)?;
            if is_remembered {
                self.remember(name, value.length());
            }
        }
        Some(has_pseudo)
    }

    fn name(&self, index: usize) -> Option<Name> {
        let index = index.checked_sub(1)?;
        match STATIC.get(index) {
            Some(length) => Some(Name {
                length: usize::from(*length),
                is_pseudo: index < LAST_PSEUDO,
            }),
            None => Some(self.fields.get(index - STATIC.len())?.name),
        }
    }

    /// RFC 7541 §4.4: one that is larger than the table empties it.
    fn remember(&mut self, name: Name, value: usize) {
        let size = name.length + value + BESIDE;
        self.evict(size);
        if size <= self.most() {
            self.size += size;
            self.fields.push_front(Field { name, size });
        }
    }

    fn evict(&mut self, room: usize) {
        while self.size + room > self.most() {
            let Some(oldest) = self.fields.pop_back() else {
                return;
            };
            self.size -= oldest.size;
        }
    }

    fn most(&self) -> usize {
        self.most.unwrap_or(TABLE)
    }
}

/// A number whose first bits stand behind others in a byte (RFC 7541 §5.1).
fn integer(block: &mut &[u8], prefix: u32) -> Option<usize> {
    let (first, mut rest) = block.split_first()?;
    let most = (1 << prefix) - 1;
    let mut number = usize::from(*first) & most;
    if number == most {
        // Four more bytes are enough for all that fits into a block.
        for shift in [0, 7, 14, 21] {
            let (byte, behind) = rest.split_first()?;
            rest = behind;
            number += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                *block = rest;
                return Some(number);
            }
        }
        return None;
    }
    *block = rest;
    Some(number)
}

/// A text as it stands in a block (RFC 7541 §5.2).
struct Text<'b> {
    bytes: &'b [u8],
    is_compressed: bool,
}

impl<'b> Text<'b> {
    fn read(block: &mut &'b [u8]) -> Option<Self> {
        let is_compressed = block.first()? & 0x80 != 0;
        let length = integer(block, 7)?;
        let (bytes, rest) = block.split_at_checked(length)?;
        *block = rest;
        Some(Text {
            bytes,
            is_compressed,
        })
    }

    fn begins_with_colon(&self) -> bool {
        let (code, length) = COLON;
        match (self.bytes, self.is_compressed) {
            ([first, ..], true) => first >> (8 - length) == code,
            (bytes, _) => bytes.first() == Some(&b':'),
        }
    }

    /// How long it is when it is decompressed.
    fn length(&self) -> usize {
        if !self.is_compressed {
            return self.bytes.len();
        }
        let (mut length, mut bits, mut count) = (0, 0u64, 0);
        let mut bytes = self.bytes.iter();
        loop {
            while count <= 32
                && let Some(byte) = bytes.next()
            {
                bits = (bits << 8) | u64::from(*byte);
                count += 8;
            }
            let window = match count {
                32.. => bits >> (count - 32),
                _ => (bits << (32 - count)) | ((1 << (32 - count)) - 1),
            } & u64::from(u32::MAX);
            // What is left is ones, the beginning of the longest code.
            match ENDS.iter().find(|(_, end)| window < *end) {
                Some((code, _)) if *code <= count => {
                    count -= code;
                    length += 1;
                }
                _ => return length,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let text = |pair: &[u8]| String::from_utf8(pair.to_vec()).unwrap();
        let byte = |pair| u8::from_str_radix(&text(pair), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    /// RFC 7541, appendices C.4 and C.6: compressed, with a table that grows and is full.
    #[test]
    fn the_table_is_that_of_the_examples_in_the_rfc() {
        let mut requests = Outline::default();
        for (block, size) in [
            ("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", 57),
            ("8286 84be 5886 a8eb 1064 9cbf", 110),
            (
                "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
                164,
            ),
        ] {
            assert_eq!(requests.has_pseudo(&bytes(block)), Some(true));
            assert_eq!(requests.size, size);
        }
        let mut answers = Outline {
            most: Some(256),
            ..Outline::default()
        };
        for (block, size) in [
            (
                "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e \
                 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
                222,
            ),
            ("4883 640e ffc1 c0bf", 222),
            (
                "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 \
                 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed \
                 4ee5 b106 3d50 07",
                215,
            ),
        ] {
            assert_eq!(answers.has_pseudo(&bytes(block)), Some(true));
            assert_eq!(answers.size, size);
        }
    }

    #[test]
    fn pseudo_fields_are_seen_in_each_form() {
        let mut outline = Outline::default();
        for (block, has_pseudo) in [
            ("a0", false),                           // a field of the static table
            ("84", true),                            // :path, /
            ("04 01 61", true),                      // :path, a
            ("0f 01 01 61", false),                  // accept-encoding, a
            ("00 02 3a 61 01 62", true),             // :a, b
            ("00 01 61 02 3a 62", false),            // a, :b
            ("00 87 b9 58 d3 3f 89 62 ff 00", true), // :path, compressed
            ("40 02 3a 61 01 62", true),             // the same, remembered
            ("be", true),
            ("40 01 61 01 62", false),
            ("be", false),
            ("bf", true),
        ] {
            assert_eq!(
                outline.has_pseudo(&bytes(block)),
                Some(has_pseudo),
                "{block}"
            );
        }
    }

    #[test]
    fn what_is_malformed_is_told_as_such() {
        for block in [
            "80",
            "be",
            "ff",
            "ff ff ff ff ff ff",
            "00",
            "00 01",
            "00 05 61",
            "40 01 61 ff",
            "7f 80 80",
            "3f e2 1f", // a table of 4,097 bytes
        ] {
            assert_eq!(
                Outline::default().has_pseudo(&bytes(block)),
                None,
                "{block}"
            );
        }
    }

    #[test]
    fn the_table_holds_no_more_than_it_may() {
        let mut outline = Outline::default();
        let field = "40 01 61 01 62";
        for _ in 0..1000 {
            outline.has_pseudo(&bytes(field));
        }
        assert_eq!((outline.fields.len(), outline.size), (120, 4080));

        outline.has_pseudo(&bytes("3f 24")); // 67 bytes
        assert_eq!((outline.fields.len(), outline.size), (1, 34));
        outline.has_pseudo(&bytes("20"));
        assert_eq!((outline.fields.len(), outline.size), (0, 0));
        outline.has_pseudo(&bytes(field));
        assert_eq!((outline.fields.len(), outline.size), (0, 0));
    }
}
