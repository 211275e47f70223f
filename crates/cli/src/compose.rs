//! Composes a keeper: store, tool servers and runtime become one process that owns a state directory.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use futures_util::future::BoxFuture;
use steadyhand_api::listener::Listener;
use steadyhand_api::request::{Fault as Planted, LibraryAt};
use steadyhand_engine::port::{Journal, RunFilter};
use steadyhand_model::catalogue::Catalogue;
use steadyhand_model::ids::{DriverId, EnvironmentName, InstallationName, RunId, ServerId};
use steadyhand_model::plan::EnvironmentRef;
use steadyhand_model::time::Timestamp;
use steadyhand_practice::fault::Fault;
use steadyhand_practice::line::Seed;
use steadyhand_practice::scenario::ScenarioName;
use steadyhand_practice::world_file::WorldFile;
use steadyhand_runtime::clock::{PracticeClock, wall};
use steadyhand_runtime::keeper::{Keeper, Options as KeeperOptions};
use steadyhand_runtime::place::{Place, PlaceError, Places, WorldSeed};
use steadyhand_runtime::service::{Options as ServiceOptions, Service};
use steadyhand_store::sqlite::SqliteJournal;
use steadyhand_store::state::StateDir;
use steadyhand_tools::authority::Authority;
use steadyhand_tools::host::{Host, HostConfig, Patience, ServerCommand};

use crate::keeper::Drives;
use crate::trouble::CommandError;

/// When a practice world begins: 2026-11-24 03:12:04 UTC, the same for every seed.
const WORLD_BEGINS: Timestamp = Timestamp(1_795_489_924_000_000);
/// Drill worlds kept; older ones of finished runs are removed.
const WORLDS_KEPT: usize = 20;
const WORLDS: &str = "worlds";
const WORLD_FILE: &str = "world.jsonl";
const SERVERS: [&str; 2] = ["kubernetes", "alerts"];

/// Makes this process the keeper of a state directory. When this returns, its socket accepts.
pub(crate) async fn keeper(state_dir: &Path, drives: Drives) -> Result<(), CommandError> {
    let failed = |what, source| CommandError::Compose { what, source };
    let state = StateDir::open(state_dir)
        .map_err(|e| failed("the state directory cannot be used", Box::new(e)))?;
    let lock =
        state.lock().map_err(|e| failed("the state directory cannot be locked", Box::new(e)))?;
    let listener = Listener::bind(state.path(), &lock)
        .map_err(|e| failed("the keeper's socket cannot be made", Box::new(e)))?;
    let journal = SqliteJournal::open(lock)
        .map_err(|e| failed("the journal cannot be opened", Box::new(e)))?;
    let journal: Arc<dyn Journal> = Arc::new(journal);
    let program = std::env::current_exe()
        .map_err(|e| failed("this program cannot find itself", Box::new(e)))?;
    let catalogue = Arc::new(Catalogue::built_in());
    let places = PracticePlaces {
        worlds: state.path().join(WORLDS),
        program,
        catalogue: Arc::clone(&catalogue),
        journal: Arc::clone(&journal),
        open: Mutex::new(BTreeMap::new()),
    };
    let keeper = Keeper::new(KeeperOptions {
        journal,
        places: Arc::new(places),
        catalogue,
        driver: driver_id()?,
        drives: drives == Drives::Yes,
    });
    let service = Service::new(ServiceOptions {
        keeper: Arc::clone(&keeper),
        installation: installation(state.path())?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        library: crate::place::library(None).map_or(Some(LibraryAt::BuiltIn), Some),
        git: std::env::var_os("PATH").and_then(|path| steadyhand_library::git::locate(&path)),
        started: wall(),
    });
    tokio::spawn(service.serve(listener));
    if drives == Drives::Yes {
        tokio::spawn(keeper.take_up_due());
    }
    Ok(())
}

