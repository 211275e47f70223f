//! Real repositories: clean, changed, nested, and prepared to run programs.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use expect_test::expect;
use steadyhand_library::git::{GitError, GitState, locate, state};
use steadyhand_library::read::read;
use steadyhand_process::child::{Child, Exit};
use steadyhand_process::command::{Command, Output};
use steadyhand_process::output::OutputCap;
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;

/// Time stands still while this lives, so that git may take as long as the machine needs.
struct Frozen {
    _end: mpsc::Sender<()>,
}

fn freeze() -> Frozen {
    let (end, ended) = mpsc::channel::<()>();
    // A blocking task holds tokio's paused clock still.
    tokio::task::spawn_blocking(move || ended.recv().is_err());
    Frozen { _end: end }
}

fn program() -> PathBuf {
    locate(&std::env::var_os("PATH").unwrap()).unwrap()
}

/// A repository with one commit of two documents, made by the real git.
struct Repository {
    root: TempDir,
}

impl Repository {
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let repository = Self { root };
        repository.git(&["init", "--quiet", "."]).await;
        repository.write("runbooks/a.yaml", "one\n");
        repository.write("environments/p.yaml", "two\n");
        repository.write("README.md", "three\n");
        repository.commit().await;
        repository
    }

    fn path(&self) -> &Path {
        self.root.path()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    async fn git(&self, args: &[&str]) -> String {
        let (exit, output) = self.try_git(args).await;
        assert_eq!(exit, Exit::Code(0), "{args:?}");
        output.trim_end().to_owned()
    }

    async fn try_git(&self, args: &[&str]) -> (Exit, String) {
        let cap = OutputCap::Total(1024 * 1024);
        let mut command = Command::new(program(), self.path())
            .unwrap()
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .unwrap()
            .stdout(Output::Piped(cap));
        for arg in args {
            command = command.arg(*arg).unwrap();
        }
        let mut child = Child::spawn(command).await.unwrap();
        let mut output = String::new();
        child.take_stdout().unwrap().read_to_string(&mut output).await.unwrap();
        (child.wait().await, output)
    }

    async fn commit(&self) -> String {
        self.git(&["add", "--all"]).await;
        let who = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
        let args = [&who[..], &["commit", "--quiet", "--message", "x"]].concat();
        self.git(&args).await;
        self.head().await
    }

    async fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"]).await
    }

    async fn state(&self) -> GitState {
        state_of(self.path()).await
    }
}

async fn state_of(root: &Path) -> GitState {
    state(&program(), root, &read(root).unwrap()).await.unwrap()
}

fn at(commit: &str, dirty: bool) -> GitState {
    GitState { commit: Some(commit.to_owned()), dirty }
}

#[tokio::test(start_paused = true)]
async fn documents_are_compared_with_the_commit() {
    let _frozen = freeze();
    let repository = Repository::new().await;
    let head = repository.head().await;
    assert_eq!(repository.state().await, at(&head, false));

    // What is no document does not count.
    repository.write("README.md", "changed\n");
    repository.write("runbooks/notes.txt", "new\n");
    assert_eq!(repository.state().await, at(&head, false));
    // The same bytes again, at another time.
    repository.write("runbooks/a.yaml", "one\n");
    assert_eq!(repository.state().await, at(&head, false));

    for (path, text) in [
        ("runbooks/a.yaml", "One\n"),
        ("runbooks/a.yaml", "longer\n"),
        ("runbooks/b.yaml", "new\n"),
    ] {
        repository.write(path, text);
        assert_eq!(repository.state().await, at(&head, true), "{path} {text}");
        if path == "runbooks/b.yaml" {
            fs::remove_file(repository.path().join(path)).unwrap();
        }
        repository.write("runbooks/a.yaml", "one\n");
        assert_eq!(repository.state().await, at(&head, false));
    }
    fs::remove_file(repository.path().join("environments/p.yaml")).unwrap();
    assert_eq!(repository.state().await, at(&head, true));
    let next = repository.commit().await;
    assert_eq!(repository.state().await, at(&next, false));
}

