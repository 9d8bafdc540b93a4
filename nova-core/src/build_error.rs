//! Why an app cannot be built: each mistake with its place, and what to type instead.

use std::fmt;
use std::path::PathBuf;

use crate::origin::Origin;

/// Everything that is wrong with an app's code and configuration, found in one go.
///
/// Its `Display` is what a developer reads: one block for each mistake, blank lines between.
#[derive(Debug)]
pub struct BuildErrors(Vec<BuildError>);

impl BuildErrors {
    /// Sorts by place. What the parser made up to get past a syntax error is no mistake of the
    /// author's: other errors on the line of one are left out.
    pub(crate) fn new(mut errors: Vec<BuildError>) -> Self {
        let broken: Vec<_> = errors
            .iter()
            .filter(|error| matches!(error, BuildError::Syntax { .. }))
            .map(|error| error.origin().clone())
            .collect();
        errors.retain(|error| {
            matches!(error, BuildError::Syntax { .. })
                || !broken.iter().any(|place| place.same_line(error.origin()))
        });
        errors.sort_by(|a, b| a.origin().cmp_place(b.origin()));
        BuildErrors(errors)
    }

    /// Each mistake by itself: those in the code first, then file by file, from top to bottom.
    pub fn iter(&self) -> impl Iterator<Item = &BuildError> {
        self.0.iter()
    }
}

impl fmt::Display for BuildErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, error) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str("\n\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for BuildErrors {}

/// One reason why an app cannot be built from its code and configuration.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// A file that the app names cannot be read.
    Unreadable {
        /// The file, as the app names it.
        file: PathBuf,
        /// Where the app names it.
        origin: Origin,
        /// Why not.
        source: std::io::Error,
    },
    /// A file is no TOML, or a view no template, at this place.
    Syntax {
        /// What the parser says.
        message: String,
        /// Where it says so.
        origin: Origin,
    },
    /// A table has a key that nobody reads.
    UnknownKey {
        /// The key, as written.
        key: String,
        /// What has the key, such as "a group".
        table: String,
        /// Where the key stands.
        origin: Origin,
        /// The keys that there are.
        known: Vec<String>,
        /// The one of them nearest to `key`, if one is near enough.
        similar: Option<String>,
    },
    /// A value is not of the kind that belongs there.
    WrongValue {
        /// What is wrong, and what to write instead.
        message: String,
        /// Where the value stands.
        origin: Origin,
    },
    /// A name stands for nothing.
    UnknownName {
        /// What it should name.
        kind: NameKind,
        /// The name, as written.
        name: String,
        /// Where it stands: `router.toml:14:20`, or the line that called the builder.
        origin: Origin,
        /// The existing name nearest to `name`, if one is near enough.
        similar: Option<String>,
        /// What else may help, such as the call that registers such a name.
        help: Option<String>,
    },
    /// Two things are registered under one name.
    DuplicateName {
        /// What is registered.
        kind: NameKind,
        /// The name.
        name: String,
        /// The second registration.
        origin: Origin,
        /// The first one.
        first: Origin,
    },
    /// A path is none.
    BadPath {
        /// The path, as written.
        path: String,
        /// What is wrong, and what to write instead.
        reason: String,
        /// Where it stands.
        origin: Origin,
    },
    /// Two routes answer the same requests.
    Conflict {
        /// The requests, such as ``GET `/notes/{id}` ``.
        requests: String,
        /// The second route.
        origin: Origin,
        /// The first one.
        first: Origin,
    },
}

/// What a name in the configuration stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameKind {
    /// An action of a controller, such as `notes_api::index`, or a function registered as one.
    Action,
    /// A plugin.
    Plugin,
    /// A protocol other than `http`, such as `ws`.
    Protocol,
    /// A handler of such a protocol.
    Handler,
    /// A route that has a name.
    Route,
    /// An app that another one mounts.
    App,
    /// An HTTP method.
    Method,
    /// A security function.
    Security,
    /// A file among the views.
    View,
    /// A background service.
    Service,
    /// What has to be well before the app is ready.
    Check,
    /// What renders the values of a type of the app's own; its name is that of the type.
    ReplyHandler,
    /// What an error of some type means to a client; its name is that of the type.
    ErrorMapping,
    /// What answers when an action does not.
    Fallback,
    /// An environment: `dev` or `prod`.
    Environment,
    /// A folder of static files.
    Folder,
    /// A static file.
    File,
}

impl fmt::Display for NameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NameKind::Action => "action",
            NameKind::Plugin => "plugin",
            NameKind::Protocol => "protocol",
            NameKind::Handler => "handler",
            NameKind::Route => "route",
            NameKind::App => "app",
            NameKind::Method => "method",
            NameKind::Security => "security function",
            NameKind::View => "view",
            NameKind::Service => "service",
            NameKind::Check => "check",
            NameKind::ReplyHandler => "reply handler",
            NameKind::ErrorMapping => "error mapping",
            NameKind::Fallback => "fallback",
            NameKind::Environment => "environment",
            NameKind::Folder => "folder",
            NameKind::File => "file",
        })
    }
}

impl BuildError {
    /// Where the mistake is.
    pub fn origin(&self) -> &Origin {
        match self {
            BuildError::Unreadable { origin, .. }
            | BuildError::Syntax { origin, .. }
            | BuildError::UnknownKey { origin, .. }
            | BuildError::WrongValue { origin, .. }
            | BuildError::UnknownName { origin, .. }
            | BuildError::DuplicateName { origin, .. }
            | BuildError::BadPath { origin, .. }
            | BuildError::Conflict { origin, .. } => origin,
        }
    }

