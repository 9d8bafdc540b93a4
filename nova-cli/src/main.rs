//! The `nova` command: asks an app about its routes, and whether it is right.
//!
//! Only the app knows its actions, plugins and handlers. So the command lets cargo run the app with
//! the question in an environment variable, and the app answers: see [`nova_core::Command`].

use std::process::{self, ExitCode, Stdio};

use clap::{Args, Parser, Subcommand};
use nova_core::Command;

/// Asks a Nova app about itself. Run it in the folder of the app.
#[derive(Debug, Parser)]
#[command(name = "nova", version)]
struct Nova {
    #[command(subcommand)]
    question: Question,
    #[command(flatten)]
    app: TheApp,
}

#[derive(Debug, Subcommand)]
enum Question {
    /// Build the app, and tell what is wrong with its code, its routes and its settings
    Check,
    /// List the routes: what each answers, who answers, and where it stands
    Routes {
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Say which route answers a request, or why none does
    Explain {
        /// The method, such as GET
        method: String,
        /// A path, or a URL where the host matters or a WebSocket is meant: ws://example.com/chat
        target: String,
    },
}

/// Which app, and where it runs.
#[derive(Debug, Args)]
struct TheApp {
    /// The package of the app, where a workspace has several
    #[arg(short, long, global = true)]
    package: Option<String>,
    /// The binary of the app, where its package has several
    #[arg(long, global = true)]
    bin: Option<String>,
    /// The example that is the app
    #[arg(long, global = true, conflicts_with = "bin")]
    example: Option<String>,
    /// The environment: dev or prod
    #[arg(long, global = true)]
    env: Option<String>,
}

fn main() -> ExitCode {
    let Nova { question, app } = Nova::parse();
    let command = match question {
        Question::Check => Command::Check,
        Question::Routes { json } => Command::Routes { json },
        Question::Explain { method, target } => Command::Explain { method, target },
    };
    match app.cargo(&command).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        // Cargo and the app have said why.
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: cargo does not start: {error}\nhelp: install Rust, by rustup");
            ExitCode::FAILURE
        }
    }
}

impl TheApp {
    fn cargo(&self, command: &Command) -> process::Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut cargo = process::Command::new(cargo);
        cargo.args(["run", "--quiet"]);
        for (option, value) in [
            ("--package", &self.package),
            ("--bin", &self.bin),
            ("--example", &self.example),
        ] {
            if let Some(value) = value {
                cargo.args([option, value]);
            }
        }
        cargo.env(Command::VARIABLE, command.to_string());
        if let Some(environment) = &self.env {
            cargo.env("NOVA_ENV", environment);
        }
        cargo.stdin(Stdio::null());
        cargo
    }
}
