//! From a request for a file to the reply.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE, ETAG, LAST_MODIFIED, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Method};
use tokio::task::spawn_blocking;

use super::conditions::{Validators, Verdict};
use super::content;
use super::encoding::{Coding, Codings};
use super::folder::{Folder, Found, Opened, Root, failed};
use super::listing::Listing;
use super::ranges::Selection;
use super::tag::Tag;
use super::wanted::{Wanted, normalized, with_slash};
use crate::controller::Action;
use crate::error::{Error, Result};
use crate::reply::{Reply, content_type, redirect, status};
use crate::request::{Head, Request};

/// Files that are checked and can be sent.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) folder: Folder,
    /// The name of the one file in it that is sent; `None` for all.
    pub(super) file: Option<PathBuf>,
    pub(super) index_files: Vec<String>,
    pub(super) list_dir: bool,
    pub(super) precompressed: bool,
    pub(super) content_types: ContentTypes,
    pub(super) cache_control: HeaderValue,
}

/// The types that the app has named.
#[derive(Debug, Default)]
pub(super) struct ContentTypes {
    pub(super) all: Option<HeaderValue>,
    /// By the extension, in lower case.
    pub(super) by_extension: BTreeMap<String, HeaderValue>,
}

/// A file in the form in which it is sent.
struct Selected {
    opened: Opened,
    coding: Option<Coding>,
    /// Whether other clients may get another form of it.
    varies: bool,
}

pub(super) fn action(served: &Arc<Served>) -> Action {
    let served = Arc::clone(served);
    Action::new(move |request: Request| {
        let served = Arc::clone(&served);
        async move {
            let head = Arc::clone(request.head());
            let is_page = request.cause().is_some();
            spawn_blocking(move || served.reply(&head, is_page)).await?
        }
    })
}

impl Served {
    /// The reply to a request; `is_page` tells whether it becomes the body of another answer.
    fn reply(&self, head: &Head, is_page: bool) -> Result<Reply> {
        let root = self.folder.open();
        let root = root.map_err(|error| failed(&self.folder.path, error))?;
        let Some(file) = &self.file else {
            return self.reply_below(&root, head);
        };
        match self.find(&root, file)? {
            Found::Folder => Err(failed(file, ErrorKind::NotFound.into())),
            Found::File(opened) if is_page => self.page(file, opened),
            Found::File(opened) => self.send(&root, file, opened, head),
        }
    }

    fn reply_below(&self, root: &Root<'_>, head: &Head) -> Result<Reply> {
        let wanted = Wanted::of(head)?;
        if let Some(location) = normalized(head.uri()) {
            return Ok(redirect(&location).with_status(301));
        }
        if let Found::File(opened) = self.find(root, &wanted.path)? {
            return self.send(root, &wanted.path, opened, head);
        }
        let index = self.index(root, &wanted);
        if index.is_none() && !self.list_dir {
            let why = "the folder has no index file, and `list_dir` is not set";
            return Err(Error::internal(why).with_status(403));
        }
        if !wanted.ends_with_slash {
            return Ok(redirect(&with_slash(head.uri())).with_status(301));
        }
        match index {
            Some((path, opened)) => self.send(root, &path, opened, head),
            None => {
                let listing = Listing::of(root, &wanted.path, head);
                let listing = listing.map_err(|error| failed(&wanted.path, error))?;
                listing.reply(head.headers())
            }
        }
    }

    fn find(&self, root: &Root<'_>, path: &Path) -> Result<Found> {
        let found = root.find(path);
        found.map_err(|error| failed(&self.folder.path.join(path), error))
    }

    /// The file that stands for a folder.
    fn index(&self, root: &Root<'_>, folder: &Wanted) -> Option<(PathBuf, Opened)> {
        let paths = self.index_files.iter().map(|name| folder.path.join(name));
        paths.into_iter().find_map(|path| match root.find(&path) {
            Ok(Found::File(opened)) => Some((path, opened)),
            _ => None,
        })
    }

