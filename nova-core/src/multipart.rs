//! Forms with files in them, part by part as they arrive (RFC 7578).
//!
//! multer takes in all that its stream has, and looks for the end of a part's headers in all that
//! it holds. So it gets the body in small pieces, and only when it asks for more: then each limit
//! counts before the memory is used.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use http::{HeaderMap, header};

use crate::body::{BodyStream, Failure};
use crate::error::{Error, Result};
use crate::upload::{Upload, UploadedFile};

/// The most parts of a form.
const PARTS: usize = 100;
/// The longest part that is held in memory.
const IN_MEMORY: usize = 64 * 1024;
/// The most bytes that are read in search of a part's content.
const HEADERS: usize = 16 * 1024;
/// The pieces that the parser gets while it looks for headers, and while it reads content.
const HEADER_PIECE: usize = 4 * 1024;
const CONTENT_PIECE: usize = 64 * 1024;
/// RFC 2046 §5.1.1.
const LONGEST_BOUNDARY: usize = 70;

/// A form with files in it, which a browser sends for `enctype="multipart/form-data"`. Its parts
/// come one after another; [`Request::multipart`](crate::Request::multipart) begins it.
///
/// ```
/// use nova_core::{Error, Reply, Request, Result, json};
///
/// async fn upload(mut request: Request) -> Result<Reply> {
///     let mut form = request.multipart()?;
///     let (mut title, mut photo) = (String::new(), None);
///     while let Some(mut part) = form.next().await? {
///         match part.name() {
///             "title" => title = part.text().await?,
///             "photo" => photo = Some(part.save().await?),
///             _ => {}
///         }
///     }
///     let photo = photo.ok_or_else(|| Error::new(422, "a photo is missing"))?;
///     // photo.persist("photos/7.jpg").await?;
///     Ok(json(&(title, photo.size())))
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// #     let body = "--x\r\ncontent-disposition: form-data; name=title\r\n\r\nmilk\r\n\
/// #         --x\r\ncontent-disposition: form-data; name=photo; filename=a.jpg\r\n\r\n123\r\n--x--";
/// #     let request = nova_core::testing::request("POST", "/")
/// #         .header("content-type", "multipart/form-data; boundary=x")
/// #         .body(body);
/// #     upload(request.build()).await.unwrap();
/// # }
/// ```
pub struct Multipart {
    parser: multer::Multipart<'static>,
    feed: Feed,
    body: BodyStream,
    /// What has arrived and was not fed yet.
    arrived: Bytes,
    field: Option<multer::Field<'static>>,
    parts: usize,
    failure: Option<Failure>,
}

/// One part of a [`Multipart`] form: a field, or a file. What is not read of it is passed over.
pub struct Part<'f> {
    form: &'f mut Multipart,
}

impl Multipart {
    /// # Errors
    /// 415 if the content type is another one, 400 if it names no boundary.
    pub(crate) fn boundary(headers: &HeaderMap) -> Result<String> {
        let content_type = headers.get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("multipart/form-data") {
            let message = "send a form with parts (`multipart/form-data`)";
            return Err(Error::new(415, message));
        }
        match multer::parse_boundary(content_type) {
            Ok(boundary) if (1..=LONGEST_BOUNDARY).contains(&boundary.len()) => Ok(boundary),
            _ => Err(Error::new(
                400,
                "the content type names no `boundary` of 1 to 70 characters",
            )),
        }
    }

    pub(crate) fn new(body: BodyStream, boundary: String) -> Self {
        let feed = Feed::default();
        Multipart {
            parser: multer::Multipart::new(feed.clone(), boundary),
            feed,
            body,
            arrived: Bytes::new(),
            field: None,
            parts: 0,
            failure: None,
        }
    }

