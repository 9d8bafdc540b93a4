//! Reads `router.toml`: past the first mistake, and with the place of every part.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::group::{GroupSpec, Handler, PathSpec, RouteSpec};
use super::registry::Registry;
use crate::build_error::BuildError;
use crate::config::settings::{Setting, type_name};
use crate::document::Document;
use crate::origin::{Origin, Source, SourceFile};
use crate::plugin::{Chain, NamedPlugin};
use crate::security::NamedSecurity;

const TOP: [&str; 2] = ["plugins", "group"];
const GROUP: [&str; 4] = ["prefix", "plugins", "security", "routes"];
const OPTIONS: [&str; 2] = ["methods", "protocol"];

/// What the file says.
#[derive(Default)]
pub(crate) struct RouterFile {
    /// The global plugins.
    pub(crate) plugins: Vec<NamedPlugin>,
    pub(crate) groups: Vec<GroupSpec>,
}

/// Reads what can be read, and adds everything else to `errors`.
pub(crate) fn read(
    file: &Arc<SourceFile>,
    registry: &Registry,
    errors: &mut Vec<BuildError>,
) -> RouterFile {
    let before = errors.len();
    let document = Document::read(file, &["group"], errors);
    let mut reader = Reader {
        source: document.source(),
        registry,
        errors,
    };
    let mut router = RouterFile::default();
    for setting in document.settings() {
        match &*setting.key {
            "plugins" => router.plugins = reader.plugins(setting),
            "group" => router.groups = reader.groups(setting),
            key if GROUP.contains(&key) => {
                reader.errors.push(setting.misplaced("a `[[group]]`"));
            }
            _ => reader.errors.push(setting.unknown_key("the file", &TOP)),
        }
    }
    if router.groups.is_empty() && reader.errors.len() == before {
        reader.wrong(0..0, "the file has no routes: they stand in a `[[group]]`");
    }
    router
}

struct Reader<'r> {
    source: &'r Source,
    registry: &'r Registry,
    errors: &'r mut Vec<BuildError>,
}

/// The third part of a route tuple.
#[derive(Default)]
struct Options {
    methods: Option<Vec<(String, Origin)>>,
    protocol: Option<(String, Origin)>,
    /// Something in it could not be read, so it says less than its author meant.
    incomplete: bool,
}

type Value<'i> = Spanned<DeValue<'i>>;