    /// A file as the page of another answer: nobody keeps it, or asks for a part of it.
    fn page(&self, path: &Path, opened: Opened) -> Result<Reply> {
        let all = 0..opened.metadata.len();
        Ok(Reply::of(content::part(opened, all, true)?)
            .content_type(self.content_types.of(path))
            .header(X_CONTENT_TYPE_OPTIONS, "nosniff"))
    }

    fn send(&self, root: &Root<'_>, path: &Path, opened: Opened, head: &Head) -> Result<Reply> {
        let Selected {
            opened,
            coding,
            varies,
        } = self.select(root, path, opened, head);
        let now = SystemTime::now();
        let tag = Tag::of(&opened, now)?;
        let validators = Validators {
            tag: &tag,
            modified: opened.modified(),
            now,
        };
        // What a 304 has, too (RFC 9110 §15.4.5).
        let described = |reply: Reply| {
            let mut reply = reply
                .header(ETAG, tag.header.clone())
                .header(CACHE_CONTROL, self.cache_control.clone());
            if let Some(modified) = validators.modified {
                reply = reply.header(LAST_MODIFIED, httpdate::fmt_http_date(modified));
            }
            if varies {
                reply = reply.header(VARY, "accept-encoding");
            }
            reply
        };
        let size = opened.metadata.len();
        let selection = match validators.judge(head.method(), head.headers()) {
            Verdict::Failed => {
                return Err(Error::new(412, "the file is not the one that is meant"));
            }
            Verdict::NotModified => return Ok(described(status(304))),
            Verdict::Passed(None) => Selection::Whole,
            Verdict::Passed(Some(range)) => Selection::of(range, size),
        };
        let is_asked = head.method() != Method::HEAD;
        let content_type = self.content_types.of(path);
        let reply = match selection {
            Selection::Refused => return Err(no_such_bytes(size)),
            Selection::Whole => {
                Reply::of(content::part(opened, 0..size, is_asked)?).content_type(content_type)
            }
            Selection::Parts(parts) => match &*parts {
                [part] => Reply::of(content::part(opened, part.clone(), is_asked)?)
                    .with_status(206)
                    .header(CONTENT_RANGE, content::content_range(part, size))
                    .content_type(content_type),
                parts => {
                    let (body, content_type) = content::parts(opened, parts, &content_type);
                    Reply::of(body).with_status(206).content_type(content_type)
                }
            },
        };
        let reply = described(reply)
            .header(ACCEPT_RANGES, "bytes")
            .header(X_CONTENT_TYPE_OPTIONS, "nosniff");
        Ok(match coding {
            Some(coding) => reply.header(CONTENT_ENCODING, coding.name),
            None => reply,
        })
    }

    /// The form of a file that the client wants most.
    fn select(&self, root: &Root<'_>, path: &Path, plain: Opened, head: &Head) -> Selected {
        let mut selected = Selected {
            opened: plain,
            coding: None,
            varies: false,
        };
        if !self.precompressed {
            return selected;
        }
        let codings = Codings::by(head.headers());
        let compressed = |coding: &Coding| match root.find(&coding.beside(path)) {
            Ok(Found::File(opened)) => Some((opened, *coding)),
            _ => None,
        };
        if let Some((opened, coding)) = codings.taken.iter().find_map(compressed) {
            selected.opened = opened;
            selected.coding = Some(coding);
            selected.varies = true;
        } else {
            selected.varies = codings.others.iter().any(|one| compressed(one).is_some());
        }
        selected
    }
}

impl ContentTypes {
    fn of(&self, path: &Path) -> HeaderValue {
        if let Some(all) = &self.all {
            return all.clone();
        }
        let extension = path.extension().and_then(|extension| extension.to_str());
        let named = extension.and_then(|one| self.by_extension.get(&one.to_lowercase()));
        named.cloned().unwrap_or_else(|| content_type(path))
    }
}

/// RFC 9110 §15.5.17.
fn no_such_bytes(size: u64) -> Error {
    Error::new(416, format!("no part of the {size} bytes is asked for"))
        .with_header(CONTENT_RANGE, format!("bytes */{size}"))
}