#[tokio::test(start_paused = true)]
async fn an_index_that_says_otherwise_changes_nothing() {
    let _frozen = freeze();
    let repository = Repository::new().await;
    let head = repository.head().await;
    repository.git(&["update-index", "--assume-unchanged", "runbooks/a.yaml"]).await;
    repository.write("runbooks/a.yaml", "One\n");
    assert_eq!(repository.state().await, at(&head, true));
}

#[tokio::test(start_paused = true)]
async fn a_link_of_the_commit_is_not_the_file_that_lies_there() {
    let _frozen = freeze();
    let repository = Repository::new().await;
    symlink("a.yaml", repository.path().join("runbooks/b.yaml")).unwrap();
    let head = repository.commit().await;
    fs::remove_file(repository.path().join("runbooks/b.yaml")).unwrap();
    // The bytes of the link, as a file.
    repository.write("runbooks/b.yaml", "a.yaml");
    assert_eq!(repository.state().await, at(&head, true));
}

#[tokio::test(start_paused = true)]
async fn a_library_may_be_a_part_of_a_repository() {
    let _frozen = freeze();
    let repository = Repository::new().await;
    repository.write("sub/lib/runbooks/x.yaml", "x\n");
    let head = repository.commit().await;
    let inner = repository.path().join("sub/lib");
    assert_eq!(state_of(&inner).await, at(&head, false));
    repository.write("runbooks/a.yaml", "changed elsewhere\n");
    assert_eq!(state_of(&inner).await, at(&head, false));
    repository.write("sub/lib/runbooks/x.yaml", "y\n");
    assert_eq!(state_of(&inner).await, at(&head, true));
    // In a repository, and no part of it.
    repository.write("sub/new/runbooks/x.yaml", "x\n");
    assert_eq!(state_of(&repository.path().join("sub/new")).await, at(&head, true));
}

#[tokio::test(start_paused = true)]
async fn outside_a_repository_and_before_the_first_commit_there_is_no_commit() {
    let _frozen = freeze();
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("runbooks")).unwrap();
    assert_eq!(state_of(root.path()).await, GitState::NONE);
    let repository = Repository { root };
    repository.git(&["init", "--quiet", "."]).await;
    assert_eq!(repository.state().await, GitState { commit: None, dirty: true });
}

/// A program that leaves a mark when it is run.
fn trap(repository: &Repository) -> (PathBuf, PathBuf) {
    let (trap, mark) = (repository.path().join("trap"), repository.path().join("sprung"));
    fs::write(&trap, format!("#!/bin/sh\ntouch {}\n", mark.display())).unwrap();
    fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).unwrap();
    (trap, mark)
}