impl Reader<'_> {
    fn groups(&mut self, setting: Setting<'_>) -> Vec<GroupSpec> {
        let mut groups = Vec::new();
        for value in self.array(setting, "a list of groups, each a `[[group]]`") {
            let span = value.span();
            match value.into_inner() {
                DeValue::Table(table) => groups.push(self.group(table)),
                other => {
                    let found = type_name(&other);
                    self.wrong(span, format!("a group is a table, not {found}"));
                }
            }
        }
        groups
    }

    fn group(&mut self, table: DeTable<'_>) -> GroupSpec {
        let mut group = GroupSpec::default();
        for setting in Setting::list(table, self.source) {
            match &*setting.key {
                "prefix" => {
                    let prefix = self.string(setting.value, "a prefix", "\"/api\"");
                    group.prefix = Some(prefix.map(|(path, origin)| PathSpec { path, origin }));
                }
                "plugins" => group.plugins = Some(Chain::from(self.plugins(setting))),
                "security" => group.security = self.security(setting.value),
                "routes" => {
                    let routes = self.array(setting, "a list of routes, each a `[path, handler]`");
                    let routes = routes.into_iter().filter_map(|value| self.route(value));
                    group.routes = routes.collect();
                }
                _ => self.errors.push(setting.unknown_key("a group", &GROUP)),
            }
        }
        group
    }

    /// `false`, or the name of a security function.
    fn security(&mut self, value: Value<'_>) -> Option<NamedSecurity> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Boolean(false) => None,
            DeValue::String(name) => {
                let origin = self.source.at(span);
                self.registry.security(&name, &origin, self.errors)
            }
            other => {
                let found = match other {
                    DeValue::Boolean(true) => "`true`",
                    other => type_name(&other),
                };
                self.wrong(
                    span,
                    format!(
                        "`security` is `false` or the name of a security function, such as \
                         `\"auth::session\"`, not {found}"
                    ),
                );
                None
            }
        }
    }

    /// `["/path", "handler"]` or `["/path", "handler", { options }]`. Each part is read, whatever
    /// is wrong with the others.
    fn route(&mut self, value: Value<'_>) -> Option<RouteSpec> {
        let span = value.span();
        let DeValue::Array(parts) = value.into_inner() else {
            self.wrong(
                span,
                "a route is a tuple: `[\"/path\", \"controller::action\"]`",
            );
            return None;
        };
        if !(2..=3).contains(&parts.len()) {
            self.wrong(
                span.clone(),
                "a route has a path, a handler, and options if need be: \
                 `[\"/path\", \"controller::action\", { methods = [\"get\"] }]`",
            );
        }
        let mut parts = parts.into_iter();
        let path = parts.next().and_then(|path| {
            let (path, origin) = self.string(path, "the path of a route", "\"/notes/{id}\"")?;
            Some(PathSpec { path, origin })
        });
        let handler = parts
            .next()
            .and_then(|name| self.string(name, "who answers a route", "\"notes_api::show\""));
        let options = parts.next().map(|options| self.options(options));
        let Options {
            methods,
            protocol,
            incomplete,
        } = options.unwrap_or_default();
        let (handler, handler_origin) = handler?;
        if incomplete && protocol.is_none() && self.registry.is_handler(&handler) {
            return None; // the protocol is what could not be read
        }
        Some(RouteSpec {
            // Without a path, the table checks the other parts and leaves the route out.
            path: path.filter(|_| !incomplete),
            handler: Handler::Named(handler),
            handler_origin,
            methods,
            protocol,
            origin: self.source.at(span),
        })
    }

    fn options(&mut self, value: Value<'_>) -> Options {
        let span = value.span();
        let mut options = Options::default();
        let DeValue::Table(table) = value.into_inner() else {
            self.wrong(
                span,
                "the options of a route are a table: `{ methods = [\"get\"] }`",
            );
            options.incomplete = true;
            return options;
        };
        let before = self.errors.len();
        for setting in Setting::list(table, self.source) {
            match &*setting.key {
                "methods" => {
                    let methods = self.array(setting, "a list, such as `[\"get\"]`");
                    let methods = methods
                        .into_iter()
                        .filter_map(|method| self.string(method, "a method", "\"get\""));
                    options.methods = Some(methods.collect());
                }
                "protocol" => {
                    options.protocol = self.string(setting.value, "a protocol", "\"ws\"");
                }
                _ => self.errors.push(setting.unknown_key("a route", &OPTIONS)),
            }
        }
        options.incomplete = self.errors.len() > before;
        if options.incomplete && options.methods.as_ref().is_some_and(Vec::is_empty) {
            options.methods = None;
        }
        options
    }

    /// `["name", ["name", { options }], …]`.
    fn plugins(&mut self, setting: Setting<'_>) -> Vec<NamedPlugin> {
        self.array(setting, "a list of plugins")
            .into_iter()
            .filter_map(|value| self.plugin(value))
            .collect()
    }

    fn plugin(&mut self, value: Value<'_>) -> Option<NamedPlugin> {
        let span = value.span();
        let mut parts = match value.into_inner() {
            DeValue::Array(parts) => parts.into_iter().collect(),
            single @ DeValue::String(_) => vec![Spanned::new(span.clone(), single)],
            _ => Vec::new(),
        };
        let options = match parts.len() {
            2 => parts.pop().map(Spanned::into_inner),
            _ => Some(DeValue::Table(DeTable::new())),
        };
        let (Some(DeValue::Table(options)), 1) = (options, parts.len()) else {
            let form = "a plugin is `\"name\"`, or with options `[\"name\", { option = … }]`";
            self.wrong(span, form);
            return None;
        };
        let name = self.string(parts.remove(0), "the name of a plugin", "\"request\"");
        let (name, origin) = name?;
        let options = Setting::list(options, self.source);
        self.registry.plugin(&name, &origin, options, self.errors)
    }

    fn array<'i>(&mut self, setting: Setting<'i>, expected: &str) -> Vec<Value<'i>> {
        let wrong_type = setting.wrong_type(expected);
        match setting.value.into_inner() {
            DeValue::Array(values) => values.into_iter().collect(),
            _ => {
                self.errors.push(wrong_type);
                Vec::new()
            }
        }
    }

    fn string(&mut self, value: Value<'_>, what: &str, example: &str) -> Option<(String, Origin)> {
        let span = value.span();
        match value.into_inner() {
            DeValue::String(text) => Some((text.into_owned(), self.source.at(span))),
            other => {
                let found = type_name(&other);
                self.wrong(
                    span,
                    format!("{what} is a string, such as `{example}`, not {found}"),
                );
                None
            }
        }
    }

    fn wrong(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.errors.push(BuildError::WrongValue {
            message: message.into(),
            origin: self.source.at(span),
        });
    }
}
