//! What many connections take that say nothing.

use std::time::Duration;

use super::crowd::{self, Crowd};
use super::{CONTENDERS, REST};
use crate::Result;
use crate::server;

/// As long as it takes to see a ping and its pong.
const PINGED: Duration = Duration::from_secs(30);

/// Connects so many to Nova, and prints what memory that takes, of the process and of the kernel.
#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
pub(crate) fn measure(count: usize) -> Result {
    crowd::raise_descriptors()?;
    server::build("bench-ws")?;
    let nova = CONTENDERS
        .iter()
        .find(|contender| contender.server.is_none());
    let nova = nova.ok_or("nova is not among the contenders")?;
    let server = server::on_first_core(|| nova.start())?;
    let (before, kernel_before) = (server.resident_bytes()?, kernel_bytes()?);
    let (mut crowd, connected_in) = Crowd::connect(&server, nova.path, count)?;
    println!("{count} connections in {:.2} s", connected_in.as_secs_f64());
    for (time, state) in [(REST, "at rest"), (PINGED, "after 30 s, pinged once")] {
        let cpu = server.cpu_time()?;
        crowd.idle(time)?;
        let cpu = (server.cpu_time()? - cpu).as_secs_f64();
        let each = |bytes: u64| bytes as f64 / 1024.0 / count as f64;
        println!(
            "{state}: {:.2} KiB of the process and {:.2} KiB of the kernel for each connection (both ends), \
             {cpu:.2} s of processor time",
            each(server.resident_bytes()?.saturating_sub(before)),
            each(kernel_bytes()?.saturating_sub(kernel_before)),
        );
    }
    Ok(())
}

/// What the kernel has for itself, of which sockets are a part.
fn kernel_bytes() -> Result<u64> {
    let told = std::fs::read_to_string("/proc/meminfo")?;
    server::kib_of(&told, "Slab:").ok_or_else(|| "the kernel does not tell its memory".into())
}
