//! The `main` of an app.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use tracing::{debug, info};

use crate::app::{self, App};
use crate::build_error::BuildErrors;
use crate::command::Command;
use crate::config::Config;
use crate::error::Error;
use crate::log::Log;
use crate::reload::Reloading;
use crate::server::{Inherited, Listeners, raise_most_files};

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
/// It makes the runtime, writes the log to standard error unless the program has installed a
/// subscriber of its own, calls `app`, listens where `server.listen` says, and prints the URL to
/// standard error. SIGTERM or Ctrl-C stop it, after `server.shutdown_delay`: no new connections, requests finish, sockets are
/// closed, services stop in reverse order. A second one ends it at once.
///
/// SIGHUP reads the router file and the views again, and the certificate; in `dev`, so does saving one of them. What has
/// changed is told, and a mistake changes nothing.
///
/// The log has a line for each request, and is JSON in `prod`. It never holds the app up: when
/// nobody reads it, 8,192 lines wait, further ones are lost, and their number is told at the end. The
/// [`[log]`](crate::LogConfig) table and the variable `RUST_LOG` decide otherwise. At `debug`, it
/// begins with the settings that are not defaults, and where each of them was set.
///
/// With the variable `NOVA_COMMAND` set, it does not serve the app, but answers a [`Command`]: its
/// routes, or which of them answers a request and why the others do not.
///
/// On Unix, the process may open as many files as its hard limit says: `run` raises the soft one.
///
/// The exit code is 0 after such a stop, also while `app` is not done yet. It is 1 when the app cannot be built, when it cannot
/// listen, when a service has failed too often, and after a second signal; what is wrong, and
/// what to do, is on standard error.
pub fn run<F, Fut, E>(app: F) -> ExitCode
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<App, E>>,
    E: Into<Error>,
{
    // While there is no other thread yet: it takes them out of the environment.
    let inherited = Inherited::take();
    let log = Log::install(&Config::before_it_is_read(&app::variables(&mut Vec::new())).log);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return failure(&log, &format!("the runtime does not start: {error}")),
    };
    raise_most_files();
    let code = runtime.block_on(async {
        // Before the app, which may take its time to get ready.
        let mut signals = match Signals::new() {
            Ok(signals) => signals,
            Err(error) => return failure(&log, &format!("signals cannot be received: {error}")),
        };
        let built = tokio::select! {
            built = app() => built,
            name = signals.stop() => return stopped_early(name, &log),
        };
        match built {
            Ok(app) => match Command::asked() {
                Ok(None) => {
                    log.apply(&app.config().log);
                    serve(app, inherited, signals, &log).await
                }
                Ok(Some(command)) => answer(&command, &app),
                Err(wrong) => failure(&log, &wrong),
            },
            Err(error) => match error.into() {
                error if error.downcast_ref::<BuildErrors>().is_some() => {
                    failure(&log, &format!("the app cannot be built\n\n{error}"))
                }
                error => failure(&log, &format!("the app cannot start: {error}")),
            },
        }
    });
    // Blocking work that is still under way does not keep a stopped app alive.
    runtime.shutdown_timeout(Duration::from_secs(1));
    log.end();
    code
}

fn answer(command: &Command, app: &App) -> ExitCode {
    let (answer, is_good) = command.answer(app);
    // Who has closed standard output, as `head` does, has read enough.
    let _ = io::stdout().write_all(answer.as_bytes());
    match is_good {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// A service manager has its stop. Who has asked something has no answer.
fn stopped_early(name: &str, log: &Log) -> ExitCode {
    match Command::asked() {
        Ok(None) => {
            info!("{name}: stopped before the app was ready");
            ExitCode::SUCCESS
        }
        _ => failure(log, &format!("{name}: stopped before there was an answer")),
    }
}

async fn serve(app: App, inherited: Inherited, mut signals: Signals, log: &Log) -> ExitCode {
    let config = app.config();
    for (key, value, origin) in config
        .in_force()
        .filter(|(.., origin)| !origin.is_default())
    {
        debug!("{key} = {value} ({origin})");
    }
    let listeners = Listeners::bind_or_take(config, inherited);
    let listeners = match listeners.await {
        Ok(listeners) => listeners,
        Err(errors) => return failure(log, &errors.to_string()),
    };
    let (reload, reloads) = tokio::sync::mpsc::channel(1);
    let mut reloading = std::pin::pin!(Reloading::of(&app.core, listeners.tls()).run(log, reloads));
    announce(&listeners, config, log);

    let stopping = match config.server.shutdown_delay {
        Duration::ZERO => "stopping".to_owned(),
        delay => format!("stopping in {}", humantime::format_duration(delay)),
    };
    // The first signal stops the app, the second one ends the wait for it.
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let served = app.serve(listeners, async {
        let _ = stopped.await;
    });
    let mut served = std::pin::pin!(served);
    loop {
        tokio::select! {
            ended = &mut served => return outcome(ended, log),
            signal = signals.next() => match signal {
                Signal::Stop(name) => {
                    info!("{name}: {stopping}");
                    break;
                }
                // When one waits already, it stands for this one too.
                Signal::Reload => drop(reload.try_send(())),
            },
            () = &mut reloading => {}
        }
    }
    let _ = stop.send(());
    loop {
        tokio::select! {
            ended = &mut served => return outcome(ended, log),
            signal = signals.next() => if let Signal::Stop(name) = signal {
                return failure(log, &format!("{name} again: not waiting any longer"));
            },
        }
    }
}

fn outcome<E: std::fmt::Display>(ended: Result<(), E>, log: &Log) -> ExitCode {
    match ended {
        Ok(()) => {
            info!("stopped");
            ExitCode::SUCCESS
        }
        Err(error) => failure(log, &error.to_string()),
    }
}

fn announce(listeners: &Listeners, config: &Config, log: &Log) {
    for url in listeners.urls() {
        log.tell(&format!("listening on {url} ({})", config.environment));
    }
}

fn failure(log: &Log, message: &str) -> ExitCode {
    log.say_error(message);
    ExitCode::FAILURE
}

/// What the app is told from outside.
enum Signal {
    /// To stop, by what is named.
    Stop(&'static str),
    /// To read its routes and views again.
    Reload,
}

/// SIGTERM, SIGINT and SIGHUP; elsewhere than on Unix, Ctrl-C.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
    #[cfg(unix)]
    on_terminal: bool,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            on_terminal: io::stderr().is_terminal(),
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Signal::Stop("SIGINT"),
            // It also comes when the terminal is closed, and then nobody is there any more.
            _ = self.hangup.recv() => match self.on_terminal && !io::stderr().is_terminal() {
                true => Signal::Stop("SIGHUP, as the terminal is closed"),
                false => Signal::Reload,
            },
        }
    }
}

impl Signals {
    /// The name of the next one that stops; there is nothing to read again yet.
    async fn stop(&mut self) -> &'static str {
        loop {
            if let Signal::Stop(name) = self.next().await {
                return name;
            }
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Signals {})
    }

    async fn next(&mut self) -> Signal {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Signal::Stop("Ctrl-C"),
            Err(_) => std::future::pending().await,
        }
    }
}
