//! Reaching the keeper of a state directory, and starting one inside this process where none lives.
//!
//! How a store, tool servers and the runtime become a keeper is known by `compose` alone. Everything here speaks to a
//! keeper over its socket, also to one in this very process.

use std::path::Path;

use steadyhand_api::client::{Client, ClientError};

use crate::trouble::Trouble;

/// Whether a keeper that is started here may drive runs, or only answers and records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drives {
    Yes,
    No,
}

/// A connection to the keeper of this state directory. Where none lives, this process becomes it.
pub(crate) async fn connect(state_dir: &Path, drives: Drives) -> Result<Client, Trouble> {
    match Client::connect(state_dir).await {
        Ok(client) => Ok(client),
        Err(ClientError::NoKeeper) => {
            crate::compose::keeper(state_dir, drives).await?;
            Client::connect(state_dir).await.map_err(|error| Trouble::of_client(&error, None))
        }
        Err(error) => Err(Trouble::of_client(&error, None)),
    }
}

/// A connection to a keeper that lives already.
pub(crate) async fn connect_living(state_dir: &Path) -> Result<Option<Client>, Trouble> {
    match Client::connect(state_dir).await {
        Ok(client) => Ok(Some(client)),
        Err(ClientError::NoKeeper) => Ok(None),
        Err(error) => Err(Trouble::of_client(&error, None)),
    }
}
