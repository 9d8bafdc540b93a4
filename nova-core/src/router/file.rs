//! Reads `router.toml`: past the first mistake, and with the place of every part.

use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::group::{EITHER_PLUGINS, Handler};
use super::host::Host;
use super::limits::Limits;
use super::registry::Registry;
use super::spec::{GroupSpec, Matches, PathSpec, PluginsSpec, RouteSpec};
use crate::build_error::{BuildError, NameKind, nearest};
use crate::config::settings::{self, Leaf, Setting, Wanted, type_name};
use crate::config::{Environment, bytes_or_none};
use crate::document::Document;
use crate::mounted::Mounted;
use crate::origin::{Origin, Source, SourceFile};
use crate::plugin::NamedPlugin;
use crate::security::NamedSecurity;
use crate::static_files::StaticFiles;

const TOP: [&str; 3] = ["plugins", "limits", "group"];
const GROUP: [&str; 10] = [
    "prefix",
    "host",
    "env",
    "plugins",
    "plugins_add",
    "security",
    "fallback",
    "limits",
    "routes",
    "apps",
];
const OPTIONS: [&str; 5] = ["methods", "protocol", "name", "extra", "limits"];

/// What the file says.
#[derive(Clone, Default)]
pub(crate) struct RouterFile {
    /// The global plugins.
    pub(crate) plugins: Vec<NamedPlugin>,
    /// The limits of all routes.
    pub(crate) limits: Limits,
    pub(crate) groups: Vec<Arc<GroupSpec>>,
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
            "limits" => router.limits = reader.limits(setting),
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

/// The limits of requests.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OfHttp {
    #[serde(deserialize_with = "bytes_or_none")]
    body_limit: Option<usize>,
}

/// The third part of a route tuple.
#[derive(Default)]
struct Options {
    methods: Option<Vec<(String, Origin)>>,
    protocol: Option<(String, Origin)>,
    name: Option<(String, Origin)>,
    extra: Option<Arc<serde_json::Value>>,
    limits: Limits,
    /// Something in it could not be read, so it says less than its author meant.
    incomplete: bool,
}

type Value<'i> = Spanned<DeValue<'i>>;

