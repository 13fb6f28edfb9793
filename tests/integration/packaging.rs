//! What a release and a Debian package hold: everything there is, each thing in its place.
#![expect(clippy::print_stderr, reason = "says what could not be tried")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::env::{TestEnvironment, program_in_path};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the files of a folder of the tree, relative to it.
fn files(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    files.map(|entry| format!("{folder}/{}", entry.file_name().to_str().unwrap())).collect()
}

/// Returns source and destination of each asset of the Debian package, patterns resolved.
fn assets() -> Vec<(String, String)> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap();
    let mut resolved = Vec::new();
    for asset in assets {
        let word = |index: usize| asset[index].as_str().unwrap().to_owned();
        let (source, place, mode) = (word(0), word(1), word(2));
        let is_program = source == "target/release/ao";
        assert_eq!(mode, if is_program { "755" } else { "644" }, "{source}");
        match source.split_once('*') {
            None => {
                assert!(is_program || root().join(&source).is_file(), "{source} is not there");
                resolved.push((source, place));
            }
            Some((start, end)) => {
                assert!(place.ends_with('/'), "{source}: {place}");
                let matching: Vec<String> = files(start.trim_end_matches('/'))
                    .into_iter()
                    .filter(|file| file.ends_with(end))
                    .collect();
                assert!(!matching.is_empty(), "{source} is nothing");
                resolved.extend(matching.into_iter().map(|file| {
                    let name = file.rsplit('/').next().unwrap().to_owned();
                    (file, format!("{place}{name}"))
                }));
            }
        }
    }
    resolved
}

#[test]
fn the_package_holds_every_page_completion_and_unit() {
    let assets = assets();
    let packed: BTreeSet<&str> = assets.iter().map(|(source, _)| source.as_str()).collect();
    for folder in ["man", "completions", "systemd"] {
        for file in files(folder) {
            assert!(packed.contains(file.as_str()), "{file} is in no package");
        }
    }
    let places: BTreeSet<&str> = assets.iter().map(|(_, place)| place.as_str()).collect();
    for place in [
        "usr/bin/ao",
        "usr/share/man/man1/ao.1",
        "usr/share/man/man1/ao-config-set.1",
        "usr/share/bash-completion/completions/ao",
        "usr/share/zsh/vendor-completions/_ao",
        "usr/share/fish/vendor_completions.d/ao.fish",
        "usr/lib/systemd/user/ao-reap.service",
        "usr/lib/systemd/user/ao-reap.timer",
    ] {
        assert!(places.contains(place), "nothing is installed at {place}");
    }
    assert_eq!(places.len(), assets.len(), "two assets for one place");
    let service = fs::read_to_string(root().join("systemd/ao-reap.service")).unwrap();
    assert!(service.contains("ExecStart=/usr/bin/ao reap"), "{service}");
}

#[test]
fn the_crate_holds_what_it_is_built_from() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let excluded = manifest["package"]["exclude"].as_array().unwrap();
    let excluded: Vec<&str> = excluded.iter().map(|it| it.as_str().unwrap()).collect();
    for needed in ["src", "man", "completions", "systemd", "docs", "fixtures", "tests"] {
        assert!(!excluded.iter().any(|it| it.trim_matches('/') == needed), "{needed} is left out");
    }
}

/// A program that is linked statically, `None` where there is no static C library.
fn static_program(env: &TestEnvironment) -> Option<PathBuf> {
    let cc = program_in_path("cc")?;
    let (source, program) = (env.path("ao.c"), env.path("static-ao"));
    fs::write(&source, "int main(void) { return 0; }\n").unwrap();
    let build = env.command(cc).arg("-static").arg("-o").arg(&program).arg(&source);
    (env.run(&build).status == 0).then_some(program)
}

#[test]
fn a_release_is_the_same_every_time_and_refuses_what_is_not_static() {
    let env = TestEnvironment::new();
    let release = |binary: &Path, dist: &str| {
        let script = env.command("sh").arg(root().join("script/release"));
        let script = script.env("AO_BINARY", binary).env("AO_DIST", env.path(dist));
        let script = script.env("SOURCE_DATE_EPOCH", "1767225600").env("AO_TARGET", "some-linux");
        env.run(&script)
    };
    let outcome = release(Path::new(env!("CARGO_BIN_EXE_ao")), "dynamic").code(1);
    assert!(outcome.stderr.contains("is not static"), "{outcome}");
    assert!(!env.path("dynamic").exists());
    let Some(program) = static_program(&env) else {
        eprintln!("there is no static C library: nothing is packed");
        return;
    };
    let first = release(&program, "first").success();
    assert!(first.stdout.contains("SHA256SUMS") && first.stderr.contains("static"), "{first}");
    release(&program, "second").success();
    let sums = |dist: &str| fs::read_to_string(env.path(dist).join("SHA256SUMS")).unwrap();
    assert_eq!(sums("first"), sums("second"));
    let check = env.command("sha256sum").args(["-c", "SHA256SUMS"]).cwd(env.path("first"));
    env.run(&check).success();

    let name = format!("ao-{}-some-linux", env!("CARGO_PKG_VERSION"));
    let archive = env.path("first").join(format!("{name}.tar.gz"));
    let listed = env.run(&env.command("tar").arg("-tzf").arg(&archive)).success().stdout;
    let packed: BTreeSet<&str> =
        listed.lines().filter_map(|line| line.strip_prefix(&format!("{name}/"))).collect();
    for folder in ["man", "completions", "systemd"] {
        for file in files(folder) {
            assert!(packed.contains(file.as_str()), "{file} is not in {listed}");
        }
    }
    for file in ["ao", "README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        assert!(packed.contains(file), "{file} is not in {listed}");
    }
    let details = env.run(&env.command("tar").arg("-tvzf").arg(&archive)).success().stdout;
    assert!(details.lines().all(|line| line.contains(" 0/0 ") && line.contains("2026-01-01")));
}
