//! Folders as people leave them, and as somebody hostile prepares them.

use std::error::Error as _;
use std::fs;
use std::os::unix::fs::{FileExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use expect_test::{Expect, expect};
use rustix::fs::{FileType, Mode};
use steadyhand_library::built_in::practice;
use steadyhand_library::document::Folder;
use steadyhand_library::git::GitState;
use steadyhand_library::library::{Library, Root};
use steadyhand_library::read::{
    DOCUMENT_BYTES_MAX, ENTRIES_MAX, LIBRARY_BYTES_MAX, ReadError, read, read_file,
};
use steadyhand_model::plan::LibraryStatus;
use tempfile::TempDir;

fn library(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

const TWO: [(&str, &str); 2] =
    [("runbooks/a.yaml", "kind: Runbook\n"), ("environments/p.yaml", "")];

fn message(root: &Path, error: &ReadError) -> String {
    let mut text = format!("{} {error}", error.code());
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(&format!("\n  because {source}"));
        cause = source.source();
    }
    format!("{text}\n  help: {}", error.help()).replace(&root.display().to_string(), "ROOT")
}

fn paths(library: &Library) -> Vec<&str> {
    library.documents().iter().map(|document| document.path.as_str()).collect()
}

#[test]
fn documents_are_read_sorted_and_the_rest_is_passed_over() {
    let root = library(&[
        ("runbooks/b.yaml", "b"),
        ("runbooks/a.yaml", "a\u{0}\u{ff}"),
        ("runbooks/README.md", "x"),
        ("runbooks/.a.yaml.swp", "x"),
        ("runbooks/.hidden.yaml", "x"),
        ("runbooks/sub/c.yaml", "x"),
        ("runbooks/folder.yaml/x", "x"),
        ("environments/practice.yaml", ""),
        ("people.yaml", "x"),
        ("other/d.yaml", "x"),
    ]);
    let read = read(root.path()).unwrap();
    assert_eq!(read.root(), &Root::Folder(root.path().to_owned()));
    assert_eq!(paths(&read), ["environments/practice.yaml", "runbooks/a.yaml", "runbooks/b.yaml"]);
    assert_eq!(&*read.documents()[1].bytes, "a\u{0}\u{ff}".as_bytes());
    assert_eq!(read.in_folder(Folder::Environments).count(), 1);
    let git = GitState { commit: Some("c".to_owned()), dirty: true };
    let reference = read.reference(&git);
    assert_eq!((reference.commit, reference.dirty), (git.commit, git.dirty));
    assert_eq!((reference.status, reference.digest), (LibraryStatus::Draft, read.digest()));
}

#[test]
fn the_digest_depends_on_paths_and_bytes_alone() {
    let digest = |files: &[(&str, &str)]| read(library(files).path()).unwrap().digest();
    let base = digest(&TWO);
    assert_eq!(digest(&TWO), base);
    assert_eq!(digest(&[TWO[1], TWO[0], ("runbooks/README.md", "x")]), base);
    assert_ne!(digest(&[TWO[0], ("environments/p.yaml", " ")]), base);
    assert_ne!(digest(&[TWO[0], ("environments/q.yaml", "")]), base);
    assert_ne!(digest(&[TWO[0]]), base);
}

/// What a library of two documents and something else says when it is read.
fn check_refused(spoil: impl FnOnce(&Path), want: &Expect) {
    let root = library(&TWO);
    spoil(root.path());
    let error = read(root.path()).expect_err("the library should be refused");
    want.assert_eq(&message(root.path(), &error));
}

#[test]
fn nothing_outside_the_library_is_read() {
    let secret = library(&[("runbooks/secret.yaml", "secret")]);
    let at = |path: &str| secret.path().join(path);
    check_refused(
        |root| symlink(at("runbooks/secret.yaml"), root.join("runbooks/b.yaml")).unwrap(),
        &expect![[r#"
            SH0623 `runbooks/b.yaml` is a link, and links are not followed
              help: put the file itself there; what a link names may change unseen"#]],
    );
    check_refused(
        |root| symlink("a.yaml", root.join("runbooks/b.yaml")).unwrap(),
        &expect![[r#"
            SH0623 `runbooks/b.yaml` is a link, and links are not followed
              help: put the file itself there; what a link names may change unseen"#]],
    );
    check_refused(
        |root| {
            fs::remove_dir_all(root.join("runbooks")).unwrap();
            symlink(at("runbooks"), root.join("runbooks")).unwrap();
        },
        &expect![[r#"
            SH0623 `runbooks` is a link, and links are not followed
              help: put the file itself there; what a link names may change unseen"#]],
    );
    check_refused(
        |root| symlink("nowhere", root.join("environments/dangling.yaml")).unwrap(),
        &expect![[r#"
            SH0623 `environments/dangling.yaml` is a link, and links are not followed
              help: put the file itself there; what a link names may change unseen"#]],
    );
    // The root itself may be named through a link.
    let link = secret.path().join("link");
    symlink(secret.path(), &link).unwrap();
    assert_eq!(paths(&read(&link).unwrap()), ["runbooks/secret.yaml"]);
}

#[test]
fn what_is_not_a_plain_file_is_refused_without_waiting_for_it() {
    let fifo = |root: &Path| {
        let mode = Mode::RUSR | Mode::WUSR;
        let path = root.join("runbooks/b.yaml");
        rustix::fs::mknodat(rustix::fs::CWD, path, FileType::Fifo, mode, 0).unwrap();
    };
    check_refused(
        fifo,
        &expect![[r#"
        SH0623 `runbooks/b.yaml` is not a plain file
          help: move it out of the folder, or give it another ending"#]],
    );
    let socket = |root: &Path| drop(UnixListener::bind(root.join("runbooks/b.yaml")).unwrap());
    check_refused(
        socket,
        &expect![[r#"
        SH0623 `runbooks/b.yaml` is not a plain file
          help: move it out of the folder, or give it another ending"#]],
    );
    check_refused(
        |root| {
            fs::remove_dir_all(root.join("runbooks")).unwrap();
            fs::write(root.join("runbooks"), "x").unwrap();
        },
        &expect![[r#"
            SH0623 `runbooks` is not a folder
              help: move it away, and make the folder that a library has there"#]],
    );
}

#[test]
fn names_that_would_be_missed_or_mislead_are_refused() {
    let file = |name: &'static str| move |root: &Path| fs::write(root.join(name), "x").unwrap();
    check_refused(
        file("runbooks/b.yml"),
        &expect![[r#"
            SH0624 `runbooks/b.yml` cannot be a document of the library
              because its name is not letters, digits, `-`, `_` and `.`, beginning with a letter or digit and ending with `.yaml`
              help: rename it, such as `restart-workload.yaml`"#]],
    );
    check_refused(
        file("runbooks/b c.yaml"),
        &expect![[r#"
            SH0624 `runbooks/b c.yaml` cannot be a document of the library
              because its name is not letters, digits, `-`, `_` and `.`, beginning with a letter or digit and ending with `.yaml`
              help: rename it, such as `restart-workload.yaml`"#]],
    );
    check_refused(
        file("runbooks/\u{202e}b\u{1b}[2J.yaml"),
        &expect![[r#"
            SH0624 `runbooks/\u{202e}b\u{1b}[2J.yaml` cannot be a document of the library
              because its name is not letters, digits, `-`, `_` and `.`, beginning with a letter or digit and ending with `.yaml`
              help: rename it, such as `restart-workload.yaml`"#]],
    );
    check_refused(
        |root| {
            let name = std::os::unix::ffi::OsStrExt::from_bytes(b"\xff.yaml");
            fs::write(root.join("runbooks").join::<&std::ffi::OsStr>(name), "x").unwrap();
        },
        &expect![[r#"
            SH0624 `runbooks/�.yaml` cannot be a document of the library
              because its name is not letters, digits, `-`, `_` and `.`, beginning with a letter or digit and ending with `.yaml`
              help: rename it, such as `restart-workload.yaml`"#]],
    );
}

#[test]
fn a_folder_without_documents_is_a_library_and_any_other_folder_is_not() {
    let empty = library(&[("runbooks/README.md", "x")]);
    assert!(read(empty.path()).unwrap().documents().is_empty());
    let other = library(&[("docs/a.yaml", "x")]);
    let error = read(other.path()).unwrap_err();
    expect![[r#"
        SH0622 `ROOT` is not a library: it has neither `runbooks` nor `environments`
          help: change into the library's folder, or name it; a library has `runbooks/` and `environments/`"#]].assert_eq(&message(other.path(), &error));
    let error = read(&other.path().join("docs/a.yaml")).unwrap_err();
    expect![[r#"
        SH0621 the library `ROOT/docs/a.yaml` cannot be opened
          because Not a directory (os error 20)
          help: give the folder of the library, and see that you may read it"#]]
    .assert_eq(&message(other.path(), &error));
    let error = read(&other.path().join("not-there")).unwrap_err();
    assert_eq!(error.code(), "SH0621");
}

/// A file of holes: large, and written at once.
fn holes(path: &Path, bytes: usize) {
    let file = fs::File::create(path).unwrap();
    file.write_all_at(b"x", u64::try_from(bytes - 1).unwrap()).unwrap();
}

#[test]
fn a_document_is_bounded_on_both_sides() {
    let root = library(&TWO);
    let path = root.path().join("runbooks/b.yaml");
    holes(&path, DOCUMENT_BYTES_MAX);
    assert_eq!(read(root.path()).unwrap().documents()[2].bytes.len(), DOCUMENT_BYTES_MAX);
    assert_eq!(read_file(&path).unwrap().len(), DOCUMENT_BYTES_MAX);
    for bytes in [DOCUMENT_BYTES_MAX + 1, 100 * 1024 * 1024] {
        holes(&path, bytes);
        let error = read(root.path()).unwrap_err();
        assert!(matches!(error, ReadError::DocumentTooLarge { .. }), "{error}");
        let error = read_file(&path).unwrap_err();
        assert!(matches!(error, ReadError::DocumentTooLarge { .. }), "{error}");
    }
    let error = read(root.path()).unwrap_err();
    expect![[r#"
        SH0625 `runbooks/b.yaml` has more than 1048576 bytes
          help: a runbook is a page of text; see what else is in the file"#]]
    .assert_eq(&message(root.path(), &error));
}

#[test]
fn a_library_is_bounded_on_both_sides() {
    let root = library(&[("environments/README.md", "x")]);
    fs::create_dir(root.path().join("runbooks")).unwrap();
    for n in 0..LIBRARY_BYTES_MAX / DOCUMENT_BYTES_MAX {
        holes(&root.path().join(format!("runbooks/{n:02}.yaml")), DOCUMENT_BYTES_MAX);
    }
    let all = read(root.path()).unwrap();
    assert_eq!(all.documents().iter().map(|d| d.bytes.len()).sum::<usize>(), LIBRARY_BYTES_MAX);
    fs::write(root.path().join("runbooks/one-more.yaml"), "x").unwrap();
    let error = read(root.path()).unwrap_err();
    expect![[r#"
        SH0625 the documents up to `runbooks/one-more.yaml` have more than 16777216 bytes together
          help: keep only documents in these folders"#]]
    .assert_eq(&message(root.path(), &error));
}

#[test]
fn a_folder_is_bounded_on_both_sides() {
    let root = library(&TWO);
    for n in 1..ENTRIES_MAX {
        fs::write(root.path().join(format!("runbooks/{n}")), "").unwrap();
    }
    assert_eq!(read(root.path()).unwrap().documents().len(), 2);
    fs::write(root.path().join("runbooks/one-more"), "").unwrap();
    let error = read(root.path()).unwrap_err();
    expect![[r#"
        SH0625 the folder `runbooks` has more than 2000 entries
          help: keep only documents in these folders"#]]
    .assert_eq(&message(root.path(), &error));
}

#[test]
fn one_file_may_be_read_alone() {
    let root = library(&TWO);
    let link = root.path().join("link");
    symlink("runbooks/a.yaml", &link).unwrap();
    assert_eq!(read_file(&link).unwrap(), TWO[0].1.as_bytes());
    let error = read_file(root.path()).unwrap_err();
    assert!(matches!(error, ReadError::NotFile { .. }), "{error}");
    let error = read_file(Path::new("/dev/zero")).unwrap_err();
    assert!(matches!(error, ReadError::NotFile { .. }), "{error}");
    let error = read_file(&root.path().join("not-there")).unwrap_err();
    assert_eq!(error.code(), "SH0626");
}

#[test]
fn the_practice_library_is_inside_the_program() {
    let library = practice().unwrap();
    assert_eq!(library.root(), &Root::BuiltIn);
    assert_eq!(
        paths(&library),
        [
            "built-in/environments/practice.yaml",
            "built-in/runbooks/restart-workload.yaml",
            "built-in/runbooks/rollback-release.yaml",
            "built-in/runbooks/scale-workload.yaml",
        ]
    );
    for document in library.documents() {
        let name = document.path.as_str().rsplit('/').next().unwrap().trim_end_matches(".yaml");
        let text = std::str::from_utf8(&document.bytes).unwrap();
        assert!(text.contains(&format!("name: {name},")), "{}", document.path);
    }
    let reference = library.reference(&GitState::NONE);
    assert_eq!((reference.commit, reference.dirty), (None, false));
    assert_eq!(reference.status, LibraryStatus::Draft);
    assert_eq!(practice().unwrap().digest(), library.digest());
}
