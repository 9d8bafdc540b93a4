//! The `csrf` plugin: a change is asked for by a page of the app, and not by another site's.
//!
//! Browsers say where a request comes from, and are believed. Where one says nothing, the request has
//! to bring a token that only a page of the app can have.

mod token;

use http::header::{HeaderName, ORIGIN};
use http::{Method, header};
use serde::Deserialize;
use tracing::warn;

pub(crate) use self::token::page_context;
use self::token::{CsrfToken, FIELD, HEADER};
use super::{Flow, Plugin, PluginInfo, origins};
use crate::error::{Error, Result};
use crate::params::Kind;
use crate::request::{Head, Request};
use crate::response::Response;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses changes that another site's page asks a browser for (cross-site request forgery).
///
/// It is registered as `csrf`. In the router file, for groups whose clients are known by cookies:
///
/// ```toml
/// plugins = ["csrf"]
/// # or, where another origin's pages may ask, and where somebody else's server calls:
/// # plugins = [["csrf", { trusted_origins = ["https://app.example.com"], exclude = ["/hooks"] }]]
/// ```
///
/// `GET`, `HEAD`, `OPTIONS` and `TRACE` pass: they change nothing. For all other methods, in this order:
///
/// 1. A request whose `Origin` is one of the `trusted_origins` passes.
/// 2. One with [`Sec-Fetch-Site`](https://www.w3.org/TR/fetch-metadata/) passes if that is
///    `same-origin`, or `none`, which is the user's own doing; otherwise it is refused.
/// 3. One with an `Origin` passes if that is the host that it is sent to; otherwise it is refused.
/// 4. Any other, as from an old browser or a program, has to bring the token of its session: in the
///    header `x-csrf-token`, or in the field `_csrf_token` of a form without files.
///
/// That is `token = "unsure"`. With `"always"`, everybody has to bring the token as well. With `"never"`, 4
/// lets them pass: browsers have sent an `Origin` with every change for years, and a program cannot be
/// tricked. That is for a login, say, which programs may call, too.
///
/// What is refused is a 403. A socket is opened by a `GET`: there, nova-ws compares the origin.
///
/// Where the plugin runs, every view has `{{ csrf_field() }}`, a hidden field for a form, and
/// `{{ csrf_token }}`, the token itself. The session begins when a view first asks for either. The
/// token looks different on each page, so that compression gives nothing of it away; all of them
/// are good until somebody logs in or out. They are compared in constant time.
///
/// A proxy that changes `Host` makes 3 refuse everything: let it hand the name on, or list the app's
/// own origin in `trusted_origins`.
#[derive(Debug)]
pub struct CsrfPlugin {
    options: CsrfOptions,
}

/// The options of the `csrf` plugin.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CsrfOptions {
    /// Other origins whose pages may ask for changes, such as `https://app.example.com`.
    /// **Default:** none.
    pub trusted_origins: Vec<String>,
    /// Paths that are not protected, with all below them, such as `/hooks`. **Default:** none.
    pub exclude: Vec<String>,
    /// Who has to bring the token of the session. **Default:** [`CsrfTokenPolicy::Unsure`].
    pub token: CsrfTokenPolicy,
}

/// Who has to bring the token of the session, of those that do not come from another site.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CsrfTokenPolicy {
    /// `"always"`: everybody.
    Always,
    /// `"unsure"`: who does not say where they come from.
    #[default]
    Unsure,
    /// `"never"`: nobody.
    Never,
}

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// A page of the app, or the user.
    Own,
    Other,
    Unknown,
}

impl CsrfPlugin {
    /// The plugin with these options, for [`Group::plugin`](crate::Group::plugin).
    pub fn new(options: CsrfOptions) -> Self {
        CsrfPlugin { options }
    }

    /// A token for the session of `head`, for what is no view: JSON, or a page that a program makes.
    ///
    /// # Errors
    /// 500 if the plugin does not run for the request.
    pub fn token(head: &Head) -> Result<String> {
        match head.extensions().get::<CsrfToken>() {
            Some(token) => token.masked(head.session()),
            None => Err(Error::internal(
                "there is no token: the plugin `csrf` does not run for this route",
            )),
        }
    }

