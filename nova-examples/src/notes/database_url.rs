//! Which database a URL names, and how much of the URL may be shown.
//!
//! A URL can hold a password, and a message goes to logs and screens. So what is shown is made from
//! the parts that hold none, never by cutting the password out of the text; and a text that could
//! be read in two ways is shown not at all.

use std::error::Error;
use std::path::Path;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use url::{Position, Url};

/// The parameters that a URL of PostgreSQL may have. sqlx would write others to the log, values
/// included, and go on without them.
const PARAMETERS: &[&str] = &[
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslmode",
    "statement-cache-capacity",
    "user",
];

/// A URL that names a database.
pub(super) enum DatabaseUrl {
    /// A file, or memory.
    Sqlite {
        /// What sqlx gets.
        url: Url,
        /// Each connection would have a database of its own.
        in_memory: bool,
    },
    /// A server.
    Postgres {
        /// What sqlx gets. It may hold a password.
        url: Url,
        /// The host with its port, or the folder of the socket.
        host: String,
    },
}

impl DatabaseUrl {
    /// Reads a URL.
    pub(super) fn parse(text: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        if let Some(database) = text.strip_prefix("sqlite:") {
            return sqlite(database);
        }
        let url = Url::parse(text).ok();
        match url.as_ref().map(Url::scheme) {
            Some("postgres" | "postgresql") => {}
            None if text.starts_with("postgres") => return Err(ambiguous()),
            _ => {
                let told = "a database URL begins with `sqlite:`, `postgres:` or `postgresql:`";
                return Err(told.into());
            }
        }
        match url {
            Some(url) if is_clear(&url) => postgres(url),
            _ => Err(ambiguous()),
        }
    }

    /// The URL of this file, which may have any name.
    pub(super) fn file(file: &Path) -> Self {
        // Bytes that are no Unicode stay in it, and fail when the file is opened.
        let name = percent_encode(file.as_os_str().as_encoded_bytes(), NON_ALPHANUMERIC);
        let url = format!("sqlite:{name}?mode=rwc");
        DatabaseUrl::Sqlite {
            url: Url::parse(&url).expect("ASCII letters, digits and `%` are right in any URL"),
            in_memory: false,
        }
    }
}

fn sqlite(database: &str) -> Result<DatabaseUrl, Box<dyn Error + Send + Sync>> {
    // After `//` a URL has a host, with rules of its own; a file has no host.
    let database = database.strip_prefix("//").unwrap_or(database);
    let mut url = Url::parse(&format!("sqlite:{database}"))?;
    let in_memory = url.path() == ":memory:" || has(&url, "mode", |mode| mode == "memory");
    if !in_memory && !has(&url, "mode", |_| true) {
        url.query_pairs_mut().append_pair("mode", "rwc");
    }
    url.as_str().parse::<SqliteConnectOptions>()?; // sqlx itself looks when it connects
    Ok(DatabaseUrl::Sqlite { url, in_memory })
}