fn installation(state_dir: &Path) -> Result<InstallationName, CommandError> {
    let name = state_dir.file_name().and_then(|n| n.to_str()).map(str::parse::<InstallationName>);
    match name {
        Some(Ok(name)) => Ok(name),
        // A directory of any other name is an installation all the same.
        Some(Err(_)) | None => "state".parse().map_err(|source| CommandError::Compose {
            what: "the installation has no name",
            source: Box::new(source),
        }),
    }
}

/// Names this very process as a driver, so that nothing that another one intended is taken for its own.
fn driver_id() -> Result<DriverId, CommandError> {
    let mut random = [0_u8; 8];
    getrandom::fill(&mut random).map_err(|source| CommandError::Random { source })?;
    let random: String = random.iter().map(|b| format!("{b:02x}")).collect();
    format!("keeper-{}-{random}", std::process::id()).parse().map_err(|source| {
        CommandError::Compose { what: "the driver has no name", source: Box::new(source) }
    })
}

/// Practice worlds as files below the state directory, each behind tool servers of its own.
#[derive(Debug)]
struct PracticePlaces {
    worlds: PathBuf,
    program: PathBuf,
    catalogue: Arc<Catalogue>,
    journal: Arc<dyn Journal>,
    /// Places that are open, by the name of their world. Guards the map; never held over an await.
    open: Mutex<BTreeMap<String, Arc<Place>>>,
}

fn error(
    name: &str,
    why: &str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> PlaceError {
    PlaceError { name: name.to_owned(), why: why.to_owned(), source: Some(Box::new(source)) }
}

impl PracticePlaces {
    fn folder(&self, name: &str) -> PathBuf {
        self.worlds.join(name)
    }

    fn create(
        &self,
        name: &str,
        environment: EnvironmentName,
        seed: &WorldSeed,
    ) -> Result<(), PlaceError> {
        let scenario = scenario(name, &seed.scenario)?;
        let faults = match seed.fault {
            Some(planted) => vec![fault(name, planted)?],
            None => Vec::new(),
        };
        let folder = self.folder(name);
        fs::create_dir_all(&folder).map_err(|e| error(name, "its folder cannot be made", e))?;
        let seed = Seed { scenario, seed: seed.seed, environment, faults };
        WorldFile::create(&folder.join(WORLD_FILE), WORLD_BEGINS, seed)
            .map_err(|e| error(name, "its world cannot be made", e))?;
        Ok(())
    }

    /// The place of a world whose file is there.
    fn place(&self, name: &str, environment: &EnvironmentName) -> Result<Arc<Place>, PlaceError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = open.get(name) {
            return Ok(Arc::clone(place));
        }
        let file = self.folder(name).join(WORLD_FILE);
        let world =
            WorldFile::open(&file).map_err(|e| error(name, "its world cannot be opened", e))?;
        let clock = PracticeClock::new(world.world().now());
        let host = self.host(name, environment, &file)?;
        let place = Arc::new(Place::new(Arc::new(host), Arc::new(clock)));
        open.insert(name.to_owned(), Arc::clone(&place));
        Ok(place)
    }

    fn host(
        &self,
        name: &str,
        environment: &EnvironmentName,
        world: &Path,
    ) -> Result<Host, PlaceError> {
        let authority = Authority::generate()
            .map_err(|e| error(name, "the authority key cannot be made", e))?;
        let key = authority.public_hex();
        let mut readers = Vec::new();
        let mut executors = Vec::new();
        for server in SERVERS {
            let server: ServerId =
                server.parse().map_err(|e| error(name, "a server has no usable name", e))?;
            readers.push((server.clone(), self.command(&server, "reader", world, None)));
            executors.push((server.clone(), self.command(&server, "executor", world, Some(&key))));
        }
        Host::start(HostConfig {
            environment: environment.clone(),
            catalogue: (*self.catalogue).clone(),
            readers,
            executors,
            authority,
            patience: Patience::DEFAULT,
        })
        .map_err(|e| error(name, "its tool servers cannot be started", e))
    }

    fn command(
        &self,
        server: &ServerId,
        role: &str,
        world: &Path,
        key: Option<&str>,
    ) -> ServerCommand {
        let mut args: Vec<OsString> = ["tool", "practice", "--role", role, "--server"]
            .into_iter()
            .map(OsString::from)
            .collect();
        args.push(server.as_str().into());
        args.push("--world".into());
        args.push(world.into());
        args.push("--client".into());
        args.push(std::process::id().to_string().into());
        if let Some(key) = key {
            args.push("--authority".into());
            args.push(key.into());
        }
        ServerCommand {
            program: self.program.clone(),
            args,
            env: BTreeMap::new(),
            cwd: self.worlds.clone(),
        }
    }

    /// Removes worlds of finished drills beyond the newest ones.
    async fn prune(&self) -> Result<(), std::io::Error> {
        let mut worlds: Vec<(SystemTime, RunId, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.worlds)? {
            let entry = entry?;
            let run = entry.file_name().to_str().map(str::parse::<RunId>);
            if let Some(Ok(run)) = run {
                worlds.push((entry.metadata()?.modified()?, run, entry.path()));
            }
        }
        worlds.sort_by_key(|world| std::cmp::Reverse(world.0));
        for (_, run, path) in worlds.into_iter().skip(WORLDS_KEPT) {
            let finished = match self.journal.runs(RunFilter::One(run)).await {
                Ok(rows) => rows.iter().all(|row| row.finished),
                Err(_unreadable) => false,
            };
            if finished {
                fs::remove_dir_all(path)?;
            }
        }
        Ok(())
    }
}

