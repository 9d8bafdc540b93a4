//! Reads `router.toml`: past the first mistake, and with the place of every part.

use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::group::{GroupSpec, Handler, PathSpec, RouteSpec};
use super::registry::Registry;
use crate::build_error::BuildError;
use crate::config::settings::{self, Setting, type_name};
use crate::config::syntax_error;
use crate::origin::{Origin, Source, SourceFile};
use crate::plugin::{Chain, ErasedPlugin};

const TOP: [&str; 2] = ["plugins", "group"];
const GROUP: [&str; 3] = ["prefix", "plugins", "routes"];

/// What the file says.
#[derive(Default)]
pub(crate) struct RouterFile {
    /// The global plugins.
    pub(crate) plugins: Vec<Arc<dyn ErasedPlugin>>,
    pub(crate) groups: Vec<GroupSpec>,
}

/// Reads what can be read, and adds everything else to `errors`.
pub(crate) fn read(
    file: &Arc<SourceFile>,
    registry: &Registry,
    errors: &mut Vec<BuildError>,
) -> RouterFile {
    let source = Source::File(Arc::clone(file));
    let (root, syntax) = DeTable::parse_recoverable(file.text());
    errors.extend(syntax.iter().map(|error| syntax_error(error, &source)));

    let mut reader = Reader {
        source,
        registry,
        errors,
    };
    let mut router = RouterFile::default();
    for setting in Setting::list(root.into_inner(), &reader.source) {
        match &*setting.key {
            "plugins" => router.plugins = reader.plugins(setting),
            "group" => router.groups = reader.groups(setting),
            _ => reader.errors.push(setting.unknown_key("the file", &TOP)),
        }
    }
    router
}

struct Reader<'r> {
    source: Source,
    registry: &'r Registry,
    errors: &'r mut Vec<BuildError>,
}

/// The third part of a route tuple. A method keeps its place; what `protocol` says does not need
/// one of its own, for it has only one word.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Options {
    methods: Option<Vec<Spanned<String>>>,
    protocol: Option<String>,
}

type Value<'i> = Spanned<DeValue<'i>>;

