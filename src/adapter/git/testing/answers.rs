//! What git answers is read whole: a line of another form is an error, never absence.

use super::*;
use crate::adapter::git::base::{branch_in, default_in, head_in};
use crate::adapter::git::fill::converted_in;
use crate::adapter::git::pool::not_gits;
use crate::adapter::git::push::tip_in;
use crate::adapter::git::removal::last_in;
use crate::adapter::git::status::{Staged, staged_in};

/// Returns what was read, or which command's answer could not be, and the part of it.
fn told<T: std::fmt::Debug>(read: Result<T, GitError>) -> String {
    match read {
        Ok(read) => format!("{read:?}"),
        Err(error) => {
            error.to_string().replace("could not read the answer of ", "").replace('`', "")
        }
    }
}

#[test]
fn lists_of_refs_with_a_line_of_another_form_are_refused() {
    let heads = "a1\trefs/heads/x/main\nb2\trefs/heads/main";
    assert_eq!(told(tip_in(heads, "refs/heads/main")), "Some(\"b2\")");
    assert_eq!(told(tip_in("", "refs/heads/main")), "None");
    let warned = told(tip_in("warning: slow\nb2\trefs/heads/main", "refs/heads/main"));
    assert_eq!(warned, "git ls-remote: warning: slow");

    assert_eq!(told(branch_in("a1 ao/web\nb2 ao/web-1", "ao/web-1")), "Some(\"b2\")");
    let taken = told(branch_in("a1 ao/web", "ao/web/1"));
    assert_eq!(taken, "branch ao/web/1 cannot exist beside branch ao/web");
    assert_eq!(told(branch_in("a1", "ao/web")), "git for-each-ref: a1");

    let refs = "origin/main \norigin/HEAD origin/dev";
    assert_eq!(told(default_in(refs)), "Some(\"origin/dev\")");
    assert_eq!(told(default_in("origin/main")), "git for-each-ref: origin/main");

    assert_eq!(told(head_in("ref: refs/heads/dev\tHEAD\na1\tHEAD")), "Some(\"dev\")");
    assert_eq!(told(head_in("a1\tHEAD")), "None");
    assert_eq!(told(head_in("ref: refs/heads/dev")), "git ls-remote: ref: refs/heads/dev");
}

#[test]
fn lists_of_paths_that_are_cut_off_are_refused() {
    let attributes = b"a\0filter\0lfs\0b\0eol\0lf\0c\0ident\0unset\0";
    assert_eq!(converted_in(attributes).unwrap(), [b"a".to_vec()].into());
    assert_eq!(told(converted_in(b"")), "{}");
    assert_eq!(told(converted_in(b"a\0filter\0lfs\0b\0eol")), "git check-attr: eol");

    let staged = b"h 100644 0 0\ta\0S 160000 0 0\tb\tc\0";
    let first = Staged { mark: b'h', object: b"100644 0", stage: b"0", path: b"a" };
    let second = Staged { mark: b'S', object: b"160000 0", stage: b"0", path: b"b\tc" };
    assert_eq!(staged_in(staged).unwrap(), [first, second]);
    for odd in ["h", "h 100644 0 0", "h 100644 0 0\t", "h100644 0 0\ta", "\ta"] {
        let expected = format!("git ls-files: {}", odd.replace('\t', " "));
        assert_eq!(told(staged_in(odd.as_bytes())), expected);
    }

    assert_eq!(not_gits(b"?? a\0A  b\0!! c/\0").unwrap(), Ok(vec![&b"a"[..], b"c/"]));
    assert_eq!(not_gits(b"?? a\0 M b\0").unwrap(), Err(&b"b"[..]));
    for odd in ["M", " M ", "?? ", "??a", "MMb"] {
        assert_eq!(told(not_gits(odd.as_bytes())), format!("git status: {odd}"));
    }
}

#[test]
fn a_log_whose_last_line_names_no_commit_leads_nowhere() {
    let (old, new) = ("0".repeat(40), "a".repeat(40));
    let line = format!("{old} {new} t <t@example.org> 1 +0000\tcommit: x\n");
    assert_eq!(last_in(line.as_bytes()), Some(new));
    for log in ["", "x", "x main", "x HEAD y\n", "x abcd y\n"] {
        assert_eq!(last_in(log.as_bytes()), None, "{log:?}");
    }
}