impl Places for PracticePlaces {
    fn open(
        &self,
        world: Option<RunId>,
        environment: EnvironmentRef,
    ) -> BoxFuture<'_, Result<Arc<Place>, PlaceError>> {
        Box::pin(async move {
            let name = match world {
                Some(run) => run.to_string(),
                None => lasting(&environment.name),
            };
            self.place(&name, &environment.name)
        })
    }

    fn new_world(
        &self,
        run: RunId,
        environment: EnvironmentName,
        seed: WorldSeed,
    ) -> BoxFuture<'_, Result<Arc<Place>, PlaceError>> {
        Box::pin(async move {
            let name = run.to_string();
            self.create(&name, environment.clone(), &seed)?;
            self.prune().await.map_err(|e| error(&name, "old worlds cannot be removed", e))?;
            self.place(&name, &environment)
        })
    }

    fn lasting_world(
        &self,
        environment: EnvironmentName,
        seed: WorldSeed,
    ) -> BoxFuture<'_, Result<Arc<Place>, PlaceError>> {
        Box::pin(async move {
            let name = lasting(&environment);
            if !self.folder(&name).join(WORLD_FILE).is_file() {
                self.create(&name, environment.clone(), &seed)?;
            }
            self.place(&name, &environment)
        })
    }
}

/// The name of an environment's lasting world: never that of a run.
fn lasting(environment: &EnvironmentName) -> String {
    format!("environment-{environment}")
}

fn scenario(name: &str, text: &str) -> Result<ScenarioName, PlaceError> {
    text.parse().map_err(|e| error(name, "its practice scenario is not known", e))
}

/// A fault of the command line as the practice world plants it.
fn fault(name: &str, planted: Planted) -> Result<Fault, PlaceError> {
    let text = match planted {
        Planted::Slow => "slow",
        Planted::Failing => "invalid",
        Planted::LostBefore => "lost-before",
        Planted::LostAfter => "lost-after",
        Planted::Late => "late",
        Planted::Drift => "drift",
        Planted::Forbidden => "permission",
        Planted::Garbage => "garbage",
        Planted::Kill => "kill",
    };
    text.parse().map_err(|e| error(name, "the fault is not known to the practice world", e))
}
