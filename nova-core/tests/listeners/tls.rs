//! HTTPS, and the certificates that it is spoken with.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nova_core::{App, Listeners, Request, text};
use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::{Folder, Served, ask};

const HTTPS: &str = "[server]\nlisten = 'https://127.0.0.1:0'\n";
const FILES: &str = "[server.tls]\ncertificate = 'cert.pem'\nkey = 'key.pem'\n";

/// A certificate for `localhost`, and its key.
pub(super) struct Made {
    certificate: String,
    key: String,
}

impl Made {
    pub(super) fn new() -> Self {
        Made::with(|_| {})
    }

    pub(super) fn expired() -> Self {
        Made::with(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1))
    }

    fn with(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        Made {
            certificate: params.self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// As tools for renewal do it: other files take the place of the old ones.
    pub(super) fn save(&self, folder: &Path) {
        for (name, text) in [("cert.pem", &self.certificate), ("key.pem", &self.key)] {
            fs::write(folder.join("new"), text).unwrap();
            fs::rename(folder.join("new"), folder.join(name)).unwrap();
        }
    }

    fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()
    }
}

/// A client that trusts these certificates alone, and speaks these protocols.
fn client(trusted: &[&Made], protocols: &[&str]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    for made in trusted {
        roots.add(made.der()).unwrap();
    }
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let protocols = protocols.iter().map(|name| name.as_bytes().to_vec());
    config.alpn_protocols = protocols.collect();
    TlsConnector::from(Arc::new(config))
}

fn port(url: &str) -> &str {
    url.strip_prefix("https://").unwrap()
}

async fn try_connect(client: &TlsConnector, url: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(port(url)).await?;
    let name = ServerName::try_from("localhost").unwrap();
    client.connect(name, stream).await
}

async fn connect(client: &TlsConnector, url: &str) -> TlsStream<TcpStream> {
    try_connect(client, url).await.unwrap()
}

/// What the other end has shown.
fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

async fn serve(settings: &str, made: &Made) -> (Folder, Served) {
    let folder = Folder::new(&format!("{settings}{FILES}"));
    made.save(folder.path());
    let served = folder.serve().await;
    (folder, served)
}