fn postgres(url: Url) -> Result<DatabaseUrl, Box<dyn Error + Send + Sync>> {
    for (key, _) in url.query_pairs() {
        let known = PARAMETERS.contains(&&*key) || key.starts_with("options[");
        if !known {
            let known = PARAMETERS.join("`, `");
            return Err(format!("there is no parameter `{key}`, but there are `{known}`").into());
        }
    }
    if has(&url, "sslmode", |mode| {
        !matches!(mode, "disable" | "allow" | "prefer")
    }) {
        return Err("it is without TLS: `sslmode` is `disable`, `allow` or `prefer`".into());
    }
    let options: PgConnectOptions = url.as_str().parse()?;
    let host = match options.get_socket() {
        Some(folder) => folder.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    Ok(DatabaseUrl::Postgres { url, host })
}

fn has(url: &Url, key: &str, is: impl Fn(&str) -> bool) -> bool {
    url.query_pairs()
        .any(|(name, value)| name == key && is(&value))
}

/// What a message may say of a URL, or of what was meant for one: no password and no parameters.
pub(super) fn shown(text: &str) -> String {
    if text.starts_with("sqlite:") {
        return text.to_owned(); // it has a file and no password
    }
    match Url::parse(text) {
        Ok(mut url) if is_clear(&url) => {
            if url.password().is_some() {
                // Only a URL without host refuses, and it has no password.
                let _ = url.set_password(Some("***"));
            }
            url.set_query(None);
            url.into()
        }
        Ok(url) => format!("{}:…", url.scheme()),
        Err(_) if text.contains(['@', ':', '=']) => "…".to_owned(),
        Err(_) => text.to_owned(),
    }
}

/// Whether the password, if there is one, is where a password belongs. In `//ann:1/2@host` it is
/// not: that is the host `ann`, the port 1 and the path `/2@host`.
fn is_clear(url: &Url) -> bool {
    !url[Position::BeforePath..].contains('@') && url.fragment().is_none()
}

fn ambiguous() -> Box<dyn Error + Send + Sync> {
    "it is not of the form `postgres://user:password@host:5432/database`; \
     in its parts, `%` `/` `?` `#` `@` `:` are written `%25` `%2F` `%3F` `%23` `%40` `%3A`"
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        for (url, expected) in [
            (
                "postgres://ann:secret@host/db",
                "postgres://ann:***@host/db",
            ),
            ("postgresql://:secret@host:1", "postgresql://:***@host:1"),
            (
                "postgres://ann:sec@ret@host/db",
                "postgres://ann:***@host/db",
            ),
            (
                "postgres://host/db?user=ann&password=secret",
                "postgres://host/db",
            ),
            ("postgres://ann:sec/secret@host/db", "…"),
            ("postgres://ann:1/secret@host/db", "postgres:…"),
            ("postgres://ann:1?secret@host/db", "postgres:…"),
            ("postgres://ann:1#secret@host/db", "postgres:…"),
            ("postgres://ann:1#secret", "postgres:…"),
            ("postgres:ann:secret@host/db", "postgres:…"),
            ("postgres://ann:secret@ho st/db", "…"),
            ("mysql://ann:secret@host/db", "mysql://ann:***@host/db"),
            (
                "jdbc:postgresql://host/db?password=secret",
                "jdbc:postgresql://host/db",
            ),
            ("host=localhost password=secret", "…"),
            ("mongodb://localhost", "mongodb://localhost"),
            ("notes.db", "notes.db"),
            ("", ""),
        ] {
            assert_eq!(shown(url), expected, "{url}");
        }
    }

    #[test]
    fn no_error_tells_a_password() {
        for url in [
            "postgres://ann:secret@ho st/db",
            "postgres://ann:sec/secret@host/db",
            "postgres://ann:1/secret@host/db",
            "postgres:ann:secret@host/db",
            "postgres://ann:secret@host:123456/db",
            "postgres://ann:secret@host/db?pasword=secret",
            "postgres://host/db?password=secret&port=x",
            "postgres://ann:secret@host/db?hostaddr=x",
            "postgres://ann:%ff@host/db",
            "mysql://ann:secret@host/db",
            "host=localhost password=secret",
        ] {
            let Err(error) = DatabaseUrl::parse(url) else {
                panic!("`{url}` is taken");
            };
            assert!(
                !format!("{error} {error:?}").contains("secret"),
                "{error:?}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (url, expected) in [
            (
                "mysql://localhost",
                "begins with `sqlite:`, `postgres:` or `postgresql:`",
            ),
            (
                "notes.db",
                "begins with `sqlite:`, `postgres:` or `postgresql:`",
            ),
            (
                "postgres://ann:a/b@host/db",
                "`/` `?` `#` `@` `:` are written `%25` `%2F`",
            ),
            ("postgres://host/db?sslmode=require", "it is without TLS"),
            (
                "postgres://host/db?pasword=x",
                "no parameter `pasword`, but there are `",
            ),
            ("sqlite:notes.db?mode=x", "unknown value"),
        ] {
            let Err(error) = DatabaseUrl::parse(url) else {
                panic!("`{url}` is taken");
            };
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn sqlites_parameters_are_kept_and_a_file_is_created_unless_they_say_otherwise() {
        for (text, expected, memory) in [
            ("sqlite:notes.db", "sqlite:notes.db?mode=rwc", false),
            ("sqlite://my notes.db", "sqlite:my notes.db?mode=rwc", false),
            (
                "sqlite:///tmp/a.db?mode=ro",
                "sqlite:/tmp/a.db?mode=ro",
                false,
            ),
            ("sqlite::memory:", "sqlite::memory:", true),
            ("sqlite:a?mode=memory", "sqlite:a?mode=memory", true),
        ] {
            let Ok(DatabaseUrl::Sqlite { url, in_memory }) = DatabaseUrl::parse(text) else {
                panic!("`{text}` is not taken");
            };
            assert_eq!((url.as_str(), in_memory), (expected, memory), "{text}");
        }
    }
}
