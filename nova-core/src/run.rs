//! The `main` of an app.

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use tokio::net::TcpListener;
use tracing::info;
use tracing_subscriber::EnvFilter;

use crate::app::App;
use crate::build_error::BuildErrors;
use crate::config::Config;
use crate::error::Error;
use crate::server;

/// Builds the app and serves it until it is told to stop: all that `main` has to do.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use nova_core::{App, Result, text};
///
/// fn main() -> ExitCode {
///     nova_core::run(app)
/// }
///
/// async fn app() -> Result<App> {
///     let app = App::builder()
///         .action("hello", |_| async { text("hello") })
///         .route(("/", "hello"))
///         .build()?;
///     Ok(app)
/// }
/// ```
///
/// It makes the runtime, writes the log to standard error (at `info`, or as `RUST_LOG` says)
/// unless the program has installed a subscriber of its own, calls `app`, listens where
/// `server.listen` says, and prints the URL to standard error. SIGTERM or Ctrl-C stop it: no new connections, requests finish, sockets
/// are closed, services stop in reverse order. A second one ends it at once.
///
/// The exit code is 0 after such a stop. It is 1 when the app cannot be built, when it cannot
/// listen, when a service has failed too often, and after a second signal; what is wrong, and
/// what to do, is on standard error.
pub fn run<F, Fut, E>(app: F) -> ExitCode
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<App, E>>,
    E: Into<Error>,
{
    install_subscriber();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return failure(&format!("the runtime does not start: {error}")),
    };
    let code = runtime.block_on(async {
        match app().await {
            Ok(app) => serve(app).await,
            Err(error) => match error.into() {
                error if error.downcast_ref::<BuildErrors>().is_some() => {
                    failure(&format!("the app cannot be built\n\n{error}"))
                }
                error => failure(&format!("the app cannot start: {error}")),
            },
        }
    });
    // Blocking work that is still under way does not keep a stopped app alive.
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

async fn serve(app: App) -> ExitCode {
    let address = app.config().server.listen;
    let environment = app.config().environment;
    let listener = match server::listen(address) {
        Ok(listener) => listener,
        Err(error) => return failure(&cannot_listen(address, &error)),
    };
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return failure(&format!("signals cannot be received: {error}")),
    };
    announce(&listener, address, environment.name());

    // The first signal stops the app, the second one ends the wait for it.
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let served = app.serve(listener, async {
        let _ = stopped.await;
    });
    let mut served = std::pin::pin!(served);
    tokio::select! {
        ended = &mut served => return outcome(ended),
        name = signals.next() => info!("{name}: stopping"),
    }
    let _ = stop.send(());
    tokio::select! {
        ended = served => outcome(ended),
        name = signals.next() => failure(&format!("{name} again: not waiting any longer")),
    }
}

fn outcome<E: std::fmt::Display>(ended: Result<(), E>) -> ExitCode {
    match ended {
        Ok(()) => {
            info!("stopped");
            ExitCode::SUCCESS
        }
        Err(error) => failure(&error.to_string()),
    }
}

fn announce(listener: &TcpListener, wanted: SocketAddr, environment: &str) {
    let address = listener.local_addr().unwrap_or(wanted);
    // Not in the log, whose level may leave it out: whoever starts an app wants to know.
    eprintln!("listening on http://{address} ({environment})");
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> String {
    let other = match error.kind() {
        io::ErrorKind::AddrInUse if address.port() < u16::MAX => {
            SocketAddr::new(address.ip(), address.port() + 1)
        }
        io::ErrorKind::PermissionDenied => SocketAddr::new(address.ip(), 8080),
        _ => Config::default().server.listen,
    };
    let change =
        format!("`listen` in the `[server]` table of `nova.toml`, or NOVA_SERVER__LISTEN={other}");
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "cannot listen on {address}: the port is taken\n\
             help: stop the program that has it, or choose another: {change}"
        ),
        io::ErrorKind::PermissionDenied => format!(
            "cannot listen on {address}: {error}\n\
             help: ports below 1024 are for privileged programs; choose another: {change}"
        ),
        _ => format!("cannot listen on {address}: {error}\nhelp: choose another: {change}"),
    }
}

fn failure(message: &str) -> ExitCode {
    eprintln!("error: {message}");
    ExitCode::FAILURE
}

fn install_subscriber() {
    let filter = match std::env::var(EnvFilter::DEFAULT_ENV) {
        Ok(wanted) => EnvFilter::try_new(&wanted).unwrap_or_else(|error| {
            eprintln!("warning: RUST_LOG={wanted} is no filter, so it is `info`: {error}");
            EnvFilter::new("info")
        }),
        Err(_) => EnvFilter::new("info"),
    };
    // An error means that the program has installed its own, which then counts.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .try_init();
}

/// SIGTERM and SIGINT; elsewhere than on Unix, Ctrl-C.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Signals {})
    }

    async fn next(&mut self) -> &'static str {
        match tokio::signal::ctrl_c().await {
            Ok(()) => "Ctrl-C",
            Err(_) => std::future::pending().await,
        }
    }
}
