//! Reads `nova.toml` and the environment variables into a [`Config`].

use std::sync::Arc;

use serde_aux::serde_introspection::serde_introspect;
use toml::Spanned;
use toml::de::DeValue;
use tracing::warn;

use super::settings::{self, Setting};
use super::{Config, Environment, ServerConfig};
use crate::build_error::{BuildError, NameKind, listed, nearest};
use crate::document::Document;
use crate::origin::{Origin, Source, SourceFile};

/// The tables that can stand at the top of the file, or below an environment.
const TABLES: [&str; 1] = ["server"];

/// Settings of one table from one place.
struct Layer<'i> {
    /// As a reader would write it, such as `[dev.server]`.
    name: String,
    /// The environment that it is for, if it is for one only.
    environment: Option<Environment>,
    settings: Vec<Setting<'i>>,
    origin: Origin,
}

/// Reads the settings, and adds all that is wrong with them to `errors`; if anything is, the
/// result has the defaults.
///
/// `variables` are those of the process: `NOVA_ENV`, and the settings among them.
pub(crate) fn read(
    file: Option<&Arc<SourceFile>>,
    variables: &[(String, String)],
    errors: &mut Vec<BuildError>,
) -> Config {
    let before = errors.len();
    let environment = environment(variables, errors);
    let mut layers = Vec::new();
    let document = file.map(|file| Document::read(file, &[], errors));
    if let Some(document) = &document {
        layers_of_file(document, &mut layers, errors);
    }
    layers_of_variables(variables, &mut layers, errors);

    // Every layer is checked, those of the other environment too: a mistake in `[prod.server]`
    // should not wait for the day of the deployment.
    for layer in &layers {
        let settings = layer.settings.clone();
        settings::read::<ServerConfig>(&layer.name, &layer.origin, settings, errors);
    }
    if errors.len() > before {
        return Config {
            environment,
            ..Config::default()
        };
    }
    Config {
        environment,
        server: effective(layers, environment, errors),
    }
}

/// What counts in `environment`: a later layer has the last word on each key.
fn effective(
    layers: Vec<Layer<'_>>,
    environment: Environment,
    errors: &mut Vec<BuildError>,
) -> ServerConfig {
    let Some(origin) = layers.first().map(|layer| layer.origin.clone()) else {
        return ServerConfig::default();
    };
    let mut effective: Vec<Setting<'_>> = Vec::new();
    for layer in layers {
        if layer.environment.is_none_or(|of| of == environment) {
            for setting in layer.settings {
                effective.retain(|lower| lower.key != setting.key);
                effective.push(setting);
            }
        }
    }
    settings::read("`[server]`", &origin, effective, errors).unwrap_or_default()
}

