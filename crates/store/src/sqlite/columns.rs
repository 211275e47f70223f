//! How the nouns of the model stand in columns. What does not parse is a conversion error, never a default.

use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{Leg, StreamId};
use steadyhand_model::ids::{Fence, RunId, Seq};
use steadyhand_model::time::Timestamp;

/// A noun that stands in one column.
pub(super) trait Noun: Sized {
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self>;
}

/// Reads one column of a row as a noun.
pub(super) fn get<T: Noun>(row: &Row<'_>, index: usize) -> rusqlite::Result<T> {
    let value = row.get_ref(index)?;
    T::read(value).map_err(|source| {
        rusqlite::Error::FromSqlConversionFailure(index, value.data_type(), source.into())
    })
}

impl Noun for Option<Timestamp> {
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Null => Ok(None),
            other => Timestamp::read(other).map(Some),
        }
    }
}

impl Noun for Digest {
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 32]>::column_result(value).map(Self::from_bytes)
    }
}

impl Noun for Timestamp {
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self)
    }
}

fn unsigned(value: ValueRef<'_>) -> FromSqlResult<u64> {
    let number = value.as_i64()?;
    u64::try_from(number).map_err(FromSqlError::other)
}

impl Noun for Seq {
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self> {
        unsigned(value).map(Self)
    }
}

impl Noun for Fence {
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self> {
        unsigned(value).map(Self)
    }
}

impl Noun for RunId {
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map_err(FromSqlError::other)
    }
}

impl Noun for StreamId {
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = value.as_str()?;
        Ok(match text {
            INSTALLATION => StreamId::Installation,
            _ if text.starts_with("i-") => {
                StreamId::Incident(text.parse().map_err(FromSqlError::other)?)
            }
            _ => StreamId::Run(text.parse().map_err(FromSqlError::other)?),
        })
    }
}

/// Stored text that is not the canonical form of what it says.
#[derive(Debug, thiserror::Error)]
#[error("the stored JSON is not in its canonical form")]
struct NotCanonical;

impl Noun for CanonicalJson {
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let ValueRef::Text(bytes) = value else { return Err(FromSqlError::InvalidType) };
        let json = CanonicalJson::parse(bytes).map_err(FromSqlError::other)?;
        if json.as_str().as_bytes() == bytes {
            Ok(json)
        } else {
            Err(FromSqlError::other(NotCanonical))
        }
    }
}

const INSTALLATION: &str = "installation";

pub(super) fn stream_text(stream: &StreamId) -> &str {
    match stream {
        StreamId::Run(run) => run.as_str(),
        StreamId::Incident(incident) => incident.as_str(),
        StreamId::Installation => INSTALLATION,
    }
}

pub(super) fn leg_text(leg: Leg) -> &'static str {
    match leg {
        Leg::Forward => "forward",
        Leg::Undo => "undo",
    }
}

/// SQLite's integers are signed.
pub(super) fn signed(number: u64) -> rusqlite::Result<i64> {
    i64::try_from(number).map_err(|source| rusqlite::Error::ToSqlConversionFailure(source.into()))
}
