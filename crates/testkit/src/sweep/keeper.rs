//! The process that is killed: a keeper of the same parts as the command line's, its journal and its tool host wrapped
//! so that it dies at a chosen point; and the processes of its tool servers.
//!
//! What is not here: anything that decides. A client in the parent process tells the keeper what to do, over its
//! socket, and a keeper that lives to the end says how often it passed each point.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use steadyhand_api::listener::Listener;
use steadyhand_api::request::{Fault as Planted, LibraryAt};
use steadyhand_contract::capability::AuthorityKey;
use steadyhand_contract::door::Role;
use steadyhand_engine::port::Journal;
use steadyhand_model::catalogue::Catalogue;
use steadyhand_model::ids::{DriverId, EnvironmentName, RunId, ServerId};
use steadyhand_model::plan::EnvironmentRef;
use steadyhand_model::time::Timestamp;
use steadyhand_practice::fault::Fault;
use steadyhand_practice::line::Seed;
use steadyhand_practice::serve;
use steadyhand_practice::world_file::WorldFile;
use steadyhand_runtime::clock::{PracticeClock, wall};
use steadyhand_runtime::keeper::{Keeper, Options as KeeperOptions};
use steadyhand_runtime::place::{Place, PlaceError, Places, WorldSeed};
use steadyhand_runtime::service::{Options as ServiceOptions, Service};
use steadyhand_store::sqlite::SqliteJournal;
use steadyhand_store::state::StateDir;
use steadyhand_tools::authority::Authority;
use steadyhand_tools::host::{Host, HostConfig, Patience, ServerCommand};

use super::points::{CrashingHost, CrashingJournal, Kill, Points};

/// The first argument of a process that is a keeper, and of one that is a tool server.
pub const KEEPER: &str = "keeper";
pub const TOOL: &str = "tool";
/// What a keeper says when its socket accepts.
pub(super) const UP: &str = "up";
/// Folder of the worlds below a state directory, and the file of each.
pub(super) const WORLDS: &str = "worlds";
pub(super) const WORLD_FILE: &str = "world.jsonl";

/// When a practice world begins: 2026-11-24 03:12:04 UTC, the same for every seed.
const WORLD_BEGINS: Timestamp = Timestamp(1_795_489_924_000_000);
const SERVERS: [&str; 2] = ["kubernetes", "alerts"];

/// Why a keeper or a tool server of the sweep cannot work.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    #[error("usage: keeper STATE-DIR [kill=POINT] [fault=FAULT] | tool SERVER ROLE WORLD KEY PID")]
    Usage,
    #[error("{what}")]
    Compose {
        what: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn failed<E: std::error::Error + Send + Sync + 'static>(
    what: &'static str,
) -> impl FnOnce(E) -> KeeperError {
    move |source| KeeperError::Compose { what, source: Box::new(source) }
}

/// Is a keeper until standard input ends.
///
/// # Errors
/// If the keeper cannot be composed.
pub async fn keep(args: &[String]) -> Result<(), KeeperError> {
    let (state_dir, more) = args.split_first().ok_or(KeeperError::Usage)?;
    let mut kill: Option<Kill> = None;
    let mut fault: Option<Fault> = None;
    for arg in more {
        match arg.split_once('=') {
            Some(("kill", point)) => {
                kill = Some(point.parse().map_err(failed("the point cannot be read"))?);
            }
            Some(("fault", word)) => {
                fault = Some(word.parse().map_err(failed("the fault cannot be read"))?);
            }
            _ => return Err(KeeperError::Usage),
        }
    }
    let points = Arc::new(Points::new(kill));
    compose(Path::new(state_dir), fault, &points)?;
    say(UP)?;
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    ended
        .await
        .map_err(failed("standard input cannot be waited for"))?
        .map_err(failed("standard input cannot be read"))?;
    for (edge, times) in points.counts() {
        say(&format!("{edge} {times}"))?;
    }
    Ok(())
}

fn say(line: &str) -> Result<(), KeeperError> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(failed("standard output is closed"))
}

fn compose(
    state_dir: &Path,
    fault: Option<Fault>,
    points: &Arc<Points>,
) -> Result<(), KeeperError> {
    let state = StateDir::open(state_dir).map_err(failed("the state directory cannot be used"))?;
    let lock = state.lock().map_err(failed("the state directory cannot be locked"))?;
    let listener = Listener::bind(state.path(), &lock).map_err(failed("no socket can be made"))?;
    let journal = SqliteJournal::open(lock).map_err(failed("the journal cannot be opened"))?;
    let journal: Arc<dyn Journal> =
        Arc::new(CrashingJournal { inner: Arc::new(journal), points: Arc::clone(points) });
    let catalogue = Arc::new(Catalogue::built_in());
    let places = CrashingPlaces {
        worlds: state.path().join(WORLDS),
        program: std::env::current_exe().map_err(failed("this program cannot find itself"))?,
        catalogue: Arc::clone(&catalogue),
        fault,
        points: Arc::clone(points),
        open: Mutex::new(BTreeMap::new()),
    };
    let keeper = Keeper::new(KeeperOptions {
        journal,
        places: Arc::new(places),
        catalogue,
        driver: driver_id()?,
        drives: true,
    });
    let service = Service::new(ServiceOptions {
        keeper: Arc::clone(&keeper),
        installation: "practice".parse().map_err(failed("the installation has no name"))?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        library: Some(LibraryAt::BuiltIn),
        git: None,
        started: wall(),
    });
    tokio::spawn(service.serve(listener));
    tokio::spawn(keeper.take_up_due());
    Ok(())
}