impl Reader<'_> {
    fn groups(&mut self, setting: Setting<'_>) -> Vec<Arc<GroupSpec>> {
        let mut groups = Vec::new();
        for value in self.array(setting, "a list of groups, each a `[[group]]`") {
            let span = value.span();
            match value.into_inner() {
                DeValue::Table(table) => groups.push(Arc::new(self.group(table))),
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
        let mut added = None;
        for setting in Setting::list(table, self.source) {
            match &*setting.key {
                "prefix" => {
                    let prefix = self.string(setting.value, "a prefix", "\"/api\"");
                    group.prefix = Some(prefix.map(|(path, origin)| PathSpec { path, origin }));
                }
                "host" => group.host = Some(self.host(setting.value)),
                "env" => group.environments = self.environments(setting.value),
                "plugins" => group.plugins = PluginsSpec::Own(self.plugins(setting).into()),
                "plugins_add" => {
                    let origin = setting.key_origin();
                    added = Some((self.plugins(setting), origin));
                }
                "security" => group.security = self.security(setting.value),
                "fallback" => {
                    let name = self.string(setting.value, "a fallback", "\"note_errors\"");
                    group.fallback = name.and_then(|(name, origin)| {
                        self.registry.fallback(&name, &origin, self.errors)
                    });
                }
                "limits" => group.limits = self.limits(setting),
                "routes" => {
                    let routes = self.array(setting, "a list of routes, each a `[path, handler]`");
                    let routes = routes.into_iter().filter_map(|value| self.route(value));
                    group.routes = routes.collect();
                }
                key if OPTIONS.contains(&key) => {
                    let home = "the options of a route: `[path, handler, { … }]`";
                    self.errors.push(setting.misplaced(home));
                }
                "apps" => {
                    let apps = self.array(setting, "a list of mounted apps, such as `[\"admin\"]`");
                    let apps = apps.into_iter().filter_map(|app| self.app(app));
                    group.apps = apps.collect();
                }
                _ => self.errors.push(setting.unknown_key("a group", &GROUP)),
            }
        }
        match (added, &group.plugins) {
            (None, _) => {}
            (Some((_, origin)), PluginsSpec::Own(_)) => {
                let message = EITHER_PLUGINS.to_owned();
                self.errors.push(BuildError::WrongValue { message, origin });
            }
            (Some((added, _)), _) => group.plugins = PluginsSpec::GlobalAnd(added),
        }
        group
    }

    fn host(&mut self, value: Value<'_>) -> Option<Host> {
        let (host, origin) = self.string(value, "a host", "\"example.com\"")?;
        let wrong = |message| BuildError::WrongValue { message, origin };
        let read = Host::parse(&host).map_err(wrong);
        read.map_err(|error| self.errors.push(error)).ok()
    }

    fn app(&mut self, value: Value<'_>) -> Option<(Arc<Mounted>, Origin)> {
        let (name, origin) = self.string(value, "a mounted app", "\"admin\"")?;
        let mounted = self.registry.app(&name, &origin, self.errors)?;
        Some((mounted, origin))
    }

    /// `"dev"`, or a list of such names.
    fn environments(&mut self, value: Value<'_>) -> Option<Vec<Environment>> {
        let span = value.span();
        let names = match value.into_inner() {
            DeValue::Array(names) => names.into_iter().collect(),
            one => vec![Spanned::new(span.clone(), one)],
        };
        if names.is_empty() {
            self.wrong(
                span,
                "a group for no environment has no routes: leave `env` out for all",
            );
        }
        let mut environments = Vec::new();
        for name in names {
            let what = "the environment of a group";
            let Some((name, origin)) = self.string(name, what, "\"dev\"") else {
                continue;
            };
            match Environment::named(&name) {
                Some(environment) => environments.push(environment),
                None => self.errors.push(BuildError::UnknownName {
                    kind: NameKind::Environment,
                    similar: nearest(&name, Environment::ALL.map(Environment::name)),
                    name,
                    origin,
                    help: None,
                }),
            }
        }
        Some(environments)
    }

    /// `{ body_limit = 10_485_760 }`.
    fn limits(&mut self, setting: Setting<'_>) -> Limits {
        let origin = setting.key_origin();
        let wrong_type = setting.wrong_type("a table, such as `{ body_limit = 10_485_760 }`");
        let DeValue::Table(table) = setting.value.into_inner() else {
            self.errors.push(wrong_type);
            return Limits::default();
        };
        let mut limits = Limits::default();
        let mut of_http = Vec::new();
        for setting in Setting::list(table, self.source) {
            match self.registry.limits(&setting.key) {
                Some(read) => limits.protocols.extend(read(setting, self.errors)),
                None if setting.key == "body_limit" => of_http.push(setting),
                None => {
                    let known = ["body_limit"].into_iter().chain(self.registry.limited());
                    let known: Vec<&str> = known.collect();
                    self.errors.push(setting.unknown_key("`limits`", &known));
                }
            }
        }
        let leaves = Leaf::list(of_http);
        let read = settings::read("`limits`", &origin, leaves, Wanted::Whole, self.errors);
        limits.body = read.and_then(|OfHttp { body_limit }| body_limit);
        limits
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

    /// `["/path", "handler"]` or `["/path", "handler", { options }]`, or `[404, "handler"]`. Each part
    /// is read, whatever is wrong with the others.
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
        let matches = match parts.next() {
            Some(part) => self.path_or_status(part),
            None => Matches::Path(None),
        };
        let handler = parts.next().and_then(|handler| self.handler(handler));
        let options = parts.next().map(|options| self.options(options));
        let options = options.unwrap_or_default();
        let (handler, handler_origin) = handler?;
        if let Handler::Named(name) = &handler
            && options.incomplete
            && options.protocol.is_none()
            && self.registry.is_handler(name)
        {
            return None; // the protocol is what could not be read
        }
        Some(RouteSpec {
            // Without a path, the table checks the other parts and leaves the route out.
            matches: match matches {
                Matches::Path(_) if options.incomplete => Matches::Path(None),
                matches => matches,
            },
            handler,
            handler_origin,
            methods: options.methods,
            protocol: options.protocol,
            name: options.name,
            extra: options.extra,
            limits: options.limits,
            origin: self.source.at(span),
        })
    }

    /// Who answers a route: a name, or the table of static files.
    fn handler(&mut self, value: Value<'_>) -> Option<(Handler, Origin)> {
        let origin = self.source.at(value.span());
        if let DeValue::Table(_) = value.get_ref() {
            let DeValue::Table(table) = value.into_inner() else {
                return None;
            };
            let files = self.files(table, &origin)?;
            return Some((Handler::Files(files), origin));
        }
        let (name, origin) = self.string(value, "who answers a route", "\"notes_api::show\"")?;
        Some((Handler::Named(name), origin))
    }

    /// `{ dir = "priv/assets" }`; paths are relative to the file.
    fn files(&mut self, table: DeTable<'_>, origin: &Origin) -> Option<StaticFiles> {
        let settings = Setting::list(table, self.source);
        let places: Vec<_> = settings
            .iter()
            .map(|setting| (setting.key.clone(), setting.value_origin()))
            .collect();
        let place = |key: &str| {
            let known = places.iter().find(|(own, _)| own == key);
            known.map_or(origin, |(_, place)| place).clone()
        };
        let (table, leaves) = ("the table of static files", Leaf::list(settings));
        let written = settings::read(table, origin, leaves, Wanted::Whole, self.errors)?;
        let files = StaticFiles::of(written);
        Some(files.checked(self.source.folder(), place, self.errors))
    }

    /// What a route is for; `Path(None)` for what cannot be read.
    fn path_or_status(&mut self, value: Value<'_>) -> Matches {
        let span = value.span();
        if let DeValue::Integer(number) = value.get_ref() {
            let Ok(status) = number.as_str().parse() else {
                self.wrong(span, "a status page is for a status from 400 to 599");
                return Matches::Path(None);
            };
            return Matches::Status(status, self.source.at(span));
        }
        if let DeValue::String(text) = value.get_ref()
            && let Ok(status @ 400..=599) = text.parse::<u16>()
        {
            self.wrong(
                span,
                format!("a status page has its status without quotes: `{status}`"),
            );
            return Matches::Path(None);
        }
        let path = self.string(value, "the path of a route", "\"/notes/{id}\"");
        Matches::Path(path.map(|(path, origin)| PathSpec { path, origin }))
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
                "limits" => options.limits = self.limits(setting),
                "protocol" => {
                    options.protocol = self.string(setting.value, "a protocol", "\"ws\"");
                }
                "name" => {
                    options.name = self.string(setting.value, "the name of a route", "\"note\"");
                }
                "extra" => match json(setting.value.get_ref()) {
                    Some(extra) => options.extra = Some(Arc::new(extra)),
                    None => {
                        let message = "a number in `extra` has at most 64 bits, and is finite";
                        self.wrong(setting.value.span(), message);
                    }
                },
                key if GROUP.contains(&key) => {
                    let home = "the route's `[[group]]`: a route of its own has a group of its own";
                    self.errors.push(setting.misplaced(home));
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
        let written = self.source.text(span.clone());
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
        let plugin = self.registry.plugin(&name, &origin, options, self.errors)?;
        Some(NamedPlugin {
            written: written.into(),
            ..plugin
        })
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

/// What a route's `extra` is to the controller, which reads its own type from it; `None` if a
/// number in it is none that JSON has.
fn json(value: &DeValue<'_>) -> Option<serde_json::Value> {
    Some(match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Boolean(value) => (*value).into(),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .ok()?
            .into(),
        DeValue::Float(number) => {
            let number = number.as_str().parse::<f64>().ok()?;
            serde_json::Number::from_f64(number)?.into()
        }
        DeValue::Datetime(time) => time.to_string().into(),
        DeValue::Array(values) => {
            let values = values.iter().map(|value| json(value.get_ref()));
            values.collect::<Option<_>>()?
        }
        DeValue::Table(table) => {
            let entries = table.iter();
            let entries = entries
                .map(|(key, value)| Some((key.get_ref().to_string(), json(value.get_ref())?)));
            serde_json::Value::Object(entries.collect::<Option<_>>()?)
        }
    })
}
