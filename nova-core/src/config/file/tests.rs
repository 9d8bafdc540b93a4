//! What `nova.toml` and the variables come to, and what is told of their mistakes.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::*;
#[cfg(feature = "tls")]
use crate::config::TlsConfig;
use crate::config::{LogFormat, Secret};

fn sources(text: &str, variables: &[(&str, &str)]) -> (Arc<SourceFile>, Vec<(String, String)>) {
    let file = SourceFile::new(Path::new("nova.toml"), text.to_owned());
    let variables = [("NOVA_ENV", "dev")]
        .iter()
        .chain(variables)
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .rev(); // a later `NOVA_ENV` is found first
    (file, variables.collect())
}

fn read_all(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let (file, variables) = sources(text, variables);
    let mut errors = Vec::new();
    let config = read(Some(&file), &variables, (None, &[]), &mut errors);
    match errors.is_empty() {
        true => Ok(config),
        false => Err(crate::BuildErrors::new(errors).to_string()),
    }
}

/// Where it listens, as a variable would have it.
fn listens(config: &Config) -> String {
    let addresses = config.server.listen.iter().map(ToString::to_string);
    addresses.collect::<Vec<_>>().join(",")
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = read_all("", &[]).unwrap();
    assert_eq!(listens(&config), "127.0.0.1:8080");
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
    assert_eq!(listens(&config), "127.0.0.1:4");
    assert_eq!(config.server.body_limit, 2);
    assert_eq!(
        config.server.shutdown_drain_timeout,
        Duration::from_secs(120)
    );

    let config = read_all(text, &[("NOVA_ENV", "prod")]).unwrap();
    assert_eq!(config.environment, Environment::Prod);
    assert_eq!(listens(&config), "127.0.0.1:3");
    assert_eq!(config.server.body_limit, 1);
}

#[test]
fn a_variable_is_a_number_where_one_belongs() {
    let config = read_all("", &[("NOVA_SERVER__BODY_LIMIT", "1_000")]).unwrap();
    assert_eq!(config.server.body_limit, 1000);
}

#[test]
fn an_app_listens_on_one_address_or_on_several() {
    for (written, addresses) in [
        ("'http://127.0.0.1:1'", "127.0.0.1:1"),
        ("['127.0.0.1:1', '[::1]:2']", "127.0.0.1:1,[::1]:2"),
        (
            "'127.0.0.1:1, unix:/run/app.sock'",
            "127.0.0.1:1,unix:/run/app.sock",
        ),
        ("['127.0.0.1:0', '127.0.0.1:0']", "127.0.0.1:0,127.0.0.1:0"),
    ] {
        let config = read_all(&format!("[server]\nlisten = {written}"), &[]).unwrap();
        assert_eq!(listens(&config), addresses);
    }
    for written in ["127.0.0.1:1,[::1]:2", "['127.0.0.1:1', \"[::1]:2\"]"] {
        let config = read_all("", &[("NOVA_SERVER__LISTEN", written)]).unwrap();
        assert_eq!(listens(&config), "127.0.0.1:1,[::1]:2");
    }
}

#[test]
fn what_cannot_be_listened_on_is_a_mistake() {
    for (written, told) in [
        (
            "[]",
            "nova.toml:2:10: `listen` is wrong: the app has to listen somewhere",
        ),
        (
            "['127.0.0.1:1', '::1:2']",
            "nova.toml:2:26: `listen` is wrong: invalid value: string \"::1:2\"",
        ),
        (
            "'127.0.0.1:1,'",
            "string \"\", expected an IP address with a port",
        ),
        (
            "'unix:'",
            "expected an IP address with a port, such as \"127.0.0.1:8080\", or a Unix socket",
        ),
        (
            "['127.0.0.1:1', 'http://127.0.0.1:1']",
            "nova.toml:2:10: `127.0.0.1:1` stands twice in `listen`",
        ),
        (
            "'127.0.0.1:1'\nunix_mode = 0o660",
            "expected permissions as octal text, such as \"660\"",
        ),
        (
            "'127.0.0.1:1'\nunix_mode = '888'",
            "expected permissions as octal text, such as \"660\"",
        ),
    ] {
        let mistakes = read_all(&format!("[server]\nlisten = {written}"), &[]).unwrap_err();
        assert!(mistakes.contains(told), "{told}\n\nis not in\n\n{mistakes}");
    }
    let config = read_all("", &[("NOVA_SERVER__UNIX_MODE", "600")]).unwrap();
    assert_eq!(config.server.unix_mode, 0o600);
}

