//! Reads `nova.toml` and the environment variables into a [`Config`], over the defaults.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde::de::DeserializeOwned;
use serde_aux::serde_introspection::serde_introspect;
use toml::de::{DeTable, DeValue};
use tracing::warn;

use super::secret;
use super::settings::{self, Leaf, Setting, Wanted};
use super::{Config, Environment, InForce, LogConfig, ServerConfig, SessionConfig};
use crate::build_error::{BuildError, NameKind, listed, nearest};
use crate::document::Document;
use crate::origin::{Origin, Source, SourceFile};

/// The defaults, as the reference page shows them.
const DEFAULTS: &str = include_str!("default.toml");

/// The tables that can stand at the top of the file, or below an environment.
const TABLES: [&str; 5] = ["server", "log", "session", APP, APPS];
/// The table of the app's own settings.
const APP: &str = "app";
/// The table with one table of settings for each app that is mounted.
const APPS: &str = "apps";

/// The keys of Nova's tables.
static KEYS: LazyLock<[(&str, &[&str]); 3]> = LazyLock::new(|| {
    [
        ("server", serde_introspect::<ServerConfig>()),
        ("log", serde_introspect::<LogConfig>()),
        ("session", serde_introspect::<SessionConfig>()),
    ]
});

/// The values of one table from one place.
struct Layer<'i> {
    table: &'static str,
    /// As a reader would write it, such as `[dev.server]`.
    name: String,
    /// The environment that it is for, if it is for one only.
    environment: Option<Environment>,
    leaves: Vec<Leaf<'i>>,
    origin: Origin,
}

/// All that is said about settings: by the defaults, `nova.toml` and the variables.
struct Layers<'i> {
    environment: Environment,
    /// The weakest first.
    layers: Vec<Layer<'i>>,
}

/// Reads the settings, and adds all that is wrong with them to `errors`; if anything is, the
/// result has the defaults.
///
/// `variables` are those of the process: `NOVA_ENV`, and the settings among them. The app's own
/// settings are read by [`read_app`] and [`read_mounted`], which give the secrets in them; if nobody
/// does, there should be no such settings. `mounted` are the names of the apps whose settings were
/// read.
pub(crate) fn read(
    file: Option<&Arc<SourceFile>>,
    variables: &[(String, String)],
    (app_secrets, mounted): (Option<&[String]>, &[&str]),
    errors: &mut Vec<BuildError>,
) -> Config {
    let document = file.map(|file| Document::read(file, &[], errors));
    let layers = Layers::gather(document.as_ref(), variables, errors);
    let app = layers.of(APP).filter(|layer| !layer.leaves.is_empty());
    if app_secrets.is_none() {
        errors.extend(app.map(|layer| BuildError::WrongValue {
            message: format!(
                "nobody reads {}: the app does so with `.settings::<T>()`",
                layer.name
            ),
            origin: layer.origin.clone(),
        }));
    }
    for layer in layers.of(APPS) {
        let mut told: Vec<&str> = mounted.to_vec();
        for leaf in &layer.leaves {
            let name = &*leaf.path[0];
            if !told.contains(&name) {
                told.push(name);
                errors.push(BuildError::WrongValue {
                    message: format!(
                        "nobody reads the settings of an app `{name}`: who mounts it does so with \
                         `.settings_of::<T>(\"{name}\")`"
                    ),
                    origin: leaf.origin(),
                });
            }
        }
    }
    variables.iter().for_each(|(name, _)| warn_of_slip(name));
    let config = layers.config(app_secrets.unwrap_or_default(), errors);
    layers.check("server", ServerConfig::contradictions, errors);
    layers.check("session", SessionConfig::contradictions, errors);
    config.unwrap_or_else(|| Config::defaults(layers.environment))
}

/// Reads the app's own settings as a `T`, and gives the secrets in it; what is wrong with the
/// others is told by [`read`].
pub(crate) fn read_app<T: DeserializeOwned>(
    file: Option<&Arc<SourceFile>>,
    variables: &[(String, String)],
    errors: &mut Vec<BuildError>,
) -> (Option<T>, Vec<String>) {
    let told_by_read = &mut Vec::new();
    let document = file.map(|file| Document::read(file, &[], told_by_read));
    let layers = Layers::gather(document.as_ref(), variables, told_by_read);
    secret::seen_in(|| layers.table(APP, errors))
}

