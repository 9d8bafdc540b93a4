//! Services that the tests use if they are there.

use std::io::Write;

/// Says what is skipped and what to install, or fails if services are required.
pub(crate) fn missing(what: &str) {
    let required = std::env::var("NOVA_TEST_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
    assert!(!required, "missing for {what}");
    // Past the capture of test output, so that it is seen.
    let _ = writeln!(std::io::stderr(), "skipped {what}");
}