#[tokio::test(start_paused = true)]
async fn nothing_that_a_configuration_names_is_run() {
    let _frozen = freeze();
    let repository = Repository::new().await;
    let head = repository.head().await;
    let (trap, mark) = trap(&repository);
    let trap = trap.display().to_string();
    let hooks = repository.path().join("hooks");
    fs::create_dir(&hooks).unwrap();
    for hook in ["post-index-change", "post-checkout", "reference-transaction"] {
        symlink(&trap, hooks.join(hook)).unwrap();
    }
    for (key, value) in [
        ("core.fsmonitor", trap.as_str()),
        ("core.hooksPath", &hooks.display().to_string()),
        ("core.pager", &trap),
        ("core.editor", &trap),
        ("core.sshCommand", &trap),
        ("core.askPass", &trap),
        ("core.alternateRefsCommand", &trap),
        ("diff.external", &trap),
        ("filter.x.clean", &trap),
        ("filter.x.smudge", &trap),
        ("filter.x.process", &trap),
        ("diff.x.textconv", &trap),
        ("credential.helper", &trap),
        ("alias.ls-tree", &format!("!{trap}")),
        ("alias.cat-file", &format!("!{trap}")),
        ("protocol.ext.allow", "always"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.url", &format!("ext::{trap}")),
    ] {
        repository.git(&["config", key, value]).await;
    }
    repository.write(".git/info/attributes", "*.yaml filter=x diff=x\n");
    assert_eq!(repository.state().await, at(&head, false));
    repository.write("runbooks/a.yaml", "One\n");
    assert_eq!(repository.state().await, at(&head, true));
    assert!(!mark.exists());

    // The trap itself works: the same question as a person would ask it springs it, whatever git makes of that.
    repository.try_git(&["status", "--short"]).await;
    assert!(mark.exists());
    fs::remove_file(&mark).unwrap();

    // An object that is missing would be fetched from the promisor.
    repository.write("runbooks/a.yaml", "one\n");
    let blob = repository.git(&["rev-parse", "HEAD:runbooks/a.yaml"]).await;
    let (folder, name) = blob.split_at(2);
    fs::remove_file(repository.path().join(".git/objects").join(folder).join(name)).unwrap();
    let library = read(repository.path()).unwrap();
    let error = state(&program(), repository.path(), &library).await.unwrap_err();
    assert!(matches!(error, GitError::Output { .. }), "{error}");
    assert!(!mark.exists());
    // Again the trap itself works.
    repository.try_git(&["cat-file", "-p", &blob]).await;
    assert!(mark.exists());
}

#[tokio::test(start_paused = true)]
async fn a_git_that_is_none_is_told() {
    let _frozen = freeze();
    let repository = Repository::new().await;
    let library = read(repository.path()).unwrap();
    let with = async |script: &str| {
        let fake = repository.path().join("fake");
        fs::write(&fake, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
        let error = state(&fake, repository.path(), &library).await.unwrap_err();
        fs::remove_file(&fake).unwrap();
        let cause = std::error::Error::source(&error).map(|s| format!(": {s}")).unwrap_or_default();
        format!("{} {error}{cause}\n", error.code())
    };
    let mut told = String::new();
    told.push_str(&with("echo hello").await);
    told.push_str(&with("printf '\\033[2Jfatal: no\\n' >&2; exit 128").await);
    told.push_str(&with("kill -9 $$").await);
    told.push_str(&with("yes | head -c 40000000").await);
    expect![[r#"
        SH0627 git's answer is not of the expected form: it is not the name of a commit
        SH0627 git ended with code 128; it said `\u{1b}[2Jfatal: no`
        SH0627 git ended by signal 9; it said ``
        SH0627 git's answer cannot be read: the program wrote more than 33554432 bytes
    "#]]
    .assert_eq(&told);
    let missing = repository.path().join("missing");
    let error = state(&missing, repository.path(), &library).await.unwrap_err();
    assert!(matches!(error, GitError::Start { .. }), "{error}");
    let relative = state(Path::new("git"), repository.path(), &library).await.unwrap_err();
    assert!(matches!(relative, GitError::Command { .. }), "{relative}");
}

#[tokio::test(start_paused = true)]
async fn a_git_that_hangs_is_given_up() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("runbooks")).unwrap();
    let fake = root.path().join("fake");
    fs::write(&fake, "#!/bin/sh\nexec tail -f /dev/null\n").unwrap();
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
    let library = read(root.path()).unwrap();
    let error = state(&fake, root.path(), &library).await.unwrap_err();
    assert!(matches!(error, GitError::Slow), "{error}");
}

#[test]
fn only_absolute_entries_of_a_path_are_searched() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("git"), "").unwrap();
    let search = format!("relative:.::{}", root.path().display());
    assert_eq!(locate(search.as_ref()), Some(root.path().join("git")));
    assert_eq!(locate("relative:.:".as_ref()), None);
}
