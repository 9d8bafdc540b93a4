//! From what a program has said of its app, and of the apps that it mounts, to the app.

use std::any::TypeId;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::{App, AppBuilder, Core, PUBSUB, Shared};
use crate::build_error::{BuildError, BuildErrors};
use crate::config;
use crate::mounted::{Mounted, Parts};
use crate::origin::{Source, SourceFile};
use crate::router::{self, Router, Sources};
use crate::server::health::{Check, Health};
use crate::service::NamedService;
use crate::session::Sweep;
use crate::views::Views;

impl AppBuilder {
    /// Puts the app together.
    ///
    /// # Errors
    /// Everything that is wrong with the code, the settings and the routes, with its place. The
    /// environment variables `NOVA_…` are read here, and can be wrong too.
    pub fn build(mut self) -> Result<App, BuildErrors> {
        let mut errors = std::mem::take(&mut self.errors);
        let variables = self.variables(&mut errors);
        let config_file = SourceFile::read_named(self.config_file.as_ref(), &mut errors);
        let mut secrets: Option<Vec<String>> =
            self.app_settings.as_ref().map(|app| app.secrets.clone());
        let mut mounted = Vec::new();
        for settings in &mut self.mounted_settings {
            errors.append(&mut settings.errors);
            mounted.push(&*settings.name);
            if !settings.secrets.is_empty() {
                let secrets = secrets.get_or_insert_default();
                secrets.extend(settings.secrets.iter().cloned());
            }
        }
        let read_by_app = (secrets.as_deref(), &*mounted);
        let mut config = config::read(config_file.as_ref(), &variables, read_by_app, &mut errors);
        if let Some(app) = self.app_settings.take() {
            errors.extend(app.errors);
            if self
                .config_file
                .as_ref()
                .is_some_and(|(file, _)| Some(file) != app.file.as_ref())
            {
                errors.push(BuildError::WrongValue {
                    message:
                        "the settings are read before their file is named: call `.settings()` \
                              after `.root(…)`"
                            .to_owned(),
                    origin: app.origin,
                });
            }
            config.app = Some(app.value);
        }

        let sessions = Self::sessions(self.session_store.as_ref(), &config, &mut errors);
        let has_store = self.session_store.is_some();
        let before = errors.len();
        let (router_file, layers) = (self.router_file.clone(), self.layers.take());
        let mut assembly = Assembly {
            errors: &mut errors,
            services: Vec::new(),
            checks: Vec::new(),
            mounted: Vec::new(),
        };
        let Mounted {
            parts,
            registry,
            sources,
        } = assembly.assemble(self, "", &[]);
        let Assembly {
            mut services,
            checks,
            mounted,
            ..
        } = assembly;
        let table = sources.compile(config.environment, &registry, &mut errors);
        if errors.len() == before {
            sources.check_uses("", &table, &mut errors);
        }
        // What cannot be read may be what names it.
        if errors.is_empty() {
            registry.tell_unused(&sources, &mut errors);
        }
        if !errors.is_empty() {
            return Err(BuildErrors::new(errors));
        }
        let router = Router::new(table, sources, registry, config.environment, router_file);
        for parts in mounted.iter().chain([&parts]) {
            parts.give_paths(&router);
        }
        let shared = Arc::new(Shared::new(&config, router, sessions));
        if has_store {
            services.push(NamedService {
                name: "sessions".to_owned(),
                service: Arc::new(Sweep(Arc::clone(&shared.sessions))),
            });
        }
        Ok(App {
            core: Arc::new(Core {
                health: Health::new(checks, &config),
                shared,
                layers,
                parts,
                config,
            }),
            services,
        })
    }
}

/// Apps that are put together: the one that is served, and those that are mounted in it.
struct Assembly<'e> {
    errors: &'e mut Vec<BuildError>,
    /// In the order in which they start.
    services: Vec<NamedService>,
    checks: Vec<Check>,
    mounted: Vec<Arc<Parts>>,
}