impl Reader<'_> {
    fn groups(&mut self, setting: Setting<'_>) -> Vec<GroupSpec> {
        // `[group]` instead of `[[group]]` is a table, and a natural mistake.
        if setting.value.get_ref().is_table() {
            self.errors.push(BuildError::WrongValue {
                message: "a group begins with two brackets: `[[group]]`".to_owned(),
                origin: setting.key_origin(),
            });
            return Vec::new();
        }
        let mut groups = Vec::new();
        for value in self.array(setting, "a list of groups, each a `[[group]]`") {
            let span = value.span();
            match value.into_inner() {
                DeValue::Table(table) => groups.push(self.group(table)),
                other => self.wrong(
                    span,
                    format!("a group is a table, not {}", type_name(&other)),
                ),
            }
        }
        groups
    }

    fn group(&mut self, table: DeTable<'_>) -> GroupSpec {
        let mut group = GroupSpec::default();
        for setting in Setting::list(table, &self.source) {
            match &*setting.key {
                "prefix" => group.prefix = self.prefix(&setting),
                "plugins" => group.plugins = Some(Chain::from(self.plugins(setting))),
                "routes" => {
                    let routes = self.array(setting, "a list of routes, each a `[path, handler]`");
                    group.routes = routes
                        .into_iter()
                        .filter_map(|value| self.route(value))
                        .collect();
                }
                _ => self.errors.push(setting.unknown_key("a group", &GROUP)),
            }
        }
        group
    }

    fn prefix(&mut self, setting: &Setting<'_>) -> Option<PathSpec> {
        match setting.value.get_ref().as_str() {
            Some(path) => Some(PathSpec {
                path: path.to_owned(),
                origin: setting.value_origin(),
            }),
            None => {
                self.errors.push(setting.wrong_type("a string"));
                None
            }
        }
    }

    /// `["/path", "handler"]` or `["/path", "handler", { options }]`.
    fn route(&mut self, value: Value<'_>) -> Option<RouteSpec> {
        let span = value.span();
        let DeValue::Array(parts) = value.into_inner() else {
            self.wrong(
                span,
                "a route is a tuple: `[\"/path\", \"controller::action\"]`",
            );
            return None;
        };
        let mut parts = parts.into_iter();
        let (Some(path), Some(handler), options, None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            self.wrong(
                span,
                "a route has a path, a handler, and options if need be: \
                 `[\"/path\", \"controller::action\", { methods = [\"get\"] }]`",
            );
            return None;
        };
        // Each part is read, whatever is wrong with the others.
        let path = self.string(path, "the path of a route", "\"/notes/{id}\"");
        let handler = self.string(handler, "who answers a route", "\"notes_api::show\"");
        let (methods, protocol) = self.options(options)?;
        let ((path, path_origin), (handler, handler_origin)) = (path?, handler?);
        Some(RouteSpec {
            path: PathSpec {
                path,
                origin: path_origin,
            },
            handler: Handler::Named(handler),
            handler_origin,
            methods,
            protocol,
            origin: self.source.at(span),
        })
    }

    /// The methods and the protocol of a route.
    #[expect(
        clippy::type_complexity,
        reason = "two fields of a route, on their way there"
    )]
    fn options(
        &mut self,
        value: Option<Value<'_>>,
    ) -> Option<(Option<Vec<(String, Origin)>>, Option<(String, Origin)>)> {
        let Some(value) = value else {
            return Some((None, None));
        };
        let span = value.span();
        let DeValue::Table(table) = value.into_inner() else {
            self.wrong(
                span,
                "the options of a route are a table: `{ methods = [\"get\"] }`",
            );
            return None;
        };
        let settings = Setting::list(table, &self.source);
        let protocol_origin = settings
            .iter()
            .find(|setting| setting.key == "protocol")
            .map(Setting::value_origin);
        let origin = self.source.at(span);
        let options: Options = settings::read("a route", &origin, settings, self.errors)?;
        let methods = options.methods.map(|methods| {
            let placed = methods.into_iter().map(|method| {
                let origin = self.source.at(method.span());
                (method.into_inner(), origin)
            });
            placed.collect()
        });
        Some((methods, options.protocol.zip(protocol_origin)))
    }

    /// `["name", ["name", { options }], …]`.
    fn plugins(&mut self, setting: Setting<'_>) -> Vec<Arc<dyn ErasedPlugin>> {
        self.array(setting, "a list of plugins")
            .into_iter()
            .filter_map(|value| self.plugin(value))
            .collect()
    }

    fn plugin(&mut self, value: Value<'_>) -> Option<Arc<dyn ErasedPlugin>> {
        let form = "a plugin is `\"name\"` or `[\"name\", { option = … }]`";
        let span = value.span();
        let (name, name_span, options) = match value.into_inner() {
            DeValue::String(name) => (name.into_owned(), span, Vec::new()),
            DeValue::Array(parts) => {
                let mut parts = parts.into_iter();
                let (name, options, more) = (parts.next(), parts.next(), parts.next());
                let (Some(name), None) = (name, more) else {
                    self.wrong(span, form);
                    return None;
                };
                let name_span = name.span();
                let options = match options.map(Spanned::into_inner) {
                    None => Vec::new(),
                    Some(DeValue::Table(table)) => Setting::list(table, &self.source),
                    Some(_) => {
                        self.wrong(span, form);
                        return None;
                    }
                };
                let DeValue::String(name) = name.into_inner() else {
                    self.wrong(name_span, form);
                    return None;
                };
                (name.into_owned(), name_span, options)
            }
            _ => {
                self.wrong(span, form);
                return None;
            }
        };
        let origin = self.source.at(name_span);
        self.registry.plugin(&name, &origin, options, self.errors)
    }

    fn array<'i>(&mut self, setting: Setting<'i>, expected: &str) -> Vec<Value<'i>> {
        if !setting.value.get_ref().is_array() {
            self.errors.push(setting.wrong_type(expected));
        }
        match setting.value.into_inner() {
            DeValue::Array(values) => values.into_iter().collect(),
            _ => Vec::new(),
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

    fn wrong(&mut self, span: std::ops::Range<usize>, message: impl Into<String>) {
        self.errors.push(BuildError::WrongValue {
            message: message.into(),
            origin: self.source.at(span),
        });
    }
}
