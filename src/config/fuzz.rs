//! Fuzz targets for configuration, the user's and a repository's: what is wrong is named by file
//! and line, and a repository never gets what is not its to set.

use std::path::{Path, PathBuf};

use super::edit::{value_of, with_value};
use super::layers::{Source, check_user_text, merge, parse, parse_user};
use super::{Config, ConfigError, FromRepository, KEYS, Key, Place, keys, reference};
use crate::fuzz::{Target, target};
use crate::model::sanitize;

/// Every key, as a file would set it.
fn every_key() -> String {
    let line = |key: &super::Key| key.default.map(|value| format!("{} = {value}\n", key.path));
    KEYS.iter().filter_map(line).collect()
}

fn files(name: &'static str) -> Target {
    let keys: Vec<String> = KEYS.iter().map(|key| key.path.replace('*', "a")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    target(name)
        .seed(every_key())
        .seed(reference())
        .seed("[notifiers.a]\nkind = \"webhook\"\nurl = \"https://h.example/s3cret\"\n[env]\nA = \"b\"\n")
        .seed("[projects.app]\nagent = \"codex\"\n[projects.app.reactions.ci-failed]\naction = \"none\"\n")
        .seed("[workspace]\ncopy = [\"a\"]\npost_create = [[\"make\", \"x\"]]\nsymlinks = [\"../x\"]\n")
        .words(&keys)
        .words(&["[[", "]]", "[notifiers.x]", "[projects.x]", "\"\"\"", "bypass", "permission"])
}

fn assert_named(error: &ConfigError, text: &str) {
    let told = sanitize::chain(error);
    assert!(!told.contains(char::is_control), "{told:?}");
    assert!(told.len() < 4000 + 2 * text.len().min(4000), "{}", told.len());
    let place = match error {
        ConfigError::Syntax { place, .. }
        | ConfigError::UnknownKey { place, .. }
        | ConfigError::WrongValue { place, .. }
        | ConfigError::NotFromRepository { place, .. }
        | ConfigError::Inconsistent { place, .. } => place,
        ConfigError::File(_) | ConfigError::NotText(_) => panic!("{told}"),
    };
    if let Place::File(path, line) = place {
        assert!(told.contains(&format!("{}:{line}", path.display())), "{told}");
        assert!((1..=text.lines().count().max(1) + 1).contains(line), "{told}");
    }
}

#[test]
fn fuzz_user_configuration() {
    let path = Path::new("/user/config.toml");
    files("user-configuration").run_text(|text| {
        if let Err(error) = check_user_text(path, text) {
            assert_named(&error, text);
        } else if let Ok((user, _)) = parse_user(path, text) {
            let merged = merge(&[user]).unwrap();
            assert!(merged.config.workspace.keep.iter().any(|pattern| pattern == ".env*"));
        }
    });
}

#[test]
fn fuzz_repository_configuration() {
    let (path, plain) = (PathBuf::from("/repo/.ao/config.toml"), Config::default());
    files("repository-configuration").run_text(|text| {
        let layer = match parse(Source::Repository(path.clone(), text.to_owned()), text) {
            Ok(layer) => layer,
            Err(error) => return assert_named(&error, text),
        };
        match merge(&[layer]) {
            Ok(merged) => {
                let config = &merged.config;
                assert_eq!((&config.env, &config.notifiers), (&plain.env, &plain.notifiers));
                assert_ne!(config.permission.as_deref(), Some("bypass"));
                for (key, origin) in merged.origins() {
                    if !matches!(origin, super::Origin::BuiltIn) {
                        let path: Vec<String> = key.split('.').map(str::to_owned).collect();
                        let known = keys::find(&path);
                        let is_its = |it: &Key| it.from_repository != FromRepository::Refused;
                        assert!(known.is_some_and(is_its), "{key}");
                    }
                }
            }
            Err(error) => assert_named(&error, text),
        }
    });
}

#[test]
fn fuzz_config_set() {
    let path = Path::new("/user/config.toml");
    let file = "# mine\nagent = \"codex\" # this one\n\n[env]\nA = \"b\"\n";
    let target =
        files("config-set").seed("[\"a\", 'b']").seed("{ kind = \"file\", path = \"/x\" }");
    target.run_text(|text| {
        if text.len() > 100_000 {
            return;
        }
        for key in KEYS {
            let names: Vec<String> =
                key.path.replace('*', "a").split('.').map(str::to_owned).collect();
            let Ok(value) = value_of(&names, text) else { continue };
            let Ok(written) = with_value(path, file, &names, &value) else { continue };
            assert!(written.contains("# mine\n"), "{written}");
            let table: toml::Table = written.parse().unwrap();
            let whole = toml::Value::Table(table);
            let found = names.iter().try_fold(&whole, |at, name| at.get(name)).cloned();
            assert_eq!(found.as_ref(), Some(&value), "{} in {written}", key.path);
        }
    });
}
