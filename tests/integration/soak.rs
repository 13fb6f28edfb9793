//! A minute of the soak (`script/soak`), with few sessions, beside the other tests.

use std::path::Path;
use std::time::Duration;

#[path = "../soak/driver/mod.rs"]
mod driver;

#[test]
fn a_minute_of_faults_loses_nothing_doubles_nothing_and_leaves_nothing() {
    let report = driver::run(&driver::Options {
        ao: Path::new(env!("CARGO_BIN_EXE_ao")).to_owned(),
        sessions: 8,
        hands: 3,
        time: Duration::from_secs(60),
        seed: 1,
        keep: false,
    });
    let report = report.unwrap();
    assert!(report.is_clean, "{}\n{}", report.failures, report.page);
    assert!(report.page.contains("kill -9 of the tmux server"), "{}", report.page);
}
