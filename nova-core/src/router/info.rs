//! The routes of an app as data, and why one of them did or did not match.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::origin::Origin;

/// One route of an app, as [`Router::routes`](crate::Router::routes) lists it.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct RouteInfo {
    /// The status of answers without a body that it answers below its path; `None` for a route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The methods that it answers, such as `GET`; none for all.
    pub methods: Vec<String>,
    /// The host that it is for; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The whole path, its group's prefix included: `/api/notes/{id}`.
    pub path: String,
    /// `http`, `ws`, or another registered protocol.
    pub protocol: String,
    /// Who answers, such as `notes_api::show`.
    pub handler: String,
    /// The mounted app that it is of, such as `admin`, or `shop::admin` within another; `None` for that
    /// which is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The name that paths are made by; see [`Head::path_for`](crate::Head::path_for).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The security function of its group; `None` for a status page, which is asked about refusals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security: Option<String>,
    /// The plugins that run, in their order; none for a status page, as those of the request have run.
    pub plugins: Vec<String>,
    /// Where it stands: `router.toml:14:20`, or a line of Rust.
    #[serde(serialize_with = "as_text")]
    pub origin: Origin,
}

/// A route that nearly answers a request, and what is missing.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct NearRoute {
    /// The route.
    pub route: RouteInfo,
    /// Why it does not answer, such as "segment 2 is `notes` there and `nots` here".
    pub reason: String,
}

impl RouteInfo {
    /// What it answers: `GET, HEAD example.com/notes/{id}`, `ws /notifications`, `404 /api`; `any`
    /// stands for all methods.
    pub fn requests(&self) -> String {
        let first = match (self.status, &*self.methods) {
            (Some(status), _) => status.to_string(),
            (None, _) if self.protocol != "http" => self.protocol.clone(),
            (None, []) => "any".to_owned(),
            (None, some) => some.join(", "),
        };
        let host = self.host.as_deref().unwrap_or_default();
        format!("{first} {host}{}", self.path)
    }
}

fn as_text<S: Serializer>(origin: &Origin, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(origin)
}

/// `GET /api/notes/{id} → notes_api::show (router.toml:14:5)`.
impl fmt::Display for RouteInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} → {} ({})",
            self.requests(),
            self.handler,
            self.origin
        )
    }
}