/// Names this very process: nothing that another one intended is taken for its own.
fn driver_id() -> Result<DriverId, KeeperError> {
    let mut random = [0_u8; 8];
    getrandom::fill(&mut random).map_err(failed("the system gave no random bytes"))?;
    let random: String = random.iter().map(|b| format!("{b:02x}")).collect();
    format!("keeper-{}-{random}", std::process::id())
        .parse()
        .map_err(failed("the driver has no name"))
}

/// Practice worlds as files below the state directory, each behind tool servers of its own. Worlds are never removed:
/// all of them are evidence.
#[derive(Debug)]
struct CrashingPlaces {
    worlds: PathBuf,
    program: PathBuf,
    catalogue: Arc<Catalogue>,
    /// Planted in each new world, instead of what the drill asks for.
    fault: Option<Fault>,
    points: Arc<Points>,
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

impl CrashingPlaces {
    fn create(
        &self,
        name: &str,
        environment: EnvironmentName,
        seed: &WorldSeed,
    ) -> Result<(), PlaceError> {
        let scenario = seed
            .scenario
            .parse()
            .map_err(|e| error(name, "its practice scenario is not known", e))?;
        let faults = match (&self.fault, seed.fault) {
            (Some(fault), _) => vec![fault.clone()],
            (None, Some(planted)) => vec![fault_of(name, planted)?],
            (None, None) => Vec::new(),
        };
        let folder = self.worlds.join(name);
        fs::create_dir_all(&folder).map_err(|e| error(name, "its folder cannot be made", e))?;
        let seed = Seed { scenario, seed: seed.seed, environment, faults };
        WorldFile::create(&folder.join(WORLD_FILE), WORLD_BEGINS, seed)
            .map_err(|e| error(name, "its world cannot be made", e))?;
        Ok(())
    }

    fn place(&self, name: &str, environment: &EnvironmentName) -> Result<Arc<Place>, PlaceError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = open.get(name) {
            return Ok(Arc::clone(place));
        }
        let file = self.worlds.join(name).join(WORLD_FILE);
        let world =
            WorldFile::open(&file).map_err(|e| error(name, "its world cannot be opened", e))?;
        let clock = PracticeClock::new(world.world().now());
        let inner = Arc::new(self.host(name, environment, &file)?);
        let host = CrashingHost { inner, points: Arc::clone(&self.points) };
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
            readers.push((server.clone(), self.command(&server, "reader", world, "-")));
            executors.push((server.clone(), self.command(&server, "executor", world, &key)));
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

    fn command(&self, server: &ServerId, role: &str, world: &Path, key: &str) -> ServerCommand {
        let mut args: Vec<OsString> = vec![TOOL.into(), server.as_str().into(), role.into()];
        args.extend([world.into(), key.into(), std::process::id().to_string().into()]);
        ServerCommand {
            program: self.program.clone(),
            args,
            env: BTreeMap::new(),
            cwd: self.worlds.clone(),
        }
    }
}

impl Places for CrashingPlaces {
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
            if !self.worlds.join(&name).join(WORLD_FILE).is_file() {
                self.create(&name, environment.clone(), &seed)?;
            }
            self.place(&name, &environment)
        })
    }
}

fn lasting(environment: &EnvironmentName) -> String {
    format!("environment-{environment}")
}

/// A fault of a drill as the practice world plants it.
fn fault_of(name: &str, planted: Planted) -> Result<Fault, PlaceError> {
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

/// Serves one instance of one practice server on standard input and output.
///
/// # Errors
/// If the arguments are not those that a keeper of the sweep gives, or the world cannot be served.
pub async fn serve_tool(args: &[String]) -> Result<(), KeeperError> {
    let [server, role, world, key, client] = args else { return Err(KeeperError::Usage) };
    let role = match role.as_str() {
        "reader" => Role::Reader,
        "executor" => Role::Executor,
        _ => return Err(KeeperError::Usage),
    };
    let authority = match key.as_str() {
        "-" => None,
        hex => Some(AuthorityKey::parse(hex).map_err(failed("the key cannot be read"))?),
    };
    let options = serve::Options {
        server: server.parse().map_err(failed("the server has no usable name"))?,
        role,
        world: world.into(),
        authority,
        client: Some(client.parse().map_err(failed("the client is no process id"))?),
        real_clock,
    };
    serve::serve(options, tokio::io::stdin(), tokio::io::stdout())
        .await
        .map_err(failed("the practice server cannot be served"))
}

/// The wall clock; a time before 1970 counts as 1970, which no capability is good for.
fn real_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    Timestamp(i64::try_from(since).unwrap_or(i64::MAX))
}