/// Reads the settings of the app that is mounted as `name`, from its table in `[apps]`, and gives the
/// secrets in them; what is wrong with the others is told by [`read`].
pub(crate) fn read_mounted<T: DeserializeOwned>(
    name: &str,
    file: Option<&Arc<SourceFile>>,
    variables: &[(String, String)],
    errors: &mut Vec<BuildError>,
) -> (Option<T>, Vec<String>) {
    let told_by_read = &mut Vec::new();
    let document = file.map(|file| Document::read(file, &[], told_by_read));
    let mut layers = Layers::gather(document.as_ref(), variables, told_by_read);
    for layer in &mut layers.layers {
        if layer.table == APPS {
            if let Some(table) = layer.name.strip_suffix("]`") {
                layer.name = format!("{table}.{name}]`");
            }
            let leaves = std::mem::take(&mut layer.leaves).into_iter();
            let of_app = leaves.filter(|leaf| leaf.path[0] == name);
            layer.leaves = of_app.filter_map(|leaf| leaf.below_first(errors)).collect();
        }
    }
    secret::seen_in(|| layers.table(APPS, errors))
}

impl Config {
    /// What the variables alone say, for the time before the file is read. Mistakes are told then.
    pub(crate) fn before_it_is_read(variables: &[(String, String)]) -> Self {
        let untold = &mut Vec::new();
        let layers = Layers::gather(None, variables, untold);
        let config = layers.config(&[], untold);
        config.unwrap_or_else(|| Config::defaults(layers.environment))
    }

    /// The defaults for an environment.
    pub(super) fn defaults(environment: Environment) -> Self {
        let layers = Layers {
            environment,
            layers: layers_of_defaults(),
        };
        let config = layers.config(&[], &mut Vec::new());
        config.expect("the defaults are right, as a test finds")
    }
}

impl<'i> Layers<'i> {
    fn gather(
        document: Option<&'i Document>,
        variables: &'i [(String, String)],
        errors: &mut Vec<BuildError>,
    ) -> Self {
        let environment = environment(variables, errors);
        let mut layers = layers_of_defaults();
        if let Some(document) = document {
            layers_of_file(document.settings(), &mut layers, errors);
        }
        layers_of_variables(variables, &mut layers, errors);
        Layers {
            environment,
            layers,
        }
    }

    fn config(&self, secrets: &[String], errors: &mut Vec<BuildError>) -> Option<Config> {
        // Each is read, whatever is wrong with the others.
        let server = self.table("server", errors);
        let log = self.table("log", errors);
        let session = self.table("session", errors);
        let server: ServerConfig = server?;
        let leaves = self.effective("server");
        let origin = |key: &str| {
            let leaf = leaves.iter().find(|leaf| leaf.path.join(".") == key);
            leaf.map(Leaf::origin)
        };
        Some(Config {
            environment: self.environment,
            server: server.with_whole_paths(origin),
            log: log?,
            session: session?,
            app: None,
            in_force: Arc::new(self.in_force(secrets)),
        })
    }

    /// The table as a `T`. Each layer is checked, those of the other environment too: a mistake in
    /// `[prod.server]` should not wait for the day of the deployment.
    fn table<T: DeserializeOwned>(&self, table: &str, errors: &mut Vec<BuildError>) -> Option<T> {
        let before = errors.len();
        for layer in self.of(table) {
            let mut found = Vec::new();
            let leaves = layer.leaves.clone();
            settings::read::<T>(&layer.name, &layer.origin, leaves, Wanted::Part, &mut found);
            // What is no part may still be right on top of the others: a variant of an enum.
            if !found.is_empty() && !self.is_right_on_top::<T>(layer) {
                errors.extend(found);
            }
        }
        if errors.len() > before {
            return None;
        }
        let name = format!("`[{table}]`");
        // A key that is missing is missing where the app's author would look first.
        let file = self.of(table).find(|layer| !layer.origin.is_default());
        let origin = file.map_or(Source::Defaults(DEFAULTS).at(0..0), |layer| {
            layer.origin.clone()
        });
        settings::read(&name, &origin, self.effective(table), Wanted::Whole, errors)
    }

