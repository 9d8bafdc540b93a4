//! HTTP/2 on the same port: the same answers, and clients that abuse it.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::app::App;
use crate::frames::Socket;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// A client with one connection.
struct Client {
    runtime: Runtime,
    sender: SendRequest<Bytes>,
    authority: String,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: http::HeaderMap,
    body: Vec<u8>,
}

impl Client {
    fn connect(app: &App) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let authority = app.address().to_owned();
        let sender = runtime.block_on(async {
            let stream = TcpStream::connect(&authority).await.unwrap();
            let (sender, connection) = h2::client::handshake(stream).await.unwrap();
            tokio::spawn(connection);
            sender
        });
        Client {
            runtime,
            sender,
            authority,
        }
    }

    /// Begins a request; what it gives is to be awaited.
    fn begin(
        &self,
        line: &str,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> impl Future<Output = Result<Answer, h2::Error>> + Send + use<> {
        let (method, path) = line.split_once(' ').unwrap();
        let uri = format!("http://{}{path}", self.authority);
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        let (sender, body) = (self.sender.clone(), Bytes::copy_from_slice(body));
        async move {
            let mut sender = sender.ready().await?;
            let (response, mut sending) = sender.send_request(request, body.is_empty())?;
            if !body.is_empty() {
                sending.send_data(body, true)?;
            }
            let (parts, mut receiving) = response.await?.into_parts();
            let mut body = Vec::new();
            while let Some(data) = receiving.data().await {
                let data = data?;
                receiving.flow_control().release_capacity(data.len())?;
                body.extend_from_slice(&data);
            }
            Ok(Answer {
                status: parts.status.as_u16(),
                head: parts.headers,
                body,
            })
        }
    }

    fn send(&self, line: &str, fields: &[(&str, &str)], body: &[u8]) -> Answer {
        let answer = self.begin(line, fields, body);
        self.runtime.block_on(answer).unwrap()
    }
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The cookie that is set, as the client sends it the next time.
    fn cookie(&self) -> String {
        let cookie = self.head["set-cookie"].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }
}

#[test]
fn all_routes_answer_as_over_http_1_1() {
    let app = App::start();
    app.file("a.txt", "0123456789");
    let client = Client::connect(&app);
    let json = "content-type: application/json";
    for (line, header, body) in [
        ("GET /hello", "a: b", ""),
        ("GET /", "a: b", ""),
        ("GET /nothing", "a: b", ""),
        ("GET /slow?ms=1", "a: b", ""),
        ("GET /slow?ms=60001", "a: b", ""),
        ("POST /hello", "a: b", ""),
        ("POST /json", json, "{\"a\":[1,2]}"),
        ("POST /json", json, "{"),
        ("POST /upload", "a: b", "some bytes"),
        ("GET /static/a.txt", "a: b", ""),
        ("GET /static/a.txt", "range: bytes=2-4", ""),
        ("GET /static/a.txt", "range: bytes=20-", ""),
        ("GET /static/../Cargo.toml", "a: b", ""),
        ("GET /static/%2e%2e/a.txt", "a: b", ""),
        ("GET /whoami", "a: b", ""),
        ("POST /form", "a: b", ""),
        ("GET /ws/echo", "a: b", ""),
    ] {
        let (name, value) = header.split_once(": ").unwrap();
        let new = client.send(line, &[(name, value)], body.as_bytes());
        let old = app.send(line, &[header], body);

        assert_eq!(new.status, old.status, "{line} {header}");
        for name in ["content-type", "content-range", "allow", "x-frame-options"] {
            let value = new.head.get(name).map(|value| value.to_str().unwrap());
            assert_eq!(value, old.header(name), "{line} {header}: {name}");
        }
        if old.status < 300 {
            assert_eq!(new.text(), old.text(), "{line} {header}");
        }
    }
}

#[test]
fn a_session_and_its_token_are_the_same_in_both_versions() {
    let app = App::start();
    let client = Client::connect(&app);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let logged_in = client.send("POST /login", &form, b"username=alice&password=wonder");
    assert_eq!(logged_in.status, 200);
    let cookie = logged_in.cookie();

    let new = client.send("GET /whoami", &[("cookie", &cookie)], b"");
    assert_eq!((new.status, new.text()), (200, "alice"));
    let old = app.get("/whoami", &[&format!("cookie: {cookie}")]);
    assert_eq!((old.status, &*old.text()), (200, "alice"));

    let page = client.send("GET /form", &[("cookie", &cookie)], b"");
    let (_, token) = page
        .text()
        .split_once("name=\"_csrf_token\" value=\"")
        .unwrap();
    let token = token.split('"').next().unwrap();
    let fields = [form[0], ("cookie", &*cookie)];
    let body = format!("_csrf_token={token}");
    let accepted = client.send("POST /form", &fields, body.as_bytes());
    assert_eq!(accepted.status, 200, "{}", accepted.text());
    assert_eq!(client.send("POST /form", &fields, b"a=b").status, 403);
}

#[test]
fn what_is_published_over_http_2_is_heard_over_http_1_1() {
    let app = App::start();
    let mut socket = Socket::open(&app, "/ws/notify");
    let client = Client::connect(&app);

    assert!(client.send("POST /broadcast", &[], b"news").status < 300);
    assert_eq!(socket.receive(), Some((129, b"news".to_vec())));
}