    /// The next part; `None` at the end of the form.
    ///
    /// # Errors
    /// 400 if the form is malformed, or a part has no name; 413 if it has more than 100 parts, or
    /// a part more than 16 KiB of headers; and those of [`BodyStream::next`]. After an error, there
    /// are no more parts, and it is told again.
    ///
    /// # Cancel safety
    /// No part is lost if the future is dropped.
    pub async fn next(&mut self) -> Result<Option<Part<'_>>> {
        let found = match &self.failure {
            Some(failure) => Err(failure.error()),
            None => self.find().await,
        };
        match found {
            Ok(true) => Ok(Some(Part { form: self })),
            Ok(false) => Ok(None),
            Err(error) => Err(self.fail(error).await),
        }
    }

    /// Whether there is another part.
    async fn find(&mut self) -> Result<bool> {
        while self.chunk().await?.is_some() {}
        self.field = None;
        let mut fed = 0;
        let field = loop {
            match poll_fn(|context| Poll::Ready(self.parser.poll_next_field(context))).await {
                Poll::Ready(Ok(Some(field))) => break field,
                Poll::Ready(Ok(None)) => {
                    // What follows the form counts for nothing; read, it leaves the connection
                    // ready for the next request.
                    while self.body.next().await?.is_some() {}
                    return Ok(false);
                }
                Poll::Ready(Err(error)) => return Err(malformed(&error)),
                Poll::Pending if fed >= HEADERS => {
                    let message = format!("a part has more than {HEADERS} bytes of headers");
                    return Err(Error::new(413, message));
                }
                Poll::Pending => fed += self.feed(HEADER_PIECE).await?,
            }
        };
        if self.parts == PARTS {
            return Err(Error::new(
                413,
                format!("the form has more than {PARTS} parts"),
            ));
        }
        if field.name().is_none() {
            return Err(Error::new(400, "a part of the form has no name"));
        }
        self.parts += 1;
        self.field = Some(field);
        Ok(true)
    }

    /// The next bytes of the part.
    async fn chunk(&mut self) -> Result<Option<Bytes>> {
        loop {
            let Some(field) = &mut self.field else {
                return Ok(None);
            };
            match poll_fn(|context| Poll::Ready(Pin::new(&mut *field).poll_next(context))).await {
                Poll::Ready(None) => return Ok(None),
                Poll::Ready(Some(Ok(bytes))) if bytes.is_empty() => {}
                Poll::Ready(Some(Ok(bytes))) => return Ok(Some(bytes)),
                Poll::Ready(Some(Err(error))) => return Err(malformed(&error)),
                Poll::Pending => {
                    self.feed(CONTENT_PIECE).await?;
                }
            }
        }
    }

    /// Gives the parser up to `most` bytes more, and says how many.
    async fn feed(&mut self, most: usize) -> Result<usize> {
        while self.arrived.is_empty() {
            match self.body.next().await? {
                Some(bytes) => self.arrived = bytes,
                None if self.feed.end() => return Err(Error::new(400, "the form breaks off")),
                None => return Ok(0),
            }
        }
        let piece = self.arrived.split_to(most.min(self.arrived.len()));
        let length = piece.len();
        self.feed.put(piece);
        Ok(length)
    }

    /// There is no more after an error. What is too much is still read, so that the client gets to
    /// read the answer.
    async fn fail(&mut self, error: Error) -> Error {
        if error.detail().is_some() && self.failure.is_none() {
            self.failure = Some(Failure::of(&error));
            if error.status() == 413 {
                self.body.discard(0).await;
            }
        }
        error
    }
}