    /// Whether the layers up to this one make a whole `T` together.
    fn is_right_on_top<T: DeserializeOwned>(&self, layer: &Layer<'i>) -> bool {
        let environment = layer.environment.unwrap_or(self.environment);
        let below = self
            .of(layer.table)
            .take_while(|below| !std::ptr::eq(*below, layer));
        let leaves = effective(below.chain([layer]), environment);
        let untold = &mut Vec::new();
        settings::read::<T>(&layer.name, &layer.origin, leaves, Wanted::Whole, untold).is_some()
    }

    /// Finds what does not go together in a table, in each environment. Variables are for the one that
    /// runs.
    fn check<T: DeserializeOwned>(
        &self,
        table: &str,
        contradictions: impl Fn(&T) -> Vec<(&'static str, String)>,
        errors: &mut Vec<BuildError>,
    ) {
        let mut told = Vec::new();
        for environment in Environment::ALL {
            let runs = environment == self.environment;
            let layers = self.of(table);
            let layers = layers.filter(|layer| runs || !layer.origin.is_variable());
            let leaves = effective(layers, environment);
            let origins: BTreeMap<_, _> = leaves
                .iter()
                .map(|leaf| (leaf.path.join("."), leaf.origin()))
                .collect();
            let (untold, origin) = (&mut Vec::new(), Source::Defaults(DEFAULTS).at(0..0));
            let Some(config) = settings::read::<T>(
                &format!("`[{table}]`"),
                &origin,
                leaves,
                Wanted::Whole,
                untold,
            ) else {
                continue;
            };
            for (key, message) in contradictions(&config) {
                let origin = origins.get(key).unwrap_or(&origin).clone();
                let place = (message.clone(), origin.to_string());
                if !told.contains(&place) {
                    told.push(place);
                    errors.push(BuildError::WrongValue { message, origin });
                }
            }
        }
    }

    /// What counts.
    fn effective(&self, table: &str) -> Vec<Leaf<'i>> {
        effective(self.of(table), self.environment)
    }

    fn of<'l>(&'l self, table: &'l str) -> impl Iterator<Item = &'l Layer<'i>> {
        self.layers.iter().filter(move |layer| layer.table == table)
    }

    fn in_force(&self, secrets: &[String]) -> BTreeMap<String, InForce> {
        let tables = TABLES.iter().flat_map(|table| {
            let leaves = self.effective(table);
            leaves.into_iter().map(move |leaf| {
                let value = leaf.shown(secrets);
                let origin = leaf.origin();
                (
                    format!("{table}.{}", leaf.path.join(".")),
                    InForce { value, origin },
                )
            })
        });
        tables.collect()
    }
}

/// What counts in `environment`: a later layer has the last word on each key.
fn effective<'l, 'i: 'l>(
    layers: impl Iterator<Item = &'l Layer<'i>>,
    environment: Environment,
) -> Vec<Leaf<'i>> {
    let mut effective = Vec::new();
    for layer in layers.filter(|layer| layer.environment.is_none_or(|of| of == environment)) {
        for leaf in &layer.leaves {
            leaf.clone().beat(&mut effective);
        }
    }
    effective
}

fn environment(variables: &[(String, String)], errors: &mut Vec<BuildError>) -> Environment {
    // One that is empty is like none: so do files that pass variables on.
    let is_set = |(name, value): &&(String, String)| name == "NOVA_ENV" && !value.is_empty();
    let Some((variable, value)) = variables.iter().find(is_set) else {
        return Environment::default();
    };
    let names = Environment::ALL.map(Environment::name);
    match Environment::named(value) {
        Some(environment) => environment,
        None => {
            let similar = nearest(value, names);
            errors.push(BuildError::UnknownName {
                kind: NameKind::Environment,
                name: value.clone(),
                origin: Source::Variable(variable.as_str().into()).at(0..0),
                similar: similar.clone(),
                help: similar
                    .is_none()
                    .then(|| format!("the environments are {}", listed(names))),
            });
            Environment::default()
        }
    }
}

fn layers_of_defaults<'i>() -> Vec<Layer<'i>> {
    let (defaults, _) = DeTable::parse_recoverable(DEFAULTS);
    let settings = Setting::list(defaults.into_inner(), &Source::Defaults(DEFAULTS));
    let mut layers = Vec::new();
    layers_of_file(settings, &mut layers, &mut Vec::new());
    layers
}