    fn source(&self, head: &Head) -> Source {
        let origin = head.headers().get(ORIGIN).map(|origin| origin.as_bytes());
        let mut trusted = self.options.trusted_origins.iter();
        if trusted.any(|trusted| Some(trusted.as_bytes()) == origin) {
            return Source::Own;
        }
        match (head.headers().get(SEC_FETCH_SITE), origin) {
            (Some(site), _) => match site.as_bytes() {
                b"same-origin" | b"none" => Source::Own,
                _ => Source::Other,
            },
            (None, None) => Source::Unknown,
            (None, Some(_)) if is_own_origin(head) => Source::Own,
            (None, Some(_)) => Source::Other,
        }
    }

    /// Segment by segment, as the router sees the path: `/hooks` does not stand for `/hooksmith`.
    fn is_excluded(&self, path: &str) -> bool {
        let segments = |path| str::split(path, '/').filter(|segment| !segment.is_empty());
        let mut excluded = self.options.exclude.iter();
        excluded.any(|excluded| {
            let mut path = segments(path);
            segments(excluded).all(|segment| path.next() == Some(segment))
        })
    }
}

/// Whether `Origin` is the host that the request is sent to. The scheme cannot be compared where a
/// proxy hides it; but a page without TLS does not ask for a change of one with it.
fn is_own_origin(head: &Head) -> bool {
    let Some((scheme, origin)) = head.header(ORIGIN).and_then(|o| o.split_once("://")) else {
        return false;
    };
    let asked = head.uri().authority().map(|authority| authority.as_str());
    let Some(host) = asked.or_else(|| head.header(header::HOST)) else {
        return false;
    };
    let usual = if scheme == "https" { ":443" } else { ":80" };
    let host = host.strip_suffix(usual).unwrap_or(host);
    host.eq_ignore_ascii_case(origin) && (scheme == "https" || !head.is_secure())
}

impl Plugin for CsrfPlugin {
    async fn pre_request(&self, request: &mut Request) -> Result<Flow> {
        let token = CsrfToken::of(request.session()).await?;
        request.extensions_mut().insert(token.clone());
        let safe = [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE];
        if safe.contains(request.method()) || self.is_excluded(request.path()) {
            return Ok(Flow::Continue);
        }
        let refused = |why| Err(Error::new(403, why));
        match (self.source(request), self.options.token) {
            (Source::Other, _) => refused("the request comes from another site"),
            (Source::Own, CsrfTokenPolicy::Unsure) | (_, CsrfTokenPolicy::Never) => {
                Ok(Flow::Continue)
            }
            (Source::Own, CsrfTokenPolicy::Always) | (Source::Unknown, _) => {
                match sent(request).await? {
                    Some(sent) if token.is(&sent) => Ok(Flow::Continue),
                    Some(_) => refused("the form is of another session: load its page again"),
                    None => refused(missing(request)),
                }
            }
        }
    }

    async fn post_request(&self, head: &Head, _response: &mut Response) -> Result<Flow> {
        if let Some(token) = head.extensions().get::<CsrfToken>()
            && let Err(error) = token.keep(head.session()).await
        {
            // The page is there; its form will be refused where a browser says nothing of its own.
            warn!("the token of a page is not kept: {error}");
        }
        Ok(Flow::Continue)
    }

    fn check(&self) -> Result<(), String> {
        origins::check("trusted_origins", &self.options.trusted_origins)?;
        let mut excluded = self.options.exclude.iter();
        match excluded.find(|path| !path.starts_with('/')) {
            Some(path) => Err(format!(
                "`{path}` in `exclude` is no path: it begins with a `/`"
            )),
            None => Ok(()),
        }
    }

    fn info(&self) -> PluginInfo {
        let description = "refuses changes that another site's page asks for";
        PluginInfo::built_in("CSRF", description, &self.options)
    }
}

/// Why a request without a token is refused.
fn missing(head: &Head) -> &'static str {
    match Kind::of(head.headers()) {
        Some(Kind::Form) => {
            "nothing shows that the request comes from a page of this site: send its token in the \
             header `x-csrf-token` or the field `_csrf_token`"
        }
        _ => {
            "nothing shows that the request comes from a page of this site: send its token in the \
             header `x-csrf-token`, as only forms without files are looked into"
        }
    }
}

/// The token that a request brings, the header's before the form's.
async fn sent(request: &mut Request) -> Result<Option<String>> {
    if let Some(token) = request.header(HEADER) {
        return Ok(Some(token.to_owned()));
    }
    if Kind::of(request.headers()) != Some(Kind::Form) {
        return Ok(None);
    }
    let body = request.body().await?;
    let fields: Vec<(String, String)> = Kind::Form.decode(&body)?;
    let mut fields = fields.into_iter();
    Ok(fields
        .find(|(name, _)| name == FIELD)
        .map(|(_, token)| token))
}
