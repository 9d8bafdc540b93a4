//! What a new table has that the old one has not, and the other way round.

use std::collections::BTreeMap;
use std::fmt;

use super::info::RouteInfo;
use super::table::Table;
use crate::plugin::Chain;

/// The difference that a reload of the routes has made.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RouteChanges {
    /// Routes that there are now.
    pub added: Vec<RouteInfo>,
    /// Routes that there were before.
    pub removed: Vec<RouteInfo>,
    /// Routes that answer the same requests in another way, as they are now.
    pub changed: Vec<RouteInfo>,
}

impl RouteChanges {
    /// Whether the routes are as they were.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }

    pub(super) fn between(old: &Table, new: &Table) -> Self {
        let (mut old, new) = (listed(old), listed(new));
        let mut changes = RouteChanges::default();
        for (requests, (info, way)) in new {
            match old.remove(&requests) {
                None => changes.added.push(info.clone()),
                Some((_, before)) if before != way => changes.changed.push(info.clone()),
                Some(_) => {}
            }
        }
        changes.removed = old.into_values().map(|(info, _)| info.clone()).collect();
        changes
    }
}

/// All routes and status pages by what they answer, each with all that decides how.
fn listed(table: &Table) -> BTreeMap<String, (&RouteInfo, String)> {
    let way = |info: &RouteInfo, chain: Option<&Chain>, more: String| {
        let plugins = chain.into_iter().flat_map(|chain| chain.iter());
        let plugins: Vec<&str> = plugins.map(|plugin| &*plugin.written).collect();
        format!(
            "{} {:?} {:?} {plugins:?} {more}",
            info.handler, info.name, info.security
        )
    };
    let routes = table.routes.iter().map(|route| {
        let fallback = route.fallback.as_ref().map(|fallback| &fallback.name);
        let more = (&route.limits, &route.extra, fallback, &route.files);
        let more = format!("{more:?}");
        (&route.info, way(&route.info, Some(&route.chain), more))
    });
    let pages = table.pages.iter();
    let pages = pages.map(|page| (&page.info, way(&page.info, None, String::new())));
    let all = routes.chain(pages);
    all.map(|(info, way)| (info.requests(), (info, way)))
        .collect()
}

/// One line for each route: `+ GET /api/notes → notes_api::index (router.toml:4:5)`, `-` for what has
/// gone and `~` for what answers in another way.
impl fmt::Display for RouteChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("no route has changed");
        }
        write!(
            f,
            "{} added, {} removed, {} changed",
            self.added.len(),
            self.removed.len(),
            self.changed.len()
        )?;
        for (sign, routes) in [
            ('+', &self.added),
            ('-', &self.removed),
            ('~', &self.changed),
        ] {
            for route in routes {
                write!(f, "\n{sign} {route}")?;
            }
        }
        Ok(())
    }
}
