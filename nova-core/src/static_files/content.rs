//! The bytes of a file, or of some parts of it, as a body.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::stream;
use http::HeaderValue;
use tokio::io::AsyncSeekExt;
use uuid::Uuid;

use super::folder::Opened;
use crate::error::Result;
use crate::reply::{chunks, has_become_shorter, next_chunk};
use crate::response::ResponseBody;

/// What is no longer is read at once, while there is a thread for it, and needs no more of them.
const SHORT: u64 = 64 * 1024;

/// What a body of several parts is made of.
enum Piece {
    /// The lines before a part.
    Lines(Bytes),
    /// A part begins here.
    From(u64),
    /// So many bytes of it are to come.
    Bytes(u64),
}

/// One part of a file; `is_asked` tells whether the client gets the body, which a `HEAD` does not.
///
/// # Errors
/// 500 if the file cannot be read.
pub(super) fn part(opened: Opened, part: Range<u64>, is_asked: bool) -> Result<ResponseBody> {
    let Opened { mut file, path, .. } = opened;
    let length = part.end - part.start;
    file.seek(SeekFrom::Start(part.start))?;
    if is_asked && length <= SHORT {
        return Ok(read(&mut file, length, &path)?.into());
    }
    let file = tokio::fs::File::from_std(file);
    Ok(ResponseBody::of_length(chunks(file, length, path), length))
}

fn read(file: &mut File, length: u64, path: &Path) -> Result<Bytes> {
    let mut bytes = vec![0; length as usize];
    match file.read_exact(&mut bytes) {
        Ok(()) => Ok(bytes.into()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(has_become_shorter(path)),
        Err(error) => Err(error.into()),
    }
}

/// Several parts of a file, as `multipart/byteranges` (RFC 9110 §14.6), and its content type.
pub(super) fn parts(
    opened: Opened,
    parts: &[Range<u64>],
    content_type: &HeaderValue,
) -> (ResponseBody, String) {
    let size = opened.metadata.len();
    let boundary = Uuid::new_v4().simple();
    let content_type = content_type.to_str().unwrap_or("application/octet-stream");
    let (mut pieces, mut length) = (VecDeque::new(), 0);
    let mut lines = |pieces: &mut VecDeque<Piece>, lines: String| {
        length += lines.len() as u64;
        pieces.push_back(Piece::Lines(lines.into()));
    };
    for part in parts {
        let before = format!(
            "\r\n--{boundary}\r\ncontent-type: {content_type}\r\ncontent-range: {}\r\n\r\n",
            content_range(part, size)
        );
        lines(&mut pieces, before);
        pieces.push_back(Piece::From(part.start));
        pieces.push_back(Piece::Bytes(part.end - part.start));
    }
    lines(&mut pieces, format!("\r\n--{boundary}--\r\n"));
    length += parts.iter().map(|part| part.end - part.start).sum::<u64>();

    let file = tokio::fs::File::from_std(opened.file);
    let body = ResponseBody::of_length(joined(file, pieces, opened.path), length);
    (body, format!("multipart/byteranges; boundary={boundary}"))
}

fn joined(
    file: tokio::fs::File,
    pieces: VecDeque<Piece>,
    path: PathBuf,
) -> impl stream::Stream<Item = Result<Bytes>> + Send {
    stream::try_unfold(
        (file, pieces, path),
        |(mut file, mut pieces, path)| async move {
            loop {
                let bytes = match pieces.pop_front() {
                    None => return Ok(None),
                    Some(Piece::Lines(lines)) => lines,
                    Some(Piece::From(start)) => {
                        file.seek(SeekFrom::Start(start)).await?;
                        continue;
                    }
                    Some(Piece::Bytes(0)) => continue,
                    Some(Piece::Bytes(left)) => {
                        let chunk = next_chunk(&mut file, left, &path).await?;
                        pieces.push_front(Piece::Bytes(left - chunk.len() as u64));
                        chunk
                    }
                };
                return Ok(Some((bytes, (file, pieces, path))));
            }
        },
    )
}

/// `bytes 0-4/12`.
pub(super) fn content_range(part: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", part.start, part.end - 1)
}
