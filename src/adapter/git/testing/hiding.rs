//! What git says nothing of, and what keeps a worktree all the same.

use super::*;

const MARKED: &str = "1 file marked assume-unchanged or skip-worktree";
const INNER: &str = "submodules with repositories or files of their own";

fn preserved_file(handle: &WorkspaceHandle, id: &str, file: &str) -> String {
    let preserved = preserve(handle, &session(id), &[".env*".to_owned()]).unwrap();
    plain(&handle.path, &["show", &format!("{}:{file}", preserved.sha)])
}

#[test]
fn a_change_of_a_file_that_is_left_out_is_kept_and_preserved() {
    let place = Place::new();
    std_fs::write(place.repo.main.join("b.txt"), "two\n").unwrap();
    std_fs::write(place.repo.main.join(".env"), "A=1\n").unwrap();
    plain(&place.repo.main, &["add", "-f", "b.txt", ".env"]);
    plain(&place.repo.main, &["commit", "-qm", "more"]);
    let handle = place.add(&place.new_worktree("web-1"));
    let path = &handle.path;

    // As a sparse checkout has it: there is nothing that could be lost.
    plain(path, &["update-index", "--skip-worktree", "b.txt"]);
    std_fs::remove_file(path.join("b.txt")).unwrap();
    assert_eq!(place.kept(&handle, "web-1"), [""; 0]);

    for (file, both) in [("a.txt", false), (".env", false), ("a.txt", true)] {
        std_fs::write(path.join(file), "mine\n").unwrap();
        plain(path, &["update-index", "--skip-worktree", file]);
        if both {
            plain(path, &["update-index", "--assume-unchanged", file]);
        }
        assert_eq!(plain(path, &["status", "--porcelain"]), "");
        assert_eq!(place.kept(&handle, "web-1"), [MARKED]);
        assert_eq!(preserved_file(&handle, "web-1", file), "mine");
        assert_eq!(preserved_file(&handle, "web-1", "b.txt"), "two", "it is left out, not deleted");
        let assess =
            |ours: &[PathBuf]| assess(&handle, &session("web-1"), &place.root(), &[], ours, MINUTE);
        assert!(matches!(assess(&[file.into()]), Assessment::Removable { .. }), "ao's own mark");
        assert_eq!(assess(&["other".into()]), Assessment::Keep(vec![Keep::Hidden(1)]));
        plain(path, &["update-index", "--no-skip-worktree", "--", file]);
        plain(path, &["update-index", "--no-assume-unchanged", "--", file]);
        plain(path, &["checkout", "-q", file]);
    }
    assert!(Keep::Hidden(1).is_forcible());
}

#[test]
fn a_repository_inside_is_kept_although_its_commit_is_committed() {
    let place = Place::new();
    let handle = place.add(&place.new_worktree("web-1"));
    let path = &handle.path;
    let inner = path.join("vendor/n\u{e4}h");
    std_fs::create_dir_all(&inner).unwrap();
    let commit = ["commit", "-q", "--allow-empty", "-m", "x"];
    let identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
    plain(&inner, &["init", "-q"]);
    plain(&inner, &[&identity[..], &commit].concat());
    plain(path, &["-c", "advice.addEmbeddedRepo=false", "add", "."]);
    plain(path, &["commit", "-qm", "link"]);
    assert_eq!(plain(path, &["status", "--porcelain", "--ignored"]), "");
    assert_eq!(place.kept(&handle, "web-1"), [INNER]);
    let nested = preserve(&handle, &session("web-1"), &[]);
    assert!(matches!(nested, Err(GitError::NestedRepository { .. })), "{nested:?}");
    let pool = Pool::beside(&handle.path, 2, false).unwrap();
    let why = "there is a place for another repository in it";
    assert_eq!(refuses(&place.repo, &handle, &pool).unwrap().as_deref(), Some(why));

    // Nor does git tell of files where the repository would be.
    std_fs::remove_dir_all(&inner).unwrap();
    std_fs::create_dir_all(&inner).unwrap();
    assert_eq!(place.kept(&handle, "web-1"), [""; 0]);
    std_fs::write(inner.join("work"), "x").unwrap();
    assert_eq!(plain(path, &["status", "--porcelain", "--ignored", "-uall"]), "");
    assert_eq!(place.kept(&handle, "web-1"), [INNER]);
}