impl Assembly<'_> {
    /// Puts together the app that is called `name`, as seen from the one that is served, and those
    /// that are mounted in it. `makers` have made the apps around it.
    fn assemble(&mut self, app: AppBuilder, name: &str, makers: &[TypeId]) -> Mounted {
        let mut registry = app.registry;
        let services = app.services.into_iter().map(|(service, _)| service);
        self.services.extend(services.filter_map(|service| {
            let is_everybodys = service.name == PUBSUB;
            match name {
                "" => Some(service),
                _ if is_everybodys => None,
                name => Some(NamedService {
                    name: format!("{name}::{}", service.name),
                    ..service
                }),
            }
        }));
        let checks = app.checks.into_iter().map(|(check, _)| check);
        self.checks.extend(checks.map(|check| match name {
            "" => check,
            name => Check {
                name: format!("{name}::{}", check.name),
                ..check
            },
        }));
        for mount in app.mounts {
            let mounts_itself = makers.contains(&mount.made_by);
            if mounts_itself {
                let through = match makers.last() == Some(&mount.made_by) {
                    true => String::new(),
                    false => format!(" through `{name}`"),
                };
                self.errors.push(BuildError::WrongValue {
                    message: format!("the app `{}` mounts itself{through}", mount.name),
                    origin: mount.origin.clone(),
                });
            }
            let full_name = match name {
                "" => mount.name.clone(),
                outer => format!("{outer}::{}", mount.name),
            };
            // An empty one in place of what would go round: the groups that name it are right.
            let mut inner = match mounts_itself {
                true => App::builder(),
                false => (mount.make)(),
            };
            self.errors.append(&mut inner.errors);
            if let Some(settings) = &inner.app_settings {
                self.errors.push(BuildError::WrongValue {
                    message: format!(
                        "a mounted app gets its settings from who mounts it: read them there, with \
                         `.settings_of::<T>(\"{}\")`",
                        mount.name
                    ),
                    origin: settings.origin.clone(),
                });
            }
            if let Some((_, origin)) = &inner.session_store {
                self.errors.push(BuildError::WrongValue {
                    message: format!(
                        "the app `{}` has a store for sessions, and a client has one session with all \
                         apps: let who mounts it name the store",
                        mount.name
                    ),
                    origin: origin.clone(),
                });
            }
            if inner.layers.is_some() {
                self.errors.push(BuildError::WrongValue {
                    message: format!(
                        "the app `{}` has a layer, and layers are around an app that is served: let \
                         who mounts it add the layer",
                        mount.name
                    ),
                    origin: mount.origin.clone(),
                });
            }
            let makers: Vec<TypeId> = makers.iter().copied().chain([mount.made_by]).collect();
            let inner = self.assemble(inner, &full_name, &makers);
            self.mounted.push(Arc::clone(&inner.parts));
            registry.add_app(&mount.name, Arc::new(inner), mount.origin, self.errors);
        }
        let views = app
            .views
            .as_ref()
            .map(|(folder, origin)| Views::read(folder, origin, self.errors))
            .unwrap_or_default();
        let router_file = SourceFile::read_named(app.router_file.as_ref(), self.errors);
        let file = router_file.map(|file| router::file::read(&file, &registry, self.errors));
        let sources = Sources {
            plugins: app
                .global_plugins
                .into_iter()
                .filter_map(|plugin| registry.group_plugin(plugin, self.errors))
                .collect(),
            limits: app.limits,
            groups: app
                .groups
                .into_iter()
                .map(|group| Arc::new(group.into_spec(&registry, self.errors)))
                .collect(),
            file: file.unwrap_or_default(),
            uses: views.uses().to_vec(),
        };
        let parts = Parts {
            name: name.to_owned(),
            views: ArcSwap::from_pointee(views),
            replies: app.replies,
            error_mappings: app.error_mappings,
            fallback: app.fallback.map(|(fallback, _)| fallback),
        };
        Mounted {
            parts: Arc::new(parts),
            registry,
            sources,
        }
    }
}

/// The environment variables of ours.
pub(crate) fn variables(errors: &mut Vec<BuildError>) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    for (name, value) in std::env::vars_os() {
        let Some(name) = name
            .into_string()
            .ok()
            .filter(|name| name.starts_with("NOVA_"))
        else {
            continue;
        };
        match value.into_string() {
            Ok(value) => variables.push((name, value)),
            Err(_) => errors.push(BuildError::WrongValue {
                message: "the value is not UTF-8".to_owned(),
                origin: Source::Variable(name.into()).at(0..0),
            }),
        }
    }
    variables
}