#[test]
fn a_body_over_the_limit_is_413_and_other_requests_go_on() {
    let app = App::start();
    let client = Client::connect(&app);
    let slow = client.begin("GET /slow?ms=300", &[], b"");
    let slow = client.runtime.spawn(slow);

    let refused = client.send("POST /upload", &[], &vec![0; 3 * 1024 * 1024]);
    assert_eq!(refused.status, 413);
    assert_eq!(client.runtime.block_on(slow).unwrap().unwrap().status, 200);
}

#[test]
fn a_hundred_requests_at_a_time_on_each_of_many_connections_are_answered() {
    let app = App::start();
    let clients: Vec<Client> = (0..10).map(|_| Client::connect(&app)).collect();
    for _ in 0..5 {
        let begun: Vec<_> = clients
            .iter()
            .flat_map(|client| {
                let spawn = |_| client.runtime.spawn(client.begin("GET /hello", &[], b""));
                (0..100).map(spawn).collect::<Vec<_>>()
            })
            .collect();
        for answer in begun {
            let answer = clients[0].runtime.block_on(answer).unwrap().unwrap();
            assert_eq!((answer.status, answer.text()), (200, "Hello, World!"));
        }
    }
}

/// Sends this over and over, until the server has had enough; whether it has.
fn flood(app: &App, one: impl Fn(u32) -> Vec<u8>) -> bool {
    let mut stream = app.connect();
    let mut reading = stream.try_clone().unwrap();
    stream.write_all(&[PREFACE, SETTINGS].concat()).unwrap();
    let read = std::thread::spawn(move || {
        let mut room = [0; 64 * 1024];
        while matches!(reading.read(&mut room), Ok(count) if count > 0) {}
    });
    let begun = Instant::now();
    let mut sent = 0;
    while begun.elapsed() < Duration::from_secs(20) {
        if read.is_finished() || stream.write_all(&one(sent)).is_err() {
            return true;
        }
        sent += 1;
    }
    false
}

/// `GET /slow?ms=60000`, from the static table and with texts as they are.
fn slow(stream: u32) -> Vec<u8> {
    let path = b"/slow?ms=60000";
    let mut block = vec![0x82, 0x86, 0x01, 0x01, b'a', 0x04, path.len() as u8];
    block.extend(path);
    let mut frame = vec![0, 0, block.len() as u8, 1, 5];
    frame.extend(stream.to_be_bytes());
    frame.extend(block);
    frame
}

#[test]
fn floods_are_ended_and_hold_nobody_up() {
    let app = App::start();
    let ping = |_| [&[0, 0, 8, 6, 0, 0, 0, 0, 0][..], &[0; 8]].concat();
    let settings = |_| SETTINGS.to_vec();
    let reset = |n| {
        let stream = 2 * n + 1;
        let mut bytes = slow(stream);
        bytes.extend([0, 0, 4, 3, 0]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend([0, 0, 0, 8]);
        bytes
    };
    let continuation = |n| match n {
        0 => vec![0, 0, 1, 1, 1, 0, 0, 0, 1, 0x82],
        _ => vec![0, 0, 0, 9, 0, 0, 0, 0, 1],
    };

    assert!(flood(&app, ping), "pings");
    assert!(flood(&app, settings), "settings");
    assert!(flood(&app, reset), "resets");
    assert!(flood(&app, continuation), "continuations");
    assert!(app.is_well());
    app.signal("TERM");
    let (status, log) = app.ended();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
}

#[test]
fn connections_that_only_begin_hold_nobody_up() {
    let app = App::start();
    let mut held = Vec::new();
    for n in 0..300 {
        let mut stream = app.connect();
        let beginning = [PREFACE, SETTINGS, &slow(1)].concat();
        stream.write_all(&beginning[..n % beginning.len()]).unwrap();
        held.push(stream);
    }
    for _ in 0..20 {
        assert!(app.is_well());
    }
}

#[test]
fn on_sigterm_requests_under_way_finish_and_the_exit_code_is_0() {
    let app = App::start();
    let clients: Vec<Client> = (0..5).map(|_| Client::connect(&app)).collect();
    let slow: Vec<_> = clients
        .iter()
        .flat_map(|client| {
            let spawn = |_| {
                client
                    .runtime
                    .spawn(client.begin("GET /slow?ms=1500", &[], b""))
            };
            (0..10).map(spawn).collect::<Vec<_>>()
        })
        .collect();
    // What comes behind them on the same connections has been answered, so they are under way.
    for client in &clients {
        assert_eq!(client.send("GET /hello", &[], b"").status, 200);
    }
    let mut raw = app.connect();
    raw.write_all(&[PREFACE, SETTINGS].concat()).unwrap();
    let begun = Instant::now();
    app.signal("TERM");
    for answer in slow {
        let answer = clients[0].runtime.block_on(answer).unwrap().unwrap();
        assert_eq!((answer.status, answer.text()), (200, "1500 ms"));
    }
    let (status, log) = app.ended();

    assert_eq!(status.code(), Some(0), "{log}");
    assert!(begun.elapsed() < Duration::from_secs(8), "{log}");
}
