//! The lines of the `access_log` plugin. One test, so that no other one in this process decides what
//! `tracing` takes for unused.

use std::io;
use std::sync::{Arc, Mutex};

use nova_core::testing::TestClient;
use nova_core::{AccessLogFormat, AccessLogOptions, AccessLogPlugin, App, Group, Request, text};
use tracing_subscriber::fmt::MakeWriter;

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.lock().expect("nobody panics with it");
        lines.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Lines {
    type Writer = Lines;

    fn make_writer(&'w self) -> Lines {
        self.clone()
    }
}

impl Lines {
    /// The line of the plugin, without the time in it.
    fn taken(&self) -> String {
        let log = std::mem::take(&mut *self.0.lock().expect("nobody panics with it"));
        let log = String::from_utf8(log).expect("the log is UTF-8");
        let line = log.lines().find(|line| line.contains("nova_core::access"));
        let line = line.unwrap_or_else(|| panic!("no line in {log}"));
        let (_, line) = line.split_once("nova_core::access: ").expect("a target");
        match (line.find('['), line.find(']')) {
            (Some(from), Some(to)) => {
                let time = &line[from + 1..to];
                let shape: String = time
                    .chars()
                    .map(|c| match c {
                        '0'..='9' => '0',
                        'A'..='Z' | 'a'..='z' => 'a',
                        other => other,
                    })
                    .collect();
                assert_eq!(shape, "00/aaa/0000:00:00:00 +0000");
                format!("{}{}", &line[..from], &line[to + 2..])
            }
            _ => line.to_owned(),
        }
    }
}

fn client(format: AccessLogFormat, query: bool) -> TestClient {
    let plugin = AccessLogPlugin::new(AccessLogOptions { format, query });
    let group = Group::new()
        .plugin("access_log", plugin)
        .route(("/hello", |_: Request| async { text("hello") }));
    let app = App::builder().group(group).build();
    TestClient::new(app.expect("the app is right"))
}

#[tokio::test]
async fn a_line_has_who_asked_for_what_and_what_came_of_it_and_nothing_can_be_smuggled_in() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(lines.clone())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let get = async |client: &TestClient, path: &str| {
        let request = client.get(path).peer("192.0.2.1:4711");
        let request = request.header("referer", "http://a/\"b\\");
        request.header("user-agent", "ü\tx").await;
        lines.taken()
    };

    let client_of = client(AccessLogFormat::Common, false);
    assert_eq!(
        get(&client_of, "/hello?secret=1").await,
        r#"192.0.2.1 - - "GET /hello HTTP/1.1" 200 5"#
    );
    let client_of = client(AccessLogFormat::Combined, true);
    assert_eq!(
        get(&client_of, "/hello?a=1").await,
        r#"192.0.2.1 - - "GET /hello?a=1 HTTP/1.1" 200 5 "http://a/\"b\\" "\xc3\xbc\x09x""#
    );
    client_of.get("/hello").await;
    assert_eq!(
        lines.taken(),
        r#"- - - "GET /hello HTTP/1.1" 200 5 "-" "-""#
    );

    let client_of = client(AccessLogFormat::Fields, false);
    let line = get(&client_of, "/hello?secret=1").await;
    for field in [
        "access client=\"192.0.2.1\" method=\"GET\" path=\"/hello\"",
        "version=HTTP/1.1 status=200 bytes=5 ms=",
        "referer=\"http://a/\\\"b\\\\\"",
    ] {
        assert!(line.contains(field), "no {field} in {line}");
    }
    assert!(!line.contains("secret"), "{line}");
}