#[test]
fn a_socket_in_the_file_is_below_its_folder_and_one_in_a_variable_below_the_working_directory() {
    let text = "[server]\nlisten = ['unix:run/a.sock', 'unix:/b.sock']".to_owned();
    let file = SourceFile::new(Path::new("app/nova.toml"), text);
    let listening = |variables: &[(String, String)]| {
        let errors = &mut Vec::new();
        listens(&read(Some(&file), variables, (None, &[]), errors))
    };
    assert_eq!(listening(&[]), "unix:app/run/a.sock,unix:/b.sock");
    let variable = ("NOVA_SERVER__LISTEN".to_owned(), "unix:c.sock".to_owned());
    assert_eq!(listening(&[variable]), "unix:c.sock");
}

#[cfg(feature = "tls")]
#[test]
fn a_certificate_and_its_key_go_together_and_https_wants_both() {
    let files = "[server.tls]\ncertificate = 'a.pem'\nkey = '/b.pem'\n";
    let file = SourceFile::new(Path::new("app/nova.toml"), files.to_owned());
    let config = read(Some(&file), &[], (None, &[]), &mut Vec::new());
    let TlsConfig { certificate, key } = config.server.tls;
    assert_eq!(certificate, Some("app/a.pem".into()));
    assert_eq!(key, Some("/b.pem".into()));

    let https = "[server]\nlisten = 'https://127.0.0.1:1'\n";
    assert_eq!(
        listens(&read_all(&format!("{https}{files}"), &[]).unwrap()),
        "https://127.0.0.1:1"
    );
    // The other environment may have its certificate where its addresses are.
    let prod = "[prod.server]\nlisten = 'https://127.0.0.1:1'\n[prod.server.tls]\ncertificate = 'a'\nkey = 'b'";
    assert!(read_all(prod, &[("NOVA_SERVER__LISTEN", "127.0.0.1:0")]).is_ok());
    for (text, told) in [
        (
            https,
            "nova.toml:2:10: an `https://` address needs a certificate: set `certificate` and `key`",
        ),
        (
            "[server.tls]\nkey = 'b'",
            "nova.toml:2:7: the key has no `certificate` beside it",
        ),
        (
            "[server.tls]\ncertificate = 'a'",
            "nova.toml:2:15: the certificate has no `key` beside it",
        ),
        (
            "[prod.server]\nlisten = 'https://127.0.0.1:1'",
            "nova.toml:2:10: an `https://` address",
        ),
        (
            "[server]\nlisten = ['127.0.0.1:1', 'https://127.0.0.1:1']",
            "`https://127.0.0.1:1` stands twice in `listen`",
        ),
    ] {
        let mistakes = read_all(text, &[]).unwrap_err();
        assert!(mistakes.contains(told), "{told}\n\nis not in\n\n{mistakes}");
    }
}

#[cfg(not(feature = "tls"))]
#[test]
fn without_the_feature_https_is_a_mistake_that_names_it() {
    let text =
        "[server]\nlisten = 'https://127.0.0.1:1'\n[server.tls]\ncertificate = 'a'\nkey = 'b'";
    let mistakes = read_all(text, &[]).unwrap_err();
    assert!(mistakes.contains("needs the feature `tls`"), "{mistakes}");
}