fn environment(variables: &[(String, String)], errors: &mut Vec<BuildError>) -> Environment {
    let Some((variable, value)) = variables.iter().find(|(name, _)| name == "NOVA_ENV") else {
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

/// The tables of `nova.toml`, those for all environments first.
fn layers_of_file<'i>(
    document: &'i Document,
    layers: &mut Vec<Layer<'i>>,
    errors: &mut Vec<BuildError>,
) {
    let (environments, tables): (Vec<_>, Vec<_>) = document
        .settings()
        .into_iter()
        .partition(|setting| Environment::named(&setting.key).is_some());
    for setting in tables {
        if TABLES.contains(&&*setting.key) {
            let name = format!("`[{}]`", setting.key);
            layers.extend(layer(setting, name, None, errors));
        } else if serde_introspect::<ServerConfig>().contains(&&*setting.key) {
            errors.push(setting.misplaced("`[server]`"));
        } else {
            let known: Vec<_> = TABLES
                .into_iter()
                .chain(Environment::ALL.map(Environment::name))
                .collect();
            errors.push(setting.unknown_key("the file", &known));
        }
    }
    for setting in environments {
        let environment = Environment::named(&setting.key);
        let above = setting.key.clone();
        let Some(tables) = table(setting, errors) else {
            continue;
        };
        for setting in tables {
            if TABLES.contains(&&*setting.key) {
                let name = format!("`[{above}.{}]`", setting.key);
                layers.extend(layer(setting, name, environment, errors));
            } else if serde_introspect::<ServerConfig>().contains(&&*setting.key) {
                errors.push(setting.misplaced(&format!("`[{above}.server]`")));
            } else {
                errors.push(setting.unknown_key(&format!("`[{above}]`"), &TABLES));
            }
        }
    }
}

fn layer<'i>(
    setting: Setting<'i>,
    name: String,
    environment: Option<Environment>,
    errors: &mut Vec<BuildError>,
) -> Option<Layer<'i>> {
    let origin = setting.key_origin();
    Some(Layer {
        name,
        environment,
        settings: table(setting, errors)?,
        origin,
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

/// Each `NOVA_<TABLE>__<KEY>` is a layer of its own. Other names are other programs'.
fn layers_of_variables<'i>(
    variables: &'i [(String, String)],
    layers: &mut Vec<Layer<'i>>,
    errors: &mut Vec<BuildError>,
) {
    for (variable, value) in variables {
        let Some((table, key)) = variable
            .strip_prefix("NOVA_")
            .and_then(|name| name.split_once("__"))
        else {
            warn_of_slip(variable);
            continue;
        };
        let source = Source::Variable(variable.as_str().into());
        let origin = source.at(0..0);
        let mut setting = Setting {
            key: table.to_lowercase(),
            key_span: 0..0,
            value: Spanned::new(0..0, scalar(value)),
            source,
        };
        if Environment::named(&setting.key).is_some() {
            errors.push(BuildError::WrongValue {
                message: format!(
                    "a variable is for the environment that runs: write `NOVA_{key}` without \
                     `{}__`",
                    table
                ),
                origin,
            });
            continue;
        }
        if !TABLES.contains(&&*setting.key) {
            errors.push(setting.unknown_key("`nova.toml`", &TABLES));
            continue;
        }
        let name = format!("`[{}]`", setting.key);
        setting.key = key.to_lowercase();
        layers.push(Layer {
            name,
            environment: None,
            settings: vec![setting],
            origin,
        });
    }
}

/// `NOVA_LISTEN` and `NOVA_SERVER_LISTEN` may be another program's, but most likely are slips.
fn warn_of_slip(variable: &str) {
    let Some(name) = variable.strip_prefix("NOVA_").map(str::to_lowercase) else {
        return;
    };
    let fields = serde_introspect::<ServerConfig>();
    let key = name.strip_prefix("server_").unwrap_or(&name);
    if fields.contains(&key) {
        let right = key.to_uppercase();
        warn!("{variable} is no setting and counts for nothing; NOVA_SERVER__{right} is one");
    }
}

/// A variable's text as a number or a boolean if it looks like one, and as a string otherwise.
fn scalar(text: &str) -> DeValue<'_> {
    match DeValue::parse(text).map(Spanned::into_inner) {
        Ok(value @ (DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_))) => value,
        _ => DeValue::String(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;

    fn read_all(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
        let file = SourceFile::new(Path::new("nova.toml"), text.to_owned());
        let variables: Vec<_> = [("NOVA_ENV", "dev")]
            .iter()
            .chain(variables)
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .rev() // a later `NOVA_ENV` is found first
            .collect();
        let mut errors = Vec::new();
        let config = read(Some(&file), &variables, &mut errors);
        match errors.is_empty() {
            true => Ok(config),
            false => Err(crate::BuildErrors::new(errors).to_string()),
        }
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let config = read_all("", &[]).unwrap();
        assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.server.body_limit, 2 * 1024 * 1024);
        assert_eq!(
            config.server.shutdown_drain_timeout,
            Duration::from_secs(15)
        );
    }

    #[test]
    fn variables_beat_the_environment_and_the_environment_beats_the_rest() {
        let text = "
            [server]
            listen = '127.0.0.1:1'
            body_limit = 1
            shutdown_drain_timeout = '2m'
            [dev.server]
            listen = '127.0.0.1:2'
            body_limit = 2
            [prod.server]
            listen = '127.0.0.1:3'";
        let config = read_all(text, &[("NOVA_SERVER__LISTEN", "127.0.0.1:4")]).unwrap();
        assert_eq!(config.server.listen.port(), 4);
        assert_eq!(config.server.body_limit, 2);
        assert_eq!(
            config.server.shutdown_drain_timeout,
            Duration::from_secs(120)
        );

        let config = read_all(text, &[("NOVA_ENV", "prod")]).unwrap();
        assert_eq!(config.environment, Environment::Prod);
        assert_eq!(config.server.listen.port(), 3);
        assert_eq!(config.server.body_limit, 1);
    }

    #[test]
    fn a_variable_is_a_number_where_one_belongs() {
        let config = read_all("", &[("NOVA_SERVER__BODY_LIMIT", "1_000")]).unwrap();
        assert_eq!(config.server.body_limit, 1000);
    }

    #[test]
    fn all_mistakes_are_told_at_once_each_with_its_place() {
        let told = read_all(
            "[server]\nlisten = \"localhost\"\nbody_limt = 1\n[sever]\n[prod.server]\nbody_limit = \"big\"\n",
            &[
                ("NOVA_SERVER__SHUTDOWN_DRAIN_TIMEOUT", "soon"),
                ("NOVA_SERVR__LISTEN", "127.0.0.1:1"),
                ("NOVA_SERVER__BODY_LIMIT", "0"),
                ("NOVA_ENV", "production"),
            ],
        )
        .unwrap_err();
        for expected in [
            "nova.toml:2:10: `listen` is wrong: invalid value: string \"localhost\", expected an IP \
             address with a port, such as \"127.0.0.1:8080\"\n  |\n2 | listen = \"localhost\"\n  \
             |          ^^^^^^^^^^^",
            "nova.toml:3:1: `[server]` has no key `body_limt`\n  |\n3 | body_limt = 1\n  | \
             ^^^^^^^^^\nhelp: a similar key exists: `body_limit`",
            "nova.toml:4:2: the file has no key `sever`\n  |\n4 | [sever]\n  |  ^^^^^\n\
             help: a similar key exists: `server`",
            "nova.toml:6:14: `body_limit` is wrong: invalid type: string \"big\", expected a number of bytes",
            "environment variable `NOVA_SERVER__SHUTDOWN_DRAIN_TIMEOUT`: `shutdown_drain_timeout` \
             is wrong: invalid value: string \"soon\", expected a number of seconds",
            "environment variable `NOVA_SERVR__LISTEN`: `nova.toml` has no key `servr`\n\
             help: a similar key exists: `server`",
            "environment variable `NOVA_SERVER__BODY_LIMIT`: `body_limit` is wrong: invalid value: \
             integer `0`, expected a number of bytes above 0",
            "environment variable `NOVA_ENV`: there is no environment `production`\n\
             help: a similar name exists: `prod`",
        ] {
            assert!(told.contains(expected), "{expected}\n\nis not in\n\n{told}");
        }
    }

    #[test]
    fn every_syntax_error_has_its_place() {
        let told = read_all("[server]\nlisten = \nbody_limit = 1 2\nx = 1\n", &[]).unwrap_err();
        let places: Vec<_> = told
            .lines()
            .filter_map(|line| line.strip_prefix("nova.toml:"))
            .filter_map(|line| line.split_once(": "))
            .map(|(place, _)| place)
            .collect();
        assert_eq!(places, ["2:10", "3:14", "4:1"], "{told}");
    }
}