#[tokio::test]
async fn a_request_over_https_is_secure() {
    let made = Made::new();
    let (_folder, served) = serve(HTTPS, &made).await;
    assert!(served.urls[0].starts_with("https://127.0.0.1:"));

    let stream = connect(&client(&[&made], &[]), &served.urls[0]).await;
    let answer = ask(stream, "/who", "").await;
    assert!(answer.ends_with(r#"["127.0.0.1","https"]"#), "{answer}");
    served.stop().await;
}

#[tokio::test]
async fn cookies_are_secure_and_browsers_are_told_to_come_back_by_https() {
    let folder = Folder::new(&format!("{HTTPS}{FILES}"));
    let made = Made::new();
    made.save(folder.path());
    let app = App::builder()
        .config_file(folder.path().join("nova.toml"))
        .global_plugins(["secure_headers"])
        .route(("/", |request: Request| async move {
            request.session().insert("seen", &true).await.unwrap();
            text("hello")
        }))
        .build()
        .unwrap();
    let listeners = Listeners::bind(app.config()).await.unwrap();
    let url = listeners.urls().next().unwrap().to_owned();
    tokio::spawn(app.serve(listeners, std::future::pending()));

    let answer = ask(connect(&client(&[&made], &[]), &url).await, "/", "").await;

    let cookie = answer.lines().find(|line| line.starts_with("set-cookie: "));
    assert!(cookie.unwrap().contains("; Secure"), "{answer}");
    assert!(
        answer.contains("\r\nstrict-transport-security: max-age="),
        "{answer}"
    );
}

#[tokio::test]
async fn an_app_listens_for_both_schemes() {
    let made = Made::new();
    let settings = "[server]\nlisten = ['127.0.0.1:0', 'https://127.0.0.1:0']\n";
    let (_folder, served) = serve(settings, &made).await;

    let plain = ask(super::connect(&served.urls[0]).await, "/who", "").await;
    assert!(plain.ends_with(r#"["127.0.0.1","http"]"#), "{plain}");
    let secure = connect(&client(&[&made], &[]), &served.urls[1]).await;
    let secure = ask(secure, "/who", "").await;
    assert!(secure.ends_with(r#"["127.0.0.1","https"]"#), "{secure}");
}

#[tokio::test]
async fn client_and_server_agree_on_a_protocol() {
    let made = Made::new();
    let (_folder, served) = serve(HTTPS, &made).await;

    for (offered, agreed) in [
        (&["h2", "http/1.1"][..], "h2"),
        (&["http/1.1", "h2"], "h2"),
        (&["http/1.1"], "http/1.1"),
    ] {
        let stream = connect(&client(&[&made], offered), &served.urls[0]).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(agreed.as_bytes()));
    }
    // RFC 7301 §3.2: there is no connection without one that both speak.
    let refused = try_connect(&client(&[&made], &["spdy/1"]), &served.urls[0]).await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("NoApplicationProtocol")
    );
}

#[tokio::test]
async fn http_2_is_spoken_by_who_has_agreed_to_it_and_by_nobody_else() {
    let made = Made::new();
    let (_folder, served) = serve(HTTPS, &made).await;

    let stream = connect(&client(&[&made], &["h2"]), &served.urls[0]).await;
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("https://localhost/who")
        .body(())
        .unwrap();
    let (answer, _) = sender.send_request(request, true).unwrap();
    let mut answer = answer.await.unwrap();
    assert_eq!(answer.status(), 200);
    let body = answer.body_mut().data().await.unwrap().unwrap();
    assert_eq!(body, r#"["127.0.0.1","https"]"#);

    for agreed in [&["http/1.1"][..], &[]] {
        let mut stream = connect(&client(&[&made], agreed), &served.urls[0]).await;
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .await
            .unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(
            answer.starts_with(b"HTTP/1.1 4"),
            "{}",
            answer.escape_ascii()
        );
    }
}

#[tokio::test]
async fn without_http_2_it_is_not_offered() {
    let made = Made::new();
    let (_folder, served) = serve(&format!("{HTTPS}http2 = false\n"), &made).await;

    let stream = connect(&client(&[&made], &["h2", "http/1.1"]), &served.urls[0]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[tokio::test]
async fn clear_text_on_a_port_for_https_is_answered_with_what_to_write() {
    let (_folder, served) = serve(HTTPS, &Made::new()).await;
    let stream = TcpStream::connect(port(&served.urls[0])).await.unwrap();

    let answer = ask(stream, "/", "").await;

    assert!(
        answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
        "{answer}"
    );
    assert!(
        answer.contains("write `https://` in place of `http://`"),
        "{answer}"
    );
}

#[tokio::test]
async fn who_does_not_shake_hands_is_left_and_holds_up_nobody() {
    let made = Made::new();
    let (_folder, served) = serve(HTTPS, &made).await;
    let mut silent = TcpStream::connect(port(&served.urls[0])).await.unwrap();
    let mut slow = TcpStream::connect(port(&served.urls[0])).await.unwrap();
    slow.write_all(&[0x16, 3, 1]).await.unwrap();

    let answer = ask(
        connect(&client(&[&made], &[]), &served.urls[0]).await,
        "/",
        "",
    )
    .await;
    assert!(answer.ends_with("hello"), "{answer}");
    tokio::time::pause();
    let start = tokio::time::Instant::now();
    for stream in [&mut silent, &mut slow] {
        assert!(!matches!(stream.read(&mut [0]).await, Ok(1..)));
    }
    let waited = start.elapsed().as_secs_f64().round();
    assert_eq!(waited, 10.0); // what it was before the clock stood still is missing
}

#[tokio::test]
async fn a_handshake_takes_a_place() {
    let made = Made::new();
    let (_folder, served) = serve(&format!("{HTTPS}connections = 1\n"), &made).await;
    let silent = TcpStream::connect(port(&served.urls[0])).await.unwrap();
    let client = client(&[&made], &[]);
    let mut waiting = Box::pin(connect(&client, &served.urls[0]));

    let early = tokio::time::timeout(std::time::Duration::from_millis(100), &mut waiting).await;
    assert!(early.is_err());
    drop(silent);
    let answer = ask(waiting.await, "/", "").await;
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_handshake() {
    let (_folder, served) = serve(HTTPS, &Made::new()).await;
    let mut silent = TcpStream::connect(port(&served.urls[0])).await.unwrap();
    silent.write_all(&[0x16]).await.unwrap();

    let start = std::time::Instant::now();
    served.stop().await;
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_noticed_and_no_request_is_lost() {
    let (old, new) = (Made::new(), Made::new());
    let (folder, served) = serve(HTTPS, &old).await;
    let client = client(&[&old, &new], &[]);
    let url = served.urls[0].clone();
    let renewed = Arc::new(AtomicBool::new(false));
    let load = {
        let (client, url, renewed) = (client.clone(), url.clone(), Arc::clone(&renewed));
        tokio::spawn(async move {
            let mut answers = 0;
            while !renewed.load(Ordering::SeqCst) {
                let answer = ask(connect(&client, &url).await, "/", "").await;
                assert!(answer.ends_with("hello"), "{answer}");
                answers += 1;
            }
            answers
        })
    };
    let kept = connect(&client, &url).await;
    assert_eq!(shown(&kept), old.der());

    new.save(folder.path());
    while shown(&connect(&client, &url).await) != new.der() {}
    renewed.store(true, Ordering::SeqCst);

    assert!(load.await.unwrap() > 0);
    let answer = ask(kept, "/", "").await;
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn a_certificate_that_clients_will_refuse_is_served_all_the_same() {
    let expired = Made::expired();
    let (_folder, served) = serve(HTTPS, &expired).await;

    let refused = try_connect(&client(&[&expired], &[]), &served.urls[0]).await;
    assert!(refused.unwrap_err().to_string().contains("xpired"));
}

#[tokio::test]
async fn what_is_wrong_with_the_files_is_told_with_what_to_do() {
    let (good, other) = (Made::new(), Made::new());
    let folder = Folder::new(&format!("{HTTPS}{FILES}"));
    let (root, app) = (folder.path().display(), folder.app());
    for (certificate, key, told) in [
        (
            None,
            Some(&*good.key),
            "cannot serve HTTPS: {}/cert.pem cannot be read: No such file",
        ),
        (
            Some(&*good.certificate),
            None,
            "cannot serve HTTPS: {}/key.pem cannot be read: No such file",
        ),
        (
            Some("no PEM"),
            Some(&*good.key),
            "{}/cert.pem is no PEM file with a certificate: no items found\n\
             help: such a file has a line `-----BEGIN CERTIFICATE-----`",
        ),
        (
            Some(&*good.certificate),
            Some(&*good.certificate),
            "{}/key.pem is no PEM file with a private key",
        ),
        (
            Some(&*good.certificate),
            Some(&*other.key),
            "the key in {}/key.pem is not that of the first certificate in {}/cert.pem\nhelp: name the two",
        ),
        (
            Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            Some(&*good.key),
            "the first certificate in {}/cert.pem is malformed: ",
        ),
    ] {
        for (name, text) in [("cert.pem", certificate), ("key.pem", key)] {
            let _ = fs::remove_file(folder.path().join(name));
            if let Some(text) = text {
                fs::write(folder.path().join(name), text).unwrap();
            }
        }
        let mistakes = Listeners::bind(app.config()).await.unwrap_err().to_string();
        let told = told.replace("{}", &root.to_string());
        assert!(
            mistakes.contains(&told),
            "{told}\n\nis not in\n\n{mistakes}"
        );
    }
}
