//! What the `nova` command asks cargo to run, and with which question.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

/// Runs `nova` with a cargo that tells how it was called, and fails if it is to.
fn nova(arguments: &[&str], fails: bool) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let cargo = folder.path().join("cargo");
    let exit = if fails { "exit 101" } else { "exit 0" };
    let script = format!("#!/bin/sh\necho \"$@ | $NOVA_COMMAND | $NOVA_ENV\"\n{exit}\n");
    std::fs::write(&cargo, script).unwrap();
    std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).unwrap();
    Command::new(env!("CARGO_BIN_EXE_nova"))
        .args(arguments)
        .env("CARGO", &cargo)
        .env_remove("NOVA_ENV")
        .output()
        .unwrap()
}

#[test]
fn a_question_reaches_the_app_through_cargo() {
    for (arguments, expected) in [
        (&["check"][..], "run --quiet | check | "),
        (&["routes", "--env", "prod"], "run --quiet | routes | prod"),
        (
            &["routes", "--json", "-p", "shop", "--bin", "web"],
            "run --quiet --package shop --bin web | routes json | ",
        ),
        (
            &["--example", "hello", "explain", "GET", "/hello/ann"],
            "run --quiet --example hello | explain GET /hello/ann | ",
        ),
    ] {
        let output = nova(arguments, false);
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim_end(),
            expected.trim_end()
        );
        assert!(output.status.success());
    }
}

#[test]
fn an_app_that_is_wrong_makes_the_command_fail() {
    assert_eq!(nova(&["check"], true).status.code(), Some(1));
}

#[test]
fn an_unknown_command_says_which_there_are() {
    let output = nova(&["rotes"], false);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said.contains("a similar subcommand exists: 'routes'"),
        "{said}"
    );
}
