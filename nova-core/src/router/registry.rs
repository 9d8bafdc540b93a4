//! What routes can name: actions, plugins and the handlers of protocols.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::de::DeserializeOwned;

use super::group::GroupPlugin;
use super::handle::Sources;
use crate::build_error::{BuildError, NameKind, listed, nearest};
use crate::config::settings::{self, Leaf, Setting, Wanted};
use crate::controller::Action;
use crate::fallback::{NamedFallback, Resolver};
use crate::mounted::Mounted;
use crate::origin::Origin;
use crate::plugin::{ErasedPlugin, NamedPlugin, Plugin};
use crate::protocol::{self, ProtocolHandler, ProtocolLimits, ReadLimits};
use crate::security::{ErasedSecurity, NamedSecurity};

/// Every name that the app's code has registered.
#[derive(Default)]
pub(crate) struct Registry {
    actions: BTreeMap<String, (Action, Origin)>,
    /// By protocol and name.
    handlers: BTreeMap<String, Handlers>,
    /// By protocol.
    limits: BTreeMap<&'static str, ReadLimits>,
    plugins: BTreeMap<String, (Registered, Origin)>,
    security: BTreeMap<String, (Arc<dyn ErasedSecurity>, Origin)>,
    apps: BTreeMap<String, (Arc<Mounted>, Origin)>,
    /// What the paths of static files in Rust are relative to: the folder of the app, or else the
    /// working directory.
    pub(crate) root: PathBuf,
    fallbacks: BTreeMap<String, (Resolver, Origin)>,
}

/// A plugin that has a name.
struct Registered {
    make: PluginFactory,
    /// Whether any list names it; `true` from the start for those that come with Nova.
    is_listed: AtomicBool,
}

type Handlers = BTreeMap<String, (Arc<dyn ProtocolHandler>, Origin)>;

