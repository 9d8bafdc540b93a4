//! How many instructions a server takes for a request, without those of the kernel.
//!
//! `cargo run --release -p nova-bench -- instructions` runs each server in valgrind's callgrind, which has
//! to be installed, and asks it on one connection. The figures are the same in every run but for a few in a
//! thousand, whatever else the machine does: so they show what a change is worth. What each call of the
//! kernel costs they do not show. The profiles stay beside the program, for `callgrind_annotate`;
//! with `CARGO_PROFILE_RELEASE_DEBUG=1` they name lines.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::cases::Case;
use crate::server::Server;
use crate::{Result, load};

/// Before it counts: buffers are filled then.
const WARM_UP: usize = 300;
const ROUNDS: usize = 500;

pub(crate) fn count(cases: &[Case]) -> Result {
    let folder = std::env::current_exe()?.with_file_name("callgrind");
    std::fs::create_dir_all(&folder)?;
    let profile = |server: &str| folder.join(server);
    let servers = Server::start_all_within(|server| {
        let out = format!("--callgrind-out-file={}", profile(server).display());
        ["valgrind", "--quiet", "--tool=callgrind", &out]
            .map(Into::into)
            .into()
    })?;
    print!("{:<20}", "");
    for server in &servers {
        print!("{:>12}", server.name);
    }
    println!();
    for (index, case) in cases.iter().enumerate() {
        print!("{:<20}", case.name);
        for server in &servers {
            load::rounds(server, case, WARM_UP)?;
            control(server, "--zero")?;
            let answers = load::rounds(server, case, ROUNDS)?;
            control(server, "--dump")?;
            let mut dumped = profile(server.name).into_os_string();
            dumped.push(format!(".{}", index + 1));
            print!("{:>12}", total(dumped.into())? / answers);
        }
        println!();
    }
    Ok(())
}

fn control(server: &Server, word: &str) -> Result {
    let status = Command::new("callgrind_control")
        .args([word, &server.process_id().to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("`callgrind_control {word}` fails").into()),
    }
}

fn total(profile: PathBuf) -> Result<u64> {
    let profile = std::fs::read_to_string(&profile)?;
    let total = profile
        .lines()
        .find_map(|line| line.strip_prefix("totals: "));
    Ok(total.ok_or("a profile without its total")?.trim().parse()?)
}
