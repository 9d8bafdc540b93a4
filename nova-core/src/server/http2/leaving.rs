//! Where frames begin and end on the way out, and what they are worth.

use super::allowance::Allowance;
use super::frames::{DATA, HEAD, HEADERS, Head, RST_STREAM, Receiving};

/// The writer's place in what the client gets.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    /// What there is of the head of a frame, with the code of a reset.
    head: Vec<u8>,
    /// How much of the payload is left.
    left: usize,
}

impl Leaving {
    /// Looks at what is written.
    pub(super) fn pass(
        &mut self,
        mut bytes: &[u8],
        allowance: &mut Allowance,
        receiving: &mut Receiving,
    ) {
        while !bytes.is_empty() {
            let skipped = bytes.len().min(self.left);
            self.left -= skipped;
            bytes = &bytes[skipped..];
            let wanted = match self.head.get(3) {
                Some(&RST_STREAM) => HEAD + size_of::<u32>(),
                _ => HEAD,
            };
            let more = bytes.len().min(wanted - self.head.len());
            self.head.extend_from_slice(&bytes[..more]);
            bytes = &bytes[more..];
            let Some(head) = Head::read(&self.head) else {
                continue;
            };
            match (head.kind, &self.head[HEAD..]) {
                (RST_STREAM, []) => {
                    receiving.end(head.stream);
                    continue;
                }
                // NO_ERROR: the body behind an early answer is not waited for.
                (RST_STREAM, [0, 0, 0, 0]) => {}
                (RST_STREAM, _) => allowance.reset(),
                (HEADERS, _) => allowance.answer(),
                (DATA, _) => allowance.data(),
                _ => {}
            }
            self.left = head.whole() - self.head.len();
            self.head.clear();
        }
    }

    /// Whether a frame could begin here.
    pub(super) fn is_between_frames(&self) -> bool {
        self.left == 0 && self.head.is_empty()
    }
}
