//! A window of the browser: what somebody does in it, and what it shows.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use fantoccini::error::CmdError;
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, Value};
use tokio::time::{sleep, timeout};

/// Whatever is awaited comes sooner, or does not come. A page that has lost its connection waits
/// for seconds before it tries again.
const PATIENCE: Duration = Duration::from_secs(60);

/// From one look at the page to the next.
const PAUSE: Duration = Duration::from_millis(30);

/// A window with a profile of its own. It closes when the test ends.
pub(crate) struct Window {
    page: Client,
    driver: String,
    session: String,
    /// The address of the app, as `127.0.0.1:12345`.
    app: String,
}

impl Window {
    /// Asks the WebDriver at `driver` for a window onto the app with this address.
    pub(crate) async fn open(driver: &str, wanted: Map<String, Value>, app: &str) -> Self {
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let connecting = builder.capabilities(wanted).connect(driver);
        let page = timeout(PATIENCE, connecting).await;
        let page = page.expect("Chromium starts in time").unwrap();
        page.persist().await.unwrap(); // it is `drop` that closes it
        let session = page.session_id().await.unwrap().unwrap();
        Window {
            page,
            driver: driver.to_owned(),
            session,
            app: app.to_owned(),
        }
    }

    /// Loads a page of the app.
    pub(crate) async fn go(&self, path: &str) {
        let url = format!("http://{}{path}", self.app);
        let go = async || self.page.goto(&url).await;
        self.done(&format!("loading {url}"), go).await;
    }

    /// Presses what the selector finds.
    pub(crate) async fn click(&self, css: &str) {
        let click = async || self.page.find(Locator::Css(css)).await?.click().await;
        self.done(&format!("a click on `{css}`"), click).await;
    }

    /// Writes into a field, in place of what is there.
    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let fill = async || {
            let field = self.page.find(Locator::Css(css)).await?;
            field.clear().await?;
            field.send_keys(text).await
        };
        self.done(&format!("writing into `{css}`"), fill).await;
    }

    /// Presses a key on what the selector finds.
    pub(crate) async fn press(&self, css: &str, key: Key) {
        let key = char::from(key).to_string();
        let press = async || {
            self.page
                .find(Locator::Css(css))
                .await?
                .send_keys(&key)
                .await
        };
        self.done(&format!("a key on `{css}`"), press).await;
    }

    /// Runs a script in the page.
    pub(crate) async fn run(&self, script: &str) {
        let run = async || self.page.execute(script, Vec::new()).await;
        self.done(script, run).await;
    }

    /// Waits until the expression of JavaScript has this value.
    pub(crate) async fn sees(&self, expression: &str, expected: impl Into<Value>) {
        let expected = expected.into();
        let script = format!("return {expression}");
        let mut last = String::new();
        let look = async {
            loop {
                last = match self.page.execute(&script, Vec::new()).await {
                    Ok(value) if value == expected => return,
                    Ok(value) => value.to_string(),
                    Err(error) => error.to_string(), // such as: another page is being loaded
                };
                sleep(PAUSE).await;
            }
        };
        if timeout(PATIENCE, look).await.is_err() {
            let page = self.text().await;
            panic!("awaited: {expected}\nof {expression}\nwhich is {last}\non the page\n{page}");
        }
    }

    /// What the page shows, as PNG.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        let picture = async || self.page.screenshot().await;
        self.done("a screenshot", picture).await
    }

    /// Makes the page so large, without the frame of the window.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        let resize = async || {
            let script = "return [outerWidth - innerWidth, outerHeight - innerHeight]";
            let frame = self.page.execute(script, Vec::new()).await?;
            let [across, down] = serde_json::from_value::<[u32; 2]>(frame)?;
            let (width, height) = (width + across, height + down);
            self.page.set_window_size(width, height).await
        };
        self.done("another size", resize).await;
        self.sees("[innerWidth, innerHeight]", vec![width, height])
            .await;
    }

    /// Tries until it works: the element may not be there yet, or may be disabled for now.
    async fn done<T>(&self, what: &str, act: impl AsyncFn() -> Result<T, CmdError>) -> T {
        let mut last = None;
        let tries = async {
            loop {
                match act().await {
                    Ok(done) => return done,
                    Err(error) => last = Some(error),
                }
                sleep(PAUSE).await;
            }
        };
        if let Ok(done) = timeout(PATIENCE, tries).await {
            return done;
        }
        let page = self.text().await;
        panic!("{what} fails: {last:?}\non the page\n{page}");
    }

    /// Address and text of the page, for whoever wonders why a test has failed.
    async fn text(&self) -> String {
        let script = "return `${location}\\n${document.body.innerText}`";
        let text = timeout(PATIENCE, self.page.execute(script, Vec::new())).await;
        match text {
            Ok(Ok(Value::String(text))) => text,
            other => format!("{other:?}"),
        }
    }
}

/// By hand: fantoccini would need the runtime of the test, which has ended, or panicked.
impl Drop for Window {
    fn drop(&mut self) {
        let host = self.driver.trim_start_matches("http://");
        let Ok(mut stream) = TcpStream::connect(host) else {
            return;
        };
        let _ = stream.set_read_timeout(Some(PATIENCE));
        let _ = write!(
            stream,
            "DELETE /session/{} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\n\r\n",
            self.session
        );
        let _ = stream.read(&mut [0]); // the answer comes when the browser has ended
    }
}
