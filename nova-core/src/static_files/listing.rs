//! What is in a folder, for browsers and for programs.
//!
//! It has what can be fetched, and nothing else: each entry was opened as a request for it would be.

use std::io;
use std::path::Path;
use std::sync::LazyLock;
use std::time::SystemTime;

use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, VARY, X_CONTENT_TYPE_OPTIONS};
use minijinja::value::Serde;
use minijinja::{Environment, Value};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::folder::{Found, Opened, Root};
use super::wanted::{is_servable, with_slash};
use crate::accept::Format;
use crate::bindings::percent_decode;
use crate::error::Result;
use crate::failure::PAGE_POLICY;
use crate::reply::{Reply, html, json};
use crate::request::Head;

/// A folder with more is listed in part, and says so.
const MOST: usize = 10_000;

/// What a name keeps in a link (RFC 3986 §2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    for (name, source) in [
        ("listing.html", include_str!("listing/listing.html")),
        ("style.css", include_str!("../error_page/style.css")),
    ] {
        templates
            .add_template(name, source)
            .expect("the templates are right, as the tests find");
    }
    templates
});

/// A folder as it is listed.
#[derive(Debug, Serialize)]
pub(super) struct Listing {
    /// The path that was asked for, decoded, with a slash at its end.
    path: String,
    /// Whether the folder above is one of the files, too.
    has_parent: bool,
    /// Folders first, each kind by name.
    entries: Vec<Entry>,
    /// Whether these are all.
    complete: bool,
}

#[derive(Debug, Serialize)]
struct Entry {
    kind: Kind,
    name: String,
    /// Relative to the listing.
    href: String,
    /// In bytes; `None` for a folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// In UTC: `2026-01-31T12:00:00Z`.
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Folder,
    File,
}

impl Listing {
    /// What is in the folder at `path`.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn of(root: &Root<'_>, path: &Path, head: &Head) -> io::Result<Self> {
        let (names, complete) = root.names(path, MOST)?;
        let names = names.into_iter().filter(|name| is_servable(name));
        let entries = names.filter_map(|name| {
            let found = root.find(&path.join(&name)).ok()?;
            Some(Entry::of(name, &found))
        });
        let mut entries: Vec<_> = entries.collect();
        entries.sort_by_cached_key(|entry| {
            let name = entry.name.to_lowercase();
            (entry.kind, name, entry.name.clone())
        });
        let shown = with_slash(&head.path().parse().unwrap_or_default());
        Ok(Listing {
            path: percent_decode(&shown).unwrap_or_default().into_owned(),
            has_parent: !path.as_os_str().is_empty(),
            entries,
            complete,
        })
    }

    /// As a page, unless JSON is what the client wants most.
    pub(super) fn reply(&self, headers: &HeaderMap) -> Result<Reply> {
        let reply = match Format::named(headers) {
            Some(Format::Problem) => json(self),
            _ => html(self.page()?).header(CONTENT_SECURITY_POLICY, PAGE_POLICY),
        };
        Ok(reply
            .header(VARY, "accept")
            .header(CACHE_CONTROL, "no-cache")
            .header(X_CONTENT_TYPE_OPTIONS, "nosniff"))
    }

    fn page(&self) -> Result<String> {
        let template = TEMPLATES.get_template("listing.html")?;
        Ok(template.render(Value::from(Serde(self)))?)
    }
}

impl Entry {
    fn of(name: String, found: &Found) -> Self {
        let (kind, slash, file) = match found {
            Found::Folder => (Kind::Folder, "/", None),
            Found::File(file) => (Kind::File, "", Some(file)),
        };
        let modified = file.and_then(Opened::modified).map(shown);
        Entry {
            kind,
            // The dot: `a:b` would be an address of its own.
            href: format!("./{}{slash}", utf8_percent_encode(&name, ENCODED)),
            size: file.map(|file| file.metadata.len()),
            modified,
            name,
        }
    }
}

fn shown(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}
