//! What `[server]` may say.

use super::app;

#[test]
fn what_makes_no_sense_is_told_at_the_start_with_its_place() {
    for line in [
        "head_limit = 100",
        "head_limit = 1_000_000_000",
        "head_fields = 0",
        "head_timeout = 0",
        "keep_alive_timeout = 'soon'",
        "body_timeout = 0",
        "send_timeout = 0",
        "half_closed_timeout = -1",
        "connections = 0",
    ] {
        let told = app(line).unwrap_err();
        let (name, _) = line.split_once(' ').unwrap();
        assert!(told.contains(&format!("`{name}` is wrong")), "{told}");
        assert!(told.contains("nova.toml:2:"), "{told}");
    }
}
