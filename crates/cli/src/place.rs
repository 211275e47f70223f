//! Where state directories are, and which library is meant.
//!
//! `$XDG_STATE_HOME/steadyhand/{default,practice}`: runs in practice environments live in `practice`, all others in
//! `default`. `--state DIR` is one directory for everything.

use std::path::{Path, PathBuf};

use steadyhand_api::request::LibraryAt;
use steadyhand_library::document::Folder;
use steadyhand_model::catalogue::Catalogue;
use steadyhand_model::ids::EnvironmentName;
use steadyhand_model::plan::EnvironmentClass;
use steadyhand_runbook::checker::check_environment;

use crate::trouble::{CommandError, Trouble};

const FOLDER: &str = "steadyhand";
const DEFAULT: &str = "default";
const PRACTICE: &str = "practice";
/// The folder by which a library is known.
const RUNBOOKS: &str = "runbooks";

/// The state directories of this person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Places {
    One(PathBuf),
    Two { default: PathBuf, practice: PathBuf },
}

/// The two variables that say where state is kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct Homes {
    pub(crate) state: Option<PathBuf>,
    pub(crate) home: Option<PathBuf>,
}

impl Homes {
    pub(crate) fn of_process() -> Self {
        let path = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        Self { state: path("XDG_STATE_HOME"), home: path("HOME") }
    }
}

impl Places {
    pub(crate) fn find(named: Option<PathBuf>, homes: Homes) -> Result<Self, CommandError> {
        if let Some(directory) = named {
            return Ok(Self::One(directory));
        }
        // A relative XDG_STATE_HOME is to be ignored, as its specification says.
        let root = homes
            .state
            .filter(|path| path.is_absolute())
            .or_else(|| homes.home.map(|home| home.join(".local/state")))
            .ok_or(CommandError::NoHome)?
            .join(FOLDER);
        Ok(Self::Two { default: root.join(DEFAULT), practice: root.join(PRACTICE) })
    }

    /// Where runs in environments of this class live.
    pub(crate) fn of(&self, class: EnvironmentClass) -> &Path {
        match (self, class) {
            (Self::One(directory), _) => directory,
            (Self::Two { practice, .. }, EnvironmentClass::Practice) => practice,
            (Self::Two { default, .. }, _) => default,
        }
    }

    /// All of them, the one for real work first.
    pub(crate) fn all(&self) -> Vec<&Path> {
        match self {
            Self::One(directory) => vec![directory],
            Self::Two { default, practice } => vec![default, practice],
        }
    }
}

/// The library that is meant: the one named, the one found upward from the current folder, or the built-in one.
pub(crate) fn library(named: Option<PathBuf>) -> Result<LibraryAt, CommandError> {
    if let Some(path) = named {
        let path = path
            .canonicalize()
            .map_err(|source| CommandError::Input { path: path.clone(), source })?;
        if !path.join(RUNBOOKS).is_dir() {
            return Err(CommandError::NoLibrary { path });
        }
        return folder(&path);
    }
    let here = std::env::current_dir().map_err(|source| CommandError::NoFolder { source })?;
    match here.ancestors().find(|path| is_library(path)) {
        Some(path) => folder(path),
        None => Ok(LibraryAt::BuiltIn),
    }
}

/// A folder is taken for a library by itself only if it has both of a library's folders.
fn is_library(path: &Path) -> bool {
    path.join(RUNBOOKS).is_dir() && path.join("environments").is_dir()
}

fn folder(path: &Path) -> Result<LibraryAt, CommandError> {
    match path.to_str() {
        Some(text) => Ok(LibraryAt::Folder(text.to_owned())),
        None => Err(CommandError::NoLibrary { path: path.to_owned() }),
    }
}