    fn write_message(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::Unreadable { file, source, .. } => {
                write!(f, "`{}` cannot be read: {source}", file.display())
            }
            BuildError::Syntax { message, .. } | BuildError::WrongValue { message, .. } => {
                f.write_str(message)
            }
            BuildError::UnknownKey { key, table, .. } => {
                write!(f, "{table} has no key `{key}`")
            }
            BuildError::UnknownName { kind, name, .. } => match kind {
                NameKind::Method => write!(f, "`{name}` is no HTTP method"),
                NameKind::Environment | NameKind::View | NameKind::Folder | NameKind::File => {
                    write!(f, "there is no {kind} `{name}`")
                }
                _ => write!(f, "no {kind} is registered as `{name}`"),
            },
            BuildError::DuplicateName {
                kind: NameKind::Route,
                name,
                ..
            } => write!(f, "a route with another path is named `{name}` already"),
            BuildError::DuplicateName { kind, name, .. } => {
                let article = match kind {
                    NameKind::Action | NameKind::App | NameKind::ErrorMapping => "an",
                    _ => "a",
                };
                let word = match kind {
                    NameKind::ReplyHandler | NameKind::ErrorMapping => "for",
                    _ => "as",
                };
                write!(f, "{article} {kind} is registered {word} `{name}` already")
            }
            BuildError::BadPath { path, reason, .. } => write!(f, "`{path}` is no path: {reason}"),
            BuildError::Conflict { requests, .. } => {
                write!(f, "another route answers {requests} already")
            }
        }
    }

    fn write_help(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::UnknownKey {
                similar: Some(similar),
                ..
            } => write!(f, "\nhelp: a similar key exists: `{similar}`"),
            BuildError::UnknownKey { known, .. } => {
                write!(f, "\nhelp: the keys are {}", listed(known))
            }
            BuildError::UnknownName {
                kind,
                similar,
                help,
                ..
            } => {
                let exists = match kind {
                    NameKind::Method
                    | NameKind::Environment
                    | NameKind::View
                    | NameKind::Folder
                    | NameKind::File => "exists",
                    _ => "is registered",
                };
                match (similar, help) {
                    (_, Some(help)) => write!(f, "\nhelp: {help}"),
                    (Some(similar), None) => {
                        write!(f, "\nhelp: a similar name {exists}: `{similar}`")
                    }
                    (None, None) => Ok(()),
                }
            }
            BuildError::Unreadable { file, source, .. }
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                let empty = match file.file_name().is_some_and(|name| name == "nova.toml") {
                    true => "; an empty one leaves all settings at their defaults",
                    false => "",
                };
                write!(f, "\nhelp: create the file{empty}")
            }
            BuildError::DuplicateName { first, .. } | BuildError::Conflict { first, .. } => {
                write!(f, "\nhelp: the first one is at {first}")
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = self.origin();
        write!(f, "{origin}: ")?;
        self.write_message(f)?;
        origin.write_excerpt(f)?;
        self.write_help(f)
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            BuildError::Unreadable { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// `` `a`, `b` and `c` ``.
pub(crate) fn listed<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    let quoted: Vec<String> = names
        .into_iter()
        .map(|name| format!("`{}`", name.as_ref()))
        .collect();
    match quoted.split_last() {
        None => "none".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

/// The name among `names` that somebody who typed `wrong` most likely meant.
pub(crate) fn nearest<'n>(wrong: &str, names: impl IntoIterator<Item = &'n str>) -> Option<String> {
    names
        .into_iter()
        .map(|name| (likeness(wrong, name), name))
        .filter(|(likeness, _)| *likeness >= 0.5)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name.to_owned())
}

/// From 0 to 1. The parts of `controller::action` are compared each with its like: otherwise all
/// actions of a controller would be alike.
fn likeness(wrong: &str, name: &str) -> f64 {
    let (wrong, name) = (wrong.to_lowercase(), name.to_lowercase());
    let wrong = match wrong.split_once(['.', ':', '/', '#']) {
        Some((controller, action)) if name.contains("::") => {
            format!("{controller}::{}", action.trim_start_matches(':'))
        }
        _ => wrong,
    };
    match (wrong.split_once("::"), name.split_once("::")) {
        (Some((wrong, wrong_action)), Some((name, action))) => {
            f64::min(likeness(wrong, name), likeness(wrong_action, action))
        }
        (None, None) => {
            let shorter = wrong.len().min(name.len());
            let cut_off = shorter >= 3 && (wrong.starts_with(&name) || name.starts_with(&wrong));
            let alike = strsim::normalized_damerau_levenshtein(&wrong, &name);
            if cut_off { alike.max(0.5) } else { alike }
        }
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_near() {
        let names = ["notes_api::index", "notes_api::show", "heartbeat"];
        assert_eq!(nearest("notes_api::idnex", names).unwrap(), names[0]);
        assert_eq!(nearest("Heartbeat", names).unwrap(), "heartbeat");
        for near in [
            "note_api::shw",
            "notes_api.show",
            "notes_api:show",
            "notes_api#show",
        ] {
            assert_eq!(nearest(near, names).unwrap(), "notes_api::show", "{near}");
        }
        for far in ["zzz", "notes_api", "notes_api::list", "notes_api::destroy"] {
            assert_eq!(nearest(far, names), None, "{far}");
        }
        assert_eq!(nearest("production", ["dev", "prod"]).unwrap(), "prod");
    }

    #[test]
    fn a_list_reads_as_a_sentence() {
        assert_eq!(listed(["a", "b", "c"]), "`a`, `b` and `c`");
        assert_eq!(listed(["a"]), "`a`");
        assert_eq!(listed::<&str>([]), "none");
    }
}