impl Part<'_> {
    /// The name of the field.
    pub fn name(&self) -> &str {
        let field = self.form.field.as_ref();
        field.and_then(|field| field.name()).unwrap_or_default()
    }

    /// What the client calls the file: the last part, if it has sent a path, and nothing if that
    /// is no name. A field without a file has none.
    ///
    /// It is what anybody may have written. Show it, but never make a path of it: name files
    /// yourself, after the id of what they belong to.
    pub fn file_name(&self) -> Option<&str> {
        let name = self.form.field.as_ref()?.file_name()?;
        let name = name.rsplit(['/', '\\']).next()?;
        let is_name = !["", ".", ".."].contains(&name) && !name.contains(char::is_control);
        is_name.then_some(name)
    }

    /// What the client says that it is, such as `image/png`.
    pub fn content_type(&self) -> Option<&str> {
        let headers = self.form.field.as_ref()?.headers();
        headers.get(header::CONTENT_TYPE)?.to_str().ok()
    }

    /// The part as text.
    ///
    /// # Errors
    /// 400 if it is not UTF-8, and those of [`bytes`](Self::bytes).
    ///
    /// # Cancel safety
    /// As [`bytes`](Self::bytes)'s.
    pub async fn text(&mut self) -> Result<String> {
        let bytes = self.bytes().await?;
        String::from_utf8(bytes.into()).map_err(|_| {
            Error::new(
                400,
                format!("the part `{}` is no text in UTF-8", self.name()),
            )
        })
    }

    /// The part, in memory.
    ///
    /// # Errors
    /// 413 if it is longer than 64 KiB: [`save`](Self::save) takes files, and
    /// [`chunk`](Self::chunk) anything. 400 if the form is malformed, and those of
    /// [`BodyStream::next`].
    ///
    /// # Cancel safety
    /// What was read is lost when the future is dropped.
    pub async fn bytes(&mut self) -> Result<Bytes> {
        let mut bytes = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if bytes.len() + chunk.len() > IN_MEMORY {
                let name = self.name();
                let message = format!("the part `{name}` is longer than {IN_MEMORY} bytes");
                return Err(self.form.fail(Error::new(413, message)).await);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    }

    /// The next bytes, in pieces as they arrive; `None` at the end of the part.
    ///
    /// # Errors
    /// 400 if the form is malformed, and those of [`BodyStream::next`].
    ///
    /// # Cancel safety
    /// No byte is lost if the future is dropped.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        if let Some(failure) = &self.form.failure {
            return Err(failure.error());
        }
        match self.form.chunk().await {
            Ok(chunk) => Ok(chunk),
            Err(error) => Err(self.form.fail(error).await),
        }
    }

    /// The part in a temporary file, which ends with the [`UploadedFile`]. It is written as it
    /// arrives; only the limit of the body bounds it.
    ///
    /// # Errors
    /// Those of [`chunk`](Self::chunk); 500 if it cannot be written.
    ///
    /// # Cancel safety
    /// What was read is lost when the future is dropped, and the file deleted.
    pub async fn save(&mut self) -> Result<UploadedFile> {
        let mut upload = Upload::begin().await?;
        while let Some(chunk) = self.chunk().await? {
            upload.write(&chunk).await?;
        }
        upload.end().await
    }
}

fn malformed(error: &multer::Error) -> Error {
    Error::new(400, format!("the form is malformed: {error}"))
}

/// The parser's end of the body. It holds one piece at a time.
#[derive(Debug, Clone, Default)]
struct Feed(Arc<Mutex<Slot>>);

/// A std mutex: no guard lives across an `.await`.
#[derive(Debug, Default)]
struct Slot {
    piece: Option<Bytes>,
    is_at_end: bool,
}

impl Feed {
    fn put(&self, piece: Bytes) {
        self.slot().piece = Some(piece);
    }

    /// Tells the parser that nothing more comes, and whether it knew.
    fn end(&self) -> bool {
        std::mem::replace(&mut self.slot().is_at_end, true)
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream for Feed {
    type Item = Result<Bytes, Infallible>;

    /// Nobody is woken: the parser is asked again whenever there is a piece.
    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut slot = self.slot();
        match slot.piece.take() {
            Some(piece) => Poll::Ready(Some(Ok(piece))),
            None if slot.is_at_end => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl fmt::Debug for Multipart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Multipart")
            .field("body", &self.body)
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("name", &self.name())
            .field("file_name", &self.file_name())
            .field("content_type", &self.content_type())
            .finish_non_exhaustive()
    }
}