#[test]
fn a_variable_contradicts_nothing_in_the_environment_that_does_not_run() {
    let text = "[dev.session]\nidle = '1h'\nabsolute = '2h'\n[prod.session]\nidle = '5h'";
    let variable = [("NOVA_SESSION__ABSOLUTE", "3h")];
    assert!(read_all(text, &variable).is_ok());
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
         address with a port, such as \"127.0.0.1:8080\", or a Unix socket, such as \
         \"unix:/run/app.sock\", or a list of such\n  |\n2 | listen = \"localhost\"\n  \
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

#[test]
fn the_defaults_have_every_setting_and_a_comment_on_each() {
    let config = Config::defaults(Environment::Dev);
    for (table, keys) in KEYS.iter() {
        assert!(!keys.is_empty());
        for key in *keys {
            let key = format!("{table}.{key}");
            let mut set = config.in_force().filter(|(set, ..)| {
                let below = set.strip_prefix(&key);
                below.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            });
            assert!(
                set.next().is_some_and(|(.., origin)| origin.is_default()),
                "{key}"
            );
        }
    }
    let lines: Vec<_> = DEFAULTS.lines().collect();
    for (comment, line) in lines.iter().zip(&lines[1..]) {
        let explained = comment.starts_with("# ") || comment.starts_with("[prod");
        assert!(
            !line.contains(" = ") || line.starts_with('#') || explained,
            "{line}"
        );
    }
    // A whole file of them says nothing new, and nothing wrong.
    let config = read_all(DEFAULTS, &[]).unwrap();
    assert_eq!(config.session.idle, Duration::from_secs(2 * 60 * 60));
    assert_eq!(
        config.session.absolute,
        Duration::from_secs(14 * 24 * 60 * 60)
    );
}

#[test]
fn the_log_is_json_in_prod_unless_the_file_says_otherwise() {
    let prod = [("NOVA_ENV", "prod")];
    assert_eq!(read_all("", &[]).unwrap().log.format, LogFormat::Text);
    assert_eq!(read_all("", &prod).unwrap().log.format, LogFormat::Json);
    let config = read_all("[log]\nformat = 'text'", &prod).unwrap();
    assert_eq!(config.log.format, LogFormat::Text);
}

#[test]
fn the_place_of_each_value_is_known() {
    let text = "[server]\nlisten = '127.0.0.1:1'\nbody_limit = 5\n[prod.server]\nbody_limit = 6";
    let config = read_all(text, &[("NOVA_LOG__LEVEL", "warn")]).unwrap();
    for (key, value, place) in [
        ("server.listen", "'127.0.0.1:1'", "nova.toml:2:10"),
        ("server.body_limit", "5", "nova.toml:3:14"),
        (
            "log.level",
            "warn",
            "environment variable `NOVA_LOG__LEVEL`",
        ),
        ("log.format", "\"text\"", "the default"),
    ] {
        let (_, told, origin) = config.in_force().find(|(known, ..)| *known == key).unwrap();
        assert_eq!((told, &*origin.to_string()), (value, place));
    }
    assert!(config.origin("server.listn").is_none());
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    #[serde(default)]
    page_size: u32,
    #[serde(default)]
    api_key: Secret,
    #[serde(default)]
    code: String,
    #[serde(default)]
    mail: Mail,
    salt: Secret,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Mail {
    host: String,
    port: u16,
    password: Secret,
    to: Vec<String>,
}

fn read_own(text: &str, variables: &[(&str, &str)]) -> Result<Own, String> {
    let (file, variables) = sources(text, variables);
    let mut errors = Vec::new();
    let (own, _) = read_app(Some(&file), &variables, &mut errors);
    match own {
        Some(own) if errors.is_empty() => Ok(own),
        _ => Err(crate::BuildErrors::new(errors).to_string()),
    }
}

#[test]
fn the_apps_own_settings_have_the_same_layers_key_by_key() {
    let text = "
        [app]
        page_size = 10
        salt = 's'
        [app.mail]
        host = 'one'
        port = 25
        [dev.app]
        mail = { host = 'two' }
        [prod.app]
        page_size = 99";
    let variables = [
        ("NOVA_APP__CODE", "12345"),
        ("NOVA_APP__MAIL__PASSWORD", "67890"),
        ("NOVA_APP__MAIL__TO", "['ann', 'bob']"),
    ];
    let own = read_own(text, &variables).unwrap();
    let mail = Mail {
        host: "two".into(),
        port: 25,
        password: "67890".into(),
        to: vec!["ann".into(), "bob".into()],
    };
    let expected = Own {
        page_size: 10,
        api_key: Secret::default(),
        code: "12345".into(),
        mail,
        salt: "s".into(),
    };
    assert_eq!(own, expected);
}

#[test]
fn mistakes_in_the_apps_own_settings_are_told_with_their_place() {
    let text =
        "[app]\npage_size = 'x'\n[app.mail]\nprot = 5\nto = ['ann', 5]\n[prod.app]\npage_sise = 1";
    let told = read_own(text, &[("NOVA_APP__MAIL__PORT", "99999")]).unwrap_err();
    for expected in [
        "nova.toml:2:13: `page_size` is wrong: invalid type: string \"x\", expected u32",
        "nova.toml:4:1: `mail` has no key `prot`",
        "help: a similar key exists: `port`",
        "nova.toml:5:14: `mail.to` is wrong: invalid type: integer `5`, expected a string",
        "nova.toml:7:1: `[prod.app]` has no key `page_sise`",
        "help: a similar key exists: `page_size`",
        "variable `NOVA_APP__MAIL__PORT`: `mail.port` is wrong: invalid value: integer `99999`",
    ] {
        assert!(told.contains(expected), "{expected}\n\nis not in\n\n{told}");
    }
    let told = read_own("[app]\npage_size = 5", &[]).unwrap_err();
    assert!(
        told.contains("nova.toml:1:2: `[app]` is incomplete: missing field `salt`"),
        "{told}"
    );
    let told = read_all("[app]\npage_size = 5", &[]).unwrap_err();
    assert!(
        told.contains("nova.toml:1:2: nobody reads `[app]`"),
        "{told}"
    );
}

#[test]
fn no_message_and_no_listing_shows_a_secret() {
    let text = "[app]\nsalt = 4711\n[app.mail]\npassword = ['hunter2']\n[dev.app]\nmail = { host = 5, password = 'hunter2' }\n";
    let variables = [("NOVA_APP__MAIL__PASSWORD__X", "hunter2")];
    for told in [
        read_own(text, &[]).unwrap_err(),
        read_own("[app]\nsalt = 's'", &variables).unwrap_err(),
        read_all("[app]\npassword = 'hunter2\n", &[]).unwrap_err(),
        read_all("[app]\npassword hunter2\n", &[]).unwrap_err(),
        read_own("[app]\nsalt = 's'\napi_kye = 'hunter2'\n", &[]).unwrap_err(),
        read_own("[app]\nsalt = 's'\n[app.mail]\npasword = 'hunter2'\n", &[]).unwrap_err(),
        read_own("[app]\nsalt = ['hunter2']\n", &[]).unwrap_err(),
        read_own("[app]\nsalt = { v = 'hunter2' }\n", &[]).unwrap_err(),
        read_own("[app]\nsalt = 18446744073709551615 # hunter2", &[]).unwrap_err(),
        read_own("[app]\npage_size = 'pg://a:hunter2@b/c'\nsalt = 's'", &[]).unwrap_err(),
        read_all("[app.secrets]\nstripe = \"hunter2\n", &[]).unwrap_err(),
        read_own(
            "[app]\nsalt = 's'",
            &[("NOVA_APP__MAIL", "{ host = 'x', password = 'hunter2' }")],
        )
        .unwrap_err(),
        read_all("[app]\ndb = \"postgres://ann:hunter2@db/x\n", &[]).unwrap_err(),
    ] {
        assert!(
            !told.contains("hunter2") && !told.contains("4711"),
            "{told}"
        );
        assert!(told.contains("***") || told.contains("variable"), "{told}");
    }
    let told = read_own(text, &[]).unwrap_err();
    for expected in [
        "nova.toml:2:8: `salt` is wrong: a secret is a string\n  |\n2 | salt = ***\n  |        ^^^",
        "nova.toml:4:12: `mail.password` is wrong: a secret is a string\n  |\n4 | password = ***\n",
        "6 | mail = { host = 5, password = ***\n  |                 ^",
    ] {
        assert!(told.contains(expected), "{expected}\n\nis not in\n\n{told}");
    }
    let (file, variables) = sources("[app]\napi_key = 'hunter2'\ndb = 'pg://a:hunter2@b/c'", &[]);
    let config = read(Some(&file), &variables, (Some(&[]), &[]), &mut Vec::new());
    let listed: Vec<_> = config
        .in_force()
        .map(|(key, value, _)| (key, value))
        .collect();
    assert!(listed.contains(&("app.api_key", "***")), "{listed:?}");
    assert!(
        listed.contains(&("app.db", "'pg://a:***@b/c'")),
        "{listed:?}"
    );
}

#[test]
fn a_secret_is_not_listed_whatever_its_key_is_called() {
    let text = "[app]\nsalt = 'hunter2'\ncode = 'c'\n[app.mail]\nhost = 'see hunter2'";
    let (file, variables) = sources(text, &[]);
    let (own, secrets) = read_app::<Own>(Some(&file), &variables, &mut Vec::new());
    assert_eq!(own.unwrap().salt.expose(), "hunter2");
    let config = read(
        Some(&file),
        &variables,
        (Some(&secrets), &[]),
        &mut Vec::new(),
    );
    let listed: Vec<_> = config
        .in_force()
        .map(|(key, value, _)| (key, value))
        .collect();
    for (key, value) in [
        ("app.salt", "***"),
        ("app.code", "'c'"),
        ("app.mail.host", "***"),
    ] {
        assert!(listed.contains(&(key, value)), "{key}: {listed:?}");
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Lists {
    name: String,
    port: u16,
    mails: Vec<Mail>,
    store: Option<Store>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Store {
    File { path: String, size: u32 },
}

fn read_lists(text: &str) -> Result<Lists, String> {
    let (file, variables) = sources(text, &[]);
    let mut errors = Vec::new();
    let (lists, _) = read_app(Some(&file), &variables, &mut errors);
    lists.ok_or_else(|| crate::BuildErrors::new(errors).to_string())
}

#[test]
fn a_mistake_in_a_list_of_tables_has_its_place() {
    let text =
        "[app]\nname = 'x'\nport = 80\n\n[[app.mails]]\nhost='a'\n\n[[app.mails]]\nport='abc'\n";
    let told = read_lists(text).unwrap_err();
    assert!(
        told.starts_with("nova.toml:9:6: `mails` is wrong: invalid type: string \"abc\""),
        "{told}"
    );
    let told = read_lists(&text.replace("port='abc'", "prot=5")).unwrap_err();
    assert!(
        told.starts_with("nova.toml:9:1: `mails` has no key `prot`"),
        "{told}"
    );
}

#[test]
fn an_unknown_table_in_a_table_is_told_where_its_name_stands() {
    for (text, place) in [
        (
            "[server.quic]\ncert = 'x'",
            "1:9: `[server]` has no key `quic`",
        ),
        (
            "[server]\nmail = { host = 'x' }",
            "2:1: `[server]` has no key `mail`",
        ),
        ("[server.a.b]\nc = 1", "1:9: `[server]` has no key `a`"),
    ] {
        let told = read_all(text, &[]).unwrap_err();
        assert!(told.contains(place), "{place} is not in\n{told}");
    }
    let told = read_own("[app]\nsalt='s'\n[app.mail.smtp]\nhost='x'", &[]).unwrap_err();
    assert!(told.contains("3:11: `mail` has no key `smtp`"), "{told}");
    let told = read_all(
        "[server]\nlisten = '127.0.0.1:1'\nlisten = '127.0.0.1:2'",
        &[],
    );
    let told = told.unwrap_err();
    assert!(
        told.starts_with("nova.toml:3:1: `listen` is set a second time"),
        "{told}"
    );
}

#[test]
fn an_empty_table_changes_nothing_and_a_layer_may_be_right_only_on_top() {
    let text = "[app]\nsalt='s'\n[app.mail]\nhost='one'\nport=25\n[dev.app.mail]\n# host = 'two'";
    let mail = read_own(text, &[]).unwrap().mail;
    assert_eq!((&*mail.host, mail.port), ("one", 25));
    let mail = read_own("[app]\nsalt='s'\n[dev.app.mail]\n", &[])
        .unwrap()
        .mail;
    assert_eq!(mail, Mail::default());

    let text = "[app]\nstore = { path = 'x', size = 1 }\n[dev.app]\nstore.size = 2\n";
    let store = Store::File {
        path: "x".into(),
        size: 2,
    };
    assert_eq!(read_lists(text).unwrap().store, Some(store));
    assert!(read_lists(&text.replace("= 2", "= 'x'")).is_err());
}

#[test]
fn a_variable_that_is_empty_is_told_so_and_an_empty_environment_is_none() {
    let told = read_own("[app]\nsalt='s'", &[("NOVA_APP__PAGE_SIZE", "")]).unwrap_err();
    assert!(
        told.contains("`page_size` is wrong: the variable is empty"),
        "{told}"
    );
    assert!(read_all("", &[("NOVA_ENV", "")]).is_ok());
}
