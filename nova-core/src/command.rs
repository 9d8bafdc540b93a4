//! What an app can be asked in place of being served.
//!
//! The app is its own tool: only it knows its actions and plugins. So whoever wants to know
//! something, such as the `nova` command, starts it with [`Command::VARIABLE`] set.

use std::fmt::{self, Write};
use std::str::FromStr;

use http::Method;

use crate::app::App;
use crate::router::RouteInfo;

/// A question that [`run`](crate::run) answers on standard output, instead of serving the app.
///
/// It is asked by the environment variable `NOVA_COMMAND`, which has the text of a command:
///
/// ```sh
/// NOVA_COMMAND=routes cargo run
/// NOVA_COMMAND='explain GET /notes/7' cargo run
/// ```
///
/// The app is built and checked as ever, so `check` has nothing more to do; its services are not
/// started.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// `check`: is the app right?
    Check,
    /// `routes`, or `routes json`: which routes are there?
    Routes {
        /// As JSON, an array of [`RouteInfo`].
        json: bool,
    },
    /// `explain GET /notes/7`: which route answers, or why does none?
    Explain {
        /// The method.
        method: String,
        /// A path, or a URL: see [`Router::explain`](crate::Router::explain).
        target: String,
    },
}

impl Command {
    /// The environment variable that has the command.
    pub const VARIABLE: &str = "NOVA_COMMAND";

    /// The command that the variable has, if it is set.
    ///
    /// # Errors
    /// It has none of the commands.
    pub(crate) fn asked() -> Result<Option<Self>, String> {
        let text = std::env::var(Self::VARIABLE).ok();
        let text = text.filter(|text| !text.trim().is_empty());
        text.as_deref().map(str::parse).transpose()
    }

    /// The answer, and whether it is a good one.
    pub(crate) fn answer(&self, app: &App) -> (String, bool) {
        match self {
            Command::Check => ("the app is right\n".to_owned(), true),
            Command::Routes { json: false } => (table(&app.router().routes()), true),
            Command::Routes { json: true } => {
                match serde_json::to_string_pretty(&app.router().routes()) {
                    Ok(json) => (json + "\n", true),
                    Err(error) => (format!("the routes are no JSON: {error}\n"), false),
                }
            }
            Command::Explain { method, target } => {
                let explanation = app.router().explain(method, target);
                let answered = explanation.outcome.is_answered();
                (format!("{explanation}\n"), answered)
            }
        }
    }
}

impl FromStr for Command {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match *words {
            ["check"] => Ok(Command::Check),
            ["routes"] => Ok(Command::Routes { json: false }),
            ["routes", "json"] => Ok(Command::Routes { json: true }),
            ["explain", target, method] if Method::from_bytes(target.as_bytes()).is_err() => Err(
                format!("`{target}` is no method: write `explain {method} {target}`"),
            ),
            ["explain", method, target] => Ok(Command::Explain {
                method: method.to_owned(),
                target: target.to_owned(),
            }),
            _ => Err(format!(
                "`{}={text}` is no command: the commands are `check`, `routes`, `routes json` and \
                 `explain GET /path`",
                Self::VARIABLE
            )),
        }
    }
}

/// The text of [`Command::VARIABLE`].
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Command::Check => f.write_str("check"),
            Command::Routes { json: false } => f.write_str("routes"),
            Command::Routes { json: true } => f.write_str("routes json"),
            Command::Explain { method, target } => write!(f, "explain {method} {target}"),
        }
    }
}

/// A line for each route, in columns: what it answers, who answers, and where it stands; and then,
/// as far as there are any, its name, its security function and its plugins.
fn table(routes: &[RouteInfo]) -> String {
    let rows: Vec<[String; 4]> = routes
        .iter()
        .map(|route| {
            let requests = route.requests();
            let (first, path) = requests.rsplit_once(' ').unwrap_or(("", &requests));
            [
                first.to_owned(),
                path.to_owned(),
                route.handler.clone(),
                route.origin.to_string(),
            ]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths = [0, 1, 2].map(|column| width(column).unwrap_or(0));
    let mut table = String::new();
    for ([first, path, handler, origin], route) in rows.iter().zip(routes) {
        let mut more = String::new();
        let mut add = |what: &str, value: Option<&str>| {
            if let Some(value) = value {
                more += &format!("  {what}: {value}");
            }
        };
        add("name", route.name.as_deref());
        add("security", route.security.as_deref());
        let plugins = route.plugins.join(", ");
        add("plugins", Some(&*plugins).filter(|list| !list.is_empty()));
        let [a, b, c] = widths;
        // Writing to a string does not fail.
        let _ = writeln!(table, "{first:a$}  {path:b$}  {handler:c$}  {origin}{more}");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::methods;
    use crate::text;

    #[test]
    fn a_command_is_its_text() {
        for text in ["check", "routes", "routes json", "explain GET /notes/7"] {
            assert_eq!(text.parse::<Command>().unwrap().to_string(), text);
        }
        let refused = "rotes".parse::<Command>().unwrap_err();
        assert!(
            refused.starts_with("`NOVA_COMMAND=rotes` is no command"),
            "{refused}"
        );
        let refused = "explain /notes GET".parse::<Command>().unwrap_err();
        assert_eq!(refused, "`/notes` is no method: write `explain GET /notes`");
    }

    #[test]
    fn routes_are_a_table_with_columns() {
        let app = App::builder()
            .action("notes::index", |_| async { text("notes") })
            .action("up", |_| async { text("up") })
            .global_plugins(["correlation"])
            .route((
                "/notes",
                "notes::index",
                methods(["get", "post"]).name("notes"),
            ))
            .route(("/", "up"));
        let app = app.build().unwrap();
        let (table, _) = Command::Routes { json: false }.answer(&app);
        let lines: Vec<&str> = table.lines().collect();
        assert!(
            lines[0].starts_with("GET, POST  /notes  notes::index  "),
            "{table}"
        );
        assert!(
            lines[0].ends_with("  name: notes  plugins: correlation"),
            "{table}"
        );
        assert!(
            lines[1].starts_with("any        /       up            "),
            "{table}"
        );
    }
}