/// The tables of a file, those for all environments first.
fn layers_of_file<'i>(
    settings: Vec<Setting<'i>>,
    layers: &mut Vec<Layer<'i>>,
    errors: &mut Vec<BuildError>,
) {
    let (environments, tables): (Vec<_>, Vec<_>) = settings
        .into_iter()
        .partition(|setting| Environment::named(&setting.key).is_some());
    let environment_names = Environment::ALL.map(Environment::name);
    let known: Vec<_> = TABLES.into_iter().chain(environment_names).collect();
    for setting in tables {
        layers.extend(layer(setting, None, ("the file", &known), errors));
    }
    for setting in environments {
        let environment = Environment::named(&setting.key);
        let above = format!("`[{}]`", setting.key);
        for setting in table(setting, errors).unwrap_or_default() {
            layers.extend(layer(setting, environment, (&above, &TABLES), errors));
        }
    }
}

/// What stands at the top of the file or below an environment, if it is one of our tables.
fn layer<'i>(
    setting: Setting<'i>,
    environment: Option<Environment>,
    (place, known): (&str, &[&str]),
    errors: &mut Vec<BuildError>,
) -> Option<Layer<'i>> {
    let named = |table: &str| match environment {
        Some(environment) => format!("`[{environment}.{table}]`"),
        None => format!("`[{table}]`"),
    };
    let Some(name) = TABLES.into_iter().find(|name| *name == setting.key) else {
        let home = KEYS.iter().find(|(_, keys)| keys.contains(&&*setting.key));
        errors.push(match home {
            Some((home, _)) => setting.misplaced(&named(home)),
            None => setting.unknown_key(place, known),
        });
        return None;
    };
    Some(Layer {
        table: name,
        name: named(name),
        environment,
        origin: setting.key_origin(),
        leaves: Leaf::list(table(setting, errors)?),
    })
}

fn table<'i>(setting: Setting<'i>, errors: &mut Vec<BuildError>) -> Option<Vec<Setting<'i>>> {
    let wrong_type = setting.wrong_type("a table");
    match setting.value.into_inner() {
        DeValue::Table(table) => Some(Setting::list(table, &setting.source)),
        _ => {
            errors.push(wrong_type);
            None
        }
    }
}

/// Each `NOVA_<TABLE>__<KEY>` is a layer of its own, and further `__` lead into tables in tables.
/// Other names are other programs'.
fn layers_of_variables<'i>(
    variables: &'i [(String, String)],
    layers: &mut Vec<Layer<'i>>,
    errors: &mut Vec<BuildError>,
) {
    for (variable, value) in variables {
        let parts = variable
            .strip_prefix("NOVA_")
            .map(|name| name.split_once("__"));
        let Some(Some((table, keys))) = parts else {
            continue;
        };
        let source = Source::Variable(variable.as_str().into());
        let origin = source.at(0..0);
        let lower = table.to_lowercase();
        if Environment::named(&lower).is_some() {
            errors.push(BuildError::WrongValue {
                message: format!(
                    "a variable is for the environment that runs: write `NOVA_{keys}` without \
                     `{table}__`"
                ),
                origin,
            });
            continue;
        }
        let Some(table) = TABLES.into_iter().find(|name| *name == lower) else {
            errors.push(BuildError::UnknownKey {
                similar: nearest(&lower, TABLES),
                key: lower,
                table: "`nova.toml`".to_owned(),
                origin,
                known: TABLES.map(str::to_owned).to_vec(),
            });
            continue;
        };
        let path = keys.split("__").map(str::to_lowercase).collect();
        layers.push(Layer {
            table,
            name: format!("`[{table}]`"),
            environment: None,
            leaves: vec![Leaf::of_variable(path, value, source)],
            origin,
        });
    }
}

/// `NOVA_LISTEN` and `NOVA_SERVER_LISTEN` may be another program's, but most likely are slips.
fn warn_of_slip(variable: &str) {
    if variable.contains("__") {
        return;
    }
    let name = variable.trim_start_matches("NOVA_").to_lowercase();
    for (table, keys) in KEYS.iter() {
        let key = name.strip_prefix(&format!("{table}_")).unwrap_or(&name);
        if keys.contains(&key) {
            let right = format!("NOVA_{table}__{key}").to_uppercase();
            warn!("{variable} is no setting and counts for nothing; {right} is one");
        }
    }
}

#[cfg(test)]
mod tests;