/// The class of the environment that is meant, as far as it says where its runs live. Without a name: practice, if the
/// library has nothing else. What is wrong with the library's documents is said by whoever plans.
pub(crate) fn class(
    library: &LibraryAt,
    environment: Option<&EnvironmentName>,
) -> Result<EnvironmentClass, Trouble> {
    let LibraryAt::Folder(path) = library else {
        return Ok(EnvironmentClass::Practice);
    };
    let catalogue = Catalogue::built_in();
    let library = steadyhand_library::read::read(Path::new(path))?;
    let environments = library
        .in_folder(Folder::Environments)
        .filter_map(|document| {
            check_environment(document.path.as_str(), &document.bytes, &catalogue).document
        })
        .filter(|known| environment.is_none_or(|name| known.name == *name));
    let classes: Vec<EnvironmentClass> = environments.map(|known| known.class).collect();
    let practice = |class: &EnvironmentClass| *class == EnvironmentClass::Practice;
    if !classes.is_empty() && classes.iter().all(practice) {
        return Ok(EnvironmentClass::Practice);
    }
    Ok(classes.into_iter().find(|class| !practice(class)).unwrap_or(EnvironmentClass::Production))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(state: &str, home: &str) -> Option<Vec<String>> {
        let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
        let places = Places::find(None, Homes { state: path(state), home: path(home) }).ok()?;
        Some(places.all().iter().map(|path| path.display().to_string()).collect())
    }

    #[test]
    fn state_has_its_place() {
        let two = |root: &str| {
            Some(vec![format!("{root}/steadyhand/default"), format!("{root}/steadyhand/practice")])
        };
        assert_eq!(find("/s", "/h"), two("/s"));
        assert_eq!(find("s", "/h"), two("/h/.local/state"));
        assert_eq!(find("", "/h"), two("/h/.local/state"));
        assert_eq!(find("", ""), None);
        let one = Places::find(Some("x".into()), Homes::default()).unwrap();
        assert_eq!(one.of(EnvironmentClass::Practice), Path::new("x"));
    }

    #[test]
    fn a_library_is_a_folder_with_runbooks() {
        let root = tempfile::tempdir().unwrap();
        let named = Some(root.path().to_owned());
        assert!(matches!(library(named.clone()), Err(CommandError::NoLibrary { .. })));
        std::fs::create_dir(root.path().join(RUNBOOKS)).unwrap();
        let path = root.path().canonicalize().unwrap().to_str().unwrap().to_owned();
        assert_eq!(library(named).unwrap(), LibraryAt::Folder(path));
        assert!(!is_library(root.path()));
        assert!(matches!(library(Some("/none/such".into())), Err(CommandError::Input { .. })));
    }

    #[test]
    fn the_class_of_an_environment_says_where_its_runs_live() {
        let practice = include_str!("../../../fixtures/runbooks/good/practice.yaml");
        let root = tempfile::tempdir().unwrap();
        for folder in [RUNBOOKS, "environments"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
        }
        let write = |name: &str, text: &str| {
            std::fs::write(root.path().join("environments").join(name), text).unwrap();
        };
        let library = LibraryAt::Folder(root.path().to_str().unwrap().to_owned());
        let class_of = |name: Option<&str>| {
            class(&library, name.map(|name| name.parse().unwrap()).as_ref()).unwrap()
        };
        // A library without environments has nothing that is practice.
        assert_eq!(class_of(None), EnvironmentClass::Production);
        write("practice.yaml", practice);
        assert_eq!(class_of(None), EnvironmentClass::Practice);
        let staging = practice
            .replace("name: practice", "name: eu2")
            .replace("class: practice", "class: staging");
        write("eu2.yaml", &staging);
        assert_eq!(class_of(None), EnvironmentClass::Staging);
        assert_eq!(class_of(Some("practice")), EnvironmentClass::Practice);
        assert_eq!(class_of(Some("eu2")), EnvironmentClass::Staging);
        assert_eq!(class_of(Some("eu3")), EnvironmentClass::Production);
        assert_eq!(class(&LibraryAt::BuiltIn, None).unwrap(), EnvironmentClass::Practice);
    }
}
