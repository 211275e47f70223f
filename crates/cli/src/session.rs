//! A talk with one keeper: questions, changes under an inbox id, and finding the keeper that has a run.
//!
//! A change that was sent when its keeper died is sent again, under the same id, to whoever keeps the directory next;
//! that may be this process.

use std::path::{Path, PathBuf};

use steadyhand_api::client::{Client, ClientError, Watching};
use steadyhand_api::inbox::{INBOX_RANDOM_BYTES, inbox_id};
use steadyhand_api::reference::RunRef;
use steadyhand_api::reply::Response;
use steadyhand_api::request::Request;
use steadyhand_api::view::RunView;
use steadyhand_model::ids::{InboxId, RunId, Seq};

use crate::keeper::{self, Drives};
use crate::place::Places;
use crate::trouble::{CommandError, Trouble};

#[derive(Debug)]
pub(crate) struct Session {
    state_dir: PathBuf,
    drives: Drives,
    client: Client,
}

impl Session {
    pub(crate) async fn open(state_dir: &Path, drives: Drives) -> Result<Self, Trouble> {
        let client = keeper::connect(state_dir, drives).await?;
        Ok(Self { state_dir: state_dir.to_owned(), drives, client })
    }

    pub(crate) fn drives(&self) -> bool {
        self.drives == Drives::Yes
    }

    /// Asks for something that changes nothing.
    pub(crate) async fn ask(&mut self, request: Request) -> Result<Response, Trouble> {
        match self.client.ask(request.clone()).await {
            Err(ClientError::Lost) => {
                self.renew().await?;
                self.client.ask(request).await.map_err(|e| Trouble::of_client(&e, None))
            }
            answer => answer.map_err(|error| Trouble::of_client(&error, None)),
        }
    }

    /// Asks for a change, once.
    pub(crate) async fn change(&mut self, request: Request) -> Result<Response, Trouble> {
        let id = random_inbox()?;
        match self.client.change(id.clone(), request.clone()).await {
            Err(ClientError::Lost) => {
                self.renew().await?;
                let answer = self.client.change(id.clone(), request).await;
                answer.map_err(|error| Trouble::of_client(&error, Some(&id)))
            }
            answer => answer.map_err(|error| Trouble::of_client(&error, Some(&id))),
        }
    }

    /// As [`Session::change`], for what may take long: ctrl-c leaves before the answer.
    pub(crate) async fn begin(&mut self, request: Request) -> Result<Response, Trouble> {
        tokio::select! {
            answer = self.change(request) => answer,
            _ = tokio::signal::ctrl_c() => Err(CommandError::Interrupted.into()),
        }
    }

    /// Connects again, to whatever keeper there is now.
    pub(crate) async fn renew(&mut self) -> Result<(), Trouble> {
        self.client = keeper::connect(&self.state_dir, self.drives).await?;
        Ok(())
    }

    pub(crate) async fn show(&mut self, run: RunRef) -> Result<RunView, Trouble> {
        run_of(self.ask(Request::Show { run }).await?)
    }

    /// Watches a run over a connection of its own.
    pub(crate) async fn watch(&self, run: RunId, from: Seq) -> Result<Watching, Trouble> {
        let client = keeper::connect(&self.state_dir, self.drives).await?;
        client.watch(run, from).await.map_err(|error| Trouble::of_client(&error, None))
    }
}

/// The run of an answer that must be one.
pub(crate) fn run_of(response: Response) -> Result<RunView, Trouble> {
    match response {
        Response::Run(view) => Ok(*view),
        Response::Status(_) | Response::Runs { .. } | Response::Plan(_) | Response::Handled(_) => {
            Err(CommandError::OtherAnswer.into())
        }
    }
}

fn random_inbox() -> Result<InboxId, Trouble> {
    let mut random = [0; INBOX_RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(|source| CommandError::Random { source })?;
    // Hexadecimal digits always are an id.
    inbox_id(random).map_err(|_unreachable| CommandError::Bug.into())
}

/// Finds the run in the directories of this person: keepers that live are asked first.
pub(crate) async fn find(
    places: &Places,
    run: &RunRef,
    drives: Drives,
) -> Result<(Session, RunView), Trouble> {
    let mut found = Vec::new();
    let mut refused = None;
    let mut asleep = Vec::new();
    for state_dir in places.all() {
        match keeper::connect_living(state_dir).await? {
            Some(client) => {
                let session = Session { state_dir: state_dir.to_owned(), drives, client };
                look(session, run, &mut found, &mut refused).await;
            }
            None if state_dir.is_dir() => asleep.push(state_dir),
            None => {}
        }
    }
    // `last` needs to know all runs; an id that a living keeper knows needs no other.
    if found.is_empty() || *run == RunRef::Last {
        for state_dir in asleep {
            let session = Session::open(state_dir, drives).await?;
            look(session, run, &mut found, &mut refused).await;
        }
    }
    if *run != RunRef::Last && found.len() > 1 {
        return Err(CommandError::Ambiguous { name: run.to_string() }.into());
    }
    let newest = found.into_iter().max_by_key(|(_, view)| view.line.created);
    newest.ok_or_else(|| refused.unwrap_or_else(|| CommandError::NoRuns.into()))
}

async fn look(
    mut session: Session,
    run: &RunRef,
    found: &mut Vec<(Session, RunView)>,
    refused: &mut Option<Trouble>,
) {
    match session.show(run.clone()).await {
        Ok(view) => found.push((session, view)),
        // The refusal that says most is that of a directory which knows such a run.
        Err(trouble) if refused.is_none() || !trouble.is_unknown_run() => *refused = Some(trouble),
        Err(_unknown_here_too) => {}
    }
}
