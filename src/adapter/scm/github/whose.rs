//! Whose a pull request is: which account the token is of, and which of several counts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::GitHub;
use super::cache::Listed;
use crate::adapter::clock;
use crate::adapter::fs::{self, Durability};
use crate::adapter::scm::ForgeError;
use crate::model::forge::Subject;
use crate::model::time::Timestamp;

/// How long it is remembered whose a token is: accounts can be renamed.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

#[derive(Serialize, Deserialize)]
struct Account {
    version: u32,
    token: String,
    login: String,
    at: Timestamp,
}

impl GitHub {
    /// Returns the accounts whose pull requests are the sessions' own.
    pub(super) fn accounts(&self) -> Result<Vec<String>, ForgeError> {
        let login = self.client.login(|| self.account())?;
        let mut accounts = vec![login];
        accounts.extend(self.watch.authors.iter().cloned());
        Ok(accounts)
    }

    /// Returns whether an account is one of them; [`GitHub::accounts`] was asked before.
    pub(super) fn is_own_account(&self, login: &str) -> bool {
        let own = self.accounts().unwrap_or_default();
        own.iter().any(|own| own.eq_ignore_ascii_case(login))
    }

    /// Returns whose token it is, asking where that is not remembered.
    fn account(&self) -> Result<String, ForgeError> {
        let path = self.client.directory().map(|directory| directory.join("account.json"));
        let (token, now) = (self.client.token_fingerprint()?, clock::now());
        let known = path.as_deref().and_then(|path| {
            let bytes = fs::read_regular(path, 1 << 16).ok()??;
            let account: Account = serde_json::from_slice(&bytes).ok()?;
            let fresh = account.at <= now && now.since(account.at) < REMEMBERED;
            (account.version == 1 && account.token == token && fresh).then_some(account.login)
        });
        if let Some(login) = known {
            return Ok(login);
        }
        let login = self.ask_login()?;
        let account = Account { version: 1, token, login: login.clone(), at: now };
        if let Some((path, directory)) = path.as_deref().and_then(|it| Some((it, it.parent()?))) {
            let bytes = serde_json::to_vec(&account).expect("an account is JSON");
            let _ = fs::create_private_directories(directory)
                .and_then(|()| fs::replace(path, &bytes, Durability::Process));
        }
        Ok(login)
    }
}

/// Returns the pull request that counts for `subject`: the `known` one while it is open, else the
/// newest open one of its own, else the last that there was.
pub(super) fn choose<'a>(
    subject: &Subject,
    known: Option<&Listed>,
    own: impl Iterator<Item = &'a Listed>,
) -> Option<u64> {
    let own: Vec<&Listed> = own.collect();
    let newest = |open: bool| own.iter().filter(|it| it.open || !open).map(|it| it.number).max();
    match subject.number {
        Some(number) if known.is_some_and(|known| known.open) => Some(number),
        Some(number) => Some(newest(true).filter(|it| *it > number).unwrap_or(number)),
        None => newest(true).or_else(|| newest(false)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lifecycle::PrState;

    #[test]
    fn the_open_one_counts() {
        let at: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let listed = |number, open| Listed {
            node: format!("PR_{number}"),
            number,
            branch: "ao/web-1".to_owned(),
            head_repository: None,
            base_repository: "me/app".to_owned(),
            author: "me".to_owned(),
            created_at: at,
            updated_at: at,
            open,
            claimed: false,
        };
        let subject = |number| Subject {
            id: "web-1".parse().unwrap(),
            branch: "ao/web-1".to_owned(),
            base_ref: None,
            base_sha: None,
            workspace: "/w".into(),
            number,
            head_sha: None,
            state: PrState::None,
            created_at: None,
        };
        type Row = (Option<u64>, &'static [(u64, bool)], Option<u64>);
        let table: [Row; 9] = [
            (None, &[], None),
            (None, &[(3, false)], Some(3)),
            (None, &[(3, true), (4, false)], Some(3)),
            (None, &[(3, true), (4, true)], Some(4)),
            (Some(3), &[(3, true), (4, true)], Some(3)),
            (Some(3), &[(3, false), (4, true)], Some(4)),
            (Some(3), &[(3, false), (4, false)], Some(3)),
            (Some(9), &[(9, false), (4, true)], Some(9)),
            (Some(7), &[], Some(7)),
        ];
        for (number, there, expected) in table {
            let own: Vec<Listed> =
                there.iter().map(|(number, open)| listed(*number, *open)).collect();
            let known = own.iter().find(|it| Some(it.number) == number);
            assert_eq!(
                choose(&subject(number), known, own.iter()),
                expected,
                "{number:?} {there:?}"
            );
        }
    }
}