/// Makes a plugin of its options, or adds what is wrong with them.
pub(crate) type PluginFactory = Box<
    dyn Fn(&str, &Origin, Vec<Setting<'_>>, &mut Vec<BuildError>) -> Option<Arc<dyn ErasedPlugin>>
        + Send
        + Sync,
>;

/// A plugin that is what it is.
pub(crate) fn plugin_without_options(plugin: impl Plugin) -> PluginFactory {
    let plugin: Arc<dyn ErasedPlugin> = Arc::new(plugin);
    Box::new(move |name, _, settings, errors| {
        if let Some(first) = settings.first() {
            errors.push(BuildError::WrongValue {
                message: format!("the plugin `{name}` takes no options"),
                origin: first.key_origin(),
            });
            return None;
        }
        Some(Arc::clone(&plugin))
    })
}

/// A plugin that is made of its options.
pub(crate) fn plugin_with_options<O, P>(
    make: impl Fn(O) -> P + Send + Sync + 'static,
) -> PluginFactory
where
    O: DeserializeOwned,
    P: Plugin,
{
    Box::new(move |name, origin, settings, errors| {
        let table = format!("the plugin `{name}`");
        let options = settings::read(&table, origin, Leaf::list(settings), Wanted::Whole, errors)?;
        Some(Arc::new(make(options)))
    })
}

impl Registry {
    pub(crate) fn add_action(
        &mut self,
        name: String,
        action: Action,
        origin: Origin,
        errors: &mut Vec<BuildError>,
    ) {
        add(
            &mut self.actions,
            NameKind::Action,
            name,
            action,
            origin,
            errors,
        );
    }

    pub(crate) fn add_handler(
        &mut self,
        protocol: &str,
        name: String,
        handler: Arc<dyn ProtocolHandler>,
        origin: Origin,
        errors: &mut Vec<BuildError>,
    ) {
        let handlers = self.handlers.entry(protocol.to_owned()).or_default();
        add(handlers, NameKind::Handler, name, handler, origin, errors);
    }

    /// Lets `limits` have those of a protocol.
    pub(crate) fn add_limits<L: ProtocolLimits>(&mut self) {
        self.limits.insert(L::PROTOCOL, protocol::read::<L>);
    }

    /// What reads the limits of this protocol.
    pub(super) fn limits(&self, protocol: &str) -> Option<ReadLimits> {
        self.limits.get(protocol).copied()
    }

    /// The protocols that have limits.
    pub(super) fn limited(&self) -> impl Iterator<Item = &'static str> {
        self.limits.keys().copied()
    }

    pub(crate) fn add_plugin(
        &mut self,
        name: String,
        plugin: PluginFactory,
        origin: Origin,
        errors: &mut Vec<BuildError>,
    ) {
        add(
            &mut self.plugins,
            NameKind::Plugin,
            name,
            Registered {
                make: plugin,
                is_listed: AtomicBool::new(false),
            },
            origin,
            errors,
        );
    }

    /// Takes the plugins that are registered so far for those that come with Nova: an app need not
    /// list them.
    pub(crate) fn plugins_are_built_in(&self) {
        for (plugin, _) in self.plugins.values() {
            plugin.is_listed.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn add_security(
        &mut self,
        name: &str,
        security: Arc<dyn ErasedSecurity>,
        origin: Origin,
        errors: &mut Vec<BuildError>,
    ) {
        let (all, kind) = (&mut self.security, NameKind::Security);
        add(all, kind, name.to_owned(), security, origin, errors);
    }

    pub(crate) fn add_app(
        &mut self,
        name: &str,
        app: Arc<Mounted>,
        origin: Origin,
        errors: &mut Vec<BuildError>,
    ) {
        let (all, kind) = (&mut self.apps, NameKind::App);
        add(all, kind, name.to_owned(), app, origin, errors);
    }

    /// The mounted app of that name; `None`, with the mistake added, if there is none.
    pub(crate) fn app(
        &self,
        name: &str,
        origin: &Origin,
        errors: &mut Vec<BuildError>,
    ) -> Option<Arc<Mounted>> {
        if let Some((app, _)) = self.apps.get(name) {
            return Some(Arc::clone(app));
        }
        let similar = nearest(name, self.apps.keys().map(String::as_str));
        let help = similar
            .is_none()
            .then(|| format!("mount it with `.mount(\"{name}\", …)`"));
        errors.push(BuildError::UnknownName {
            kind: NameKind::App,
            name: name.to_owned(),
            origin: origin.clone(),
            similar,
            help,
        });
        None
    }

    /// Adds a mistake for each plugin that no list has named so far, and for each mounted app that
    /// none of the groups has; and the same for what is mounted.
    pub(crate) fn tell_unused(&self, sources: &Sources, errors: &mut Vec<BuildError>) {
        for (name, (plugin, origin)) in &self.plugins {
            if !plugin.is_listed.load(Ordering::Relaxed) {
                errors.push(BuildError::WrongValue {
                    message: format!(
                        "the plugin `{name}` is registered and listed nowhere, so it runs for no \
                         route: name it in `plugins`"
                    ),
                    origin: origin.clone(),
                });
            }
        }
        let has = |app: &Arc<Mounted>| {
            let mut named = sources.groups().flat_map(|group| &group.apps);
            named.any(|(named, _)| Arc::ptr_eq(named, app))
        };
        for (name, (app, origin)) in &self.apps {
            if !has(app) {
                errors.push(BuildError::WrongValue {
                    message: format!(
                        "the app `{name}` is mounted, and no group has it: name it in one, with \
                         `apps = [\"{name}\"]`"
                    ),
                    origin: origin.clone(),
                });
            }
            app.registry.tell_unused(&app.sources, errors);
        }
    }

    /// The security function of that name; `None`, with the mistake added, if there is none.
    pub(crate) fn security(
        &self,
        name: &str,
        origin: &Origin,
        errors: &mut Vec<BuildError>,
    ) -> Option<NamedSecurity> {
        if let Some((code, _)) = self.security.get(name) {
            return Some(NamedSecurity {
                name: name.into(),
                code: Arc::clone(code),
            });
        }
        let similar = nearest(name, self.security.keys().map(String::as_str));
        let help = similar
            .is_none()
            .then(|| format!("register it with `.security(\"{name}\", …)`"));
        errors.push(BuildError::UnknownName {
            kind: NameKind::Security,
            name: name.to_owned(),
            origin: origin.clone(),
            similar,
            help,
        });
        None
    }

    pub(crate) fn add_fallback(
        &mut self,
        name: &str,
        fallback: Resolver,
        origin: Origin,
        errors: &mut Vec<BuildError>,
    ) {
        let (all, kind) = (&mut self.fallbacks, NameKind::Fallback);
        add(all, kind, name.to_owned(), fallback, origin, errors);
    }

    /// The fallback of that name; `None`, with the mistake added, if there is none.
    pub(crate) fn fallback(
        &self,
        name: &str,
        origin: &Origin,
        errors: &mut Vec<BuildError>,
    ) -> Option<NamedFallback> {
        if let Some((code, _)) = self.fallbacks.get(name) {
            return Some(NamedFallback {
                name: name.into(),
                code: code.clone(),
            });
        }
        let similar = nearest(name, self.fallbacks.keys().map(String::as_str));
        let help = similar
            .is_none()
            .then(|| format!("register it with `.named_fallback(\"{name}\", …)`"));
        errors.push(BuildError::UnknownName {
            kind: NameKind::Fallback,
            name: name.to_owned(),
            origin: origin.clone(),
            similar,
            help,
        });
        None
    }

    /// The action of that name; `None`, with the mistake added, if there is none.
    pub(crate) fn action(
        &self,
        name: &str,
        origin: &Origin,
        errors: &mut Vec<BuildError>,
    ) -> Option<Action> {
        if let Some((action, _)) = self.actions.get(name) {
            return Some(action.clone());
        }
        let similar = nearest(name, self.actions.keys().map(String::as_str));
        let of_protocol = self.handlers.iter().find_map(|(protocol, handlers)| {
            let meant = nearest(name, handlers.keys().map(String::as_str))?;
            (meant == name || similar.is_none()).then_some((protocol, meant))
        });
        let controller = name.split_once("::").map(|(controller, _)| controller);
        let controller = controller.or_else(|| self.is_controller(name).then_some(name));
        let siblings = controller.map(|controller| {
            let prefix = format!("{controller}::");
            let actions = self
                .actions
                .keys()
                .filter_map(|one| one.strip_prefix(&prefix));
            (controller, actions.collect::<Vec<_>>())
        });
        let help = match (of_protocol, siblings) {
            (Some((protocol, handler)), _) => Some(format!(
                "`{handler}` is a handler of the protocol `{protocol}`: add \
                 `{{ protocol = \"{protocol}\" }}` to the route"
            )),
            _ if similar.is_some() => None,
            (None, Some((controller, actions))) if !actions.is_empty() => Some(format!(
                "`{controller}` lists {} in `controller!`",
                listed(actions)
            )),
            (None, Some((controller, _))) => Some(format!(
                "register the controller `{controller}` with `.controller(…)`"
            )),
            (None, None) => Some(format!(
                "register the function with `.action(\"{name}\", …)`; an action of a controller \
                 is `controller::action`"
            )),
        };
        errors.push(BuildError::UnknownName {
            kind: NameKind::Action,
            name: name.to_owned(),
            origin: origin.clone(),
            similar,
            help,
        });
        None
    }

    fn is_controller(&self, name: &str) -> bool {
        let prefix = format!("{name}::");
        self.actions
            .keys()
            .any(|action| action.starts_with(&prefix))
    }

    /// Whether a protocol has a handler of that name.
    pub(crate) fn is_handler(&self, name: &str) -> bool {
        self.handlers
            .values()
            .any(|handlers| handlers.contains_key(name))
    }

    /// The handler of that name for `protocol`; `None`, with the mistake added, if there is none.
    pub(crate) fn handler(
        &self,
        (protocol, protocol_origin): (&str, &Origin),
        (name, origin): (&str, &Origin),
        errors: &mut Vec<BuildError>,
    ) -> Option<Arc<dyn ProtocolHandler>> {
        let call = match protocol {
            "ws" => Some("websocket"),
            "sse" => Some("event_source"),
            _ => None,
        };
        let register = call.map(|call| {
            format!(
                "register the handler with `.{call}(\"{name}\", …)` of the crate `nova-ws` \
                 (`use nova_ws::AppBuilderExt`)"
            )
        });
        let Some(handlers) = self.handlers.get(protocol) else {
            let known: Vec<&str> = self
                .handlers
                .keys()
                .map(String::as_str)
                .chain(["http"])
                .collect();
            let meant = match protocol.to_lowercase() {
                websocket if websocket.starts_with("websocket") => "ws",
                events if events.starts_with("event") || events.starts_with("server-sent") => "sse",
                _ => protocol,
            };
            let similar = nearest(meant, known.iter().copied());
            let list = similar
                .is_none()
                .then(|| format!("the protocols are {}", listed(&known)));
            errors.push(BuildError::UnknownName {
                kind: NameKind::Protocol,
                name: protocol.to_owned(),
                origin: protocol_origin.clone(),
                similar,
                help: register.or(list),
            });
            return None;
        };
        match handlers.get(name) {
            Some((handler, _)) => Some(Arc::clone(handler)),
            None => {
                let mut others = self.handlers.iter();
                let other = others.find(|(_, handlers)| handlers.contains_key(name));
                let similar = nearest(name, handlers.keys().map(String::as_str));
                let similar = similar.filter(|_| other.is_none());
                let register = match other {
                    Some((other, _)) => Some(format!(
                        "`{name}` is a handler of the protocol `{other}`: the route needs \
                         `protocol = \"{other}\"`"
                    )),
                    None if self.actions.contains_key(name) => Some(format!(
                        "`{name}` is an action, which answers by `http`: leave `protocol` out"
                    )),
                    None => register,
                };
                errors.push(BuildError::UnknownName {
                    kind: NameKind::Handler,
                    name: name.to_owned(),
                    origin: origin.clone(),
                    help: register.filter(|_| similar.is_none()),
                    similar,
                });
                None
            }
        }
    }

    /// The plugin of that name, made of `settings`; `None`, with the reason added, if it is not
    /// to be had.
    pub(crate) fn plugin(
        &self,
        name: &str,
        origin: &Origin,
        settings: Vec<Setting<'_>>,
        errors: &mut Vec<BuildError>,
    ) -> Option<NamedPlugin> {
        let Some((registered, _)) = self.plugins.get(name) else {
            let similar = nearest(name, self.plugins.keys().map(String::as_str));
            let help = similar
                .is_none()
                .then(|| format!("register it with `.plugin(\"{name}\", …)`"));
            errors.push(BuildError::UnknownName {
                kind: NameKind::Plugin,
                name: name.to_owned(),
                origin: origin.clone(),
                similar,
                help,
            });
            return None;
        };
        registered.is_listed.store(true, Ordering::Relaxed);
        let code = (registered.make)(name, origin, settings, errors)?;
        NamedPlugin::checked(name, code, origin, errors)
    }

    /// A plugin of a group in Rust: one of its own, or a registered one with its default options.
    pub(crate) fn group_plugin(
        &self,
        plugin: GroupPlugin,
        errors: &mut Vec<BuildError>,
    ) -> Option<NamedPlugin> {
        match plugin {
            GroupPlugin::Own(plugin) => plugin.is_sound(errors).then_some(plugin),
            GroupPlugin::Registered(name, origin) => {
                self.plugin(&name, &origin, Vec::new(), errors)
            }
        }
    }
}

fn add<T>(
    names: &mut BTreeMap<String, (T, Origin)>,
    kind: NameKind,
    name: String,
    value: T,
    origin: Origin,
    errors: &mut Vec<BuildError>,
) {
    match names.get(&name) {
        Some((_, first)) => errors.push(BuildError::DuplicateName {
            kind,
            name,
            origin,
            first: first.clone(),
        }),
        None => {
            names.insert(name, (value, origin));
        }
    }
}
