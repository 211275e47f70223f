//! RFC 8785 canonical JSON: the one byte form that is hashed, compared and stored.
//!
//! Narrower than the RFC on purpose: integers within ±(2^53 - 1) only, no duplicate keys, bounded size and depth.

use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

use crate::digest::Digest;
use crate::value::INTEGER_MAX;

/// Deepest nesting accepted by [`CanonicalJson::parse`].
pub const JSON_DEPTH_MAX: usize = 64;
/// Largest document accepted by [`CanonicalJson::parse`], in bytes: 16 MiB.
pub const JSON_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Canonical JSON text. Embedded as JSON, not as a string, wherever it is part of another document.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CanonicalJson(String);

#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    #[error("the document has {bytes} bytes, at most {JSON_BYTES_MAX} are accepted")]
    TooLarge { bytes: usize },
    #[error("the document is not the JSON that was expected")]
    Parse {
        #[source]
        source: serde_json::Error,
    },
    #[error("the value cannot be written as JSON")]
    Write {
        #[source]
        source: serde_json::Error,
    },
    #[error("the number {number} is not a whole number within ±(2^53 - 1)")]
    Number { number: String },
}

impl CanonicalJson {
    /// The canonical form of a value.
    ///
    /// # Errors
    /// If the value holds a number that is not an exact integer, or cannot be written as JSON at all.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, CanonicalError> {
        let json =
            serde_json::to_value(value).map_err(|source| CanonicalError::Write { source })?;
        Self::of_json(&json)
    }

    fn of_json(json: &Json) -> Result<Self, CanonicalError> {
        whole_numbers(json)?;
        let text = serde_json_canonicalizer::to_string(json)
            .map_err(|source| CanonicalError::Write { source })?;
        Ok(Self(text))
    }

    /// Reads untrusted bytes: duplicate keys, fractions, deep nesting and trailing text are refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, CanonicalError> {
        Self::of_json(&parse_strict(bytes)?)
    }

    /// An empty object.
    pub fn empty() -> Self {
        Self("{}".to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }

    /// The document as untyped JSON, for the edges that need it.
    pub fn to_json(&self) -> Json {
        // Canonical text is valid JSON by construction; null would only stand for a broken invariant.
        serde_json::from_str(&self.0).unwrap_or(Json::Null)
    }

    /// Reads the document as a type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, CanonicalError> {
        serde_json::from_str(&self.0).map_err(|source| CanonicalError::Parse { source })
    }
}

impl fmt::Debug for CanonicalJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for CanonicalJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CanonicalJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Strict { depth: 0 }.deserialize(deserializer)?;
        Self::of_json(&json).map_err(D::Error::custom)
    }
}

/// Parses untrusted bytes to JSON with the same refusals as [`CanonicalJson::parse`].
pub fn parse_strict(bytes: &[u8]) -> Result<Json, CanonicalError> {
    if bytes.len() > JSON_BYTES_MAX {
        return Err(CanonicalError::TooLarge { bytes: bytes.len() });
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let json = Strict { depth: 0 }
        .deserialize(&mut reader)
        .map_err(|source| CanonicalError::Parse { source })?;
    reader.end().map_err(|source| CanonicalError::Parse { source })?;
    Ok(json)
}

fn whole_numbers(json: &Json) -> Result<(), CanonicalError> {
    match json {
        Json::Number(n) => match n.as_i64() {
            Some(i) if (-INTEGER_MAX..=INTEGER_MAX).contains(&i) => Ok(()),
            _ => Err(CanonicalError::Number { number: n.to_string() }),
        },
        Json::Array(items) => items.iter().try_for_each(whole_numbers),
        Json::Object(map) => map.values().try_for_each(whole_numbers),
        Json::Null | Json::Bool(_) | Json::String(_) => Ok(()),
    }
}

/// Plain `serde_json` keeps the last of two equal keys; this refuses them.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Strict {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= JSON_DEPTH_MAX {
            return Err(E::custom(format!("nested deeper than {JSON_DEPTH_MAX} levels")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Json, E> {
        Ok(Json::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Json, E> {
        Ok(Json::from(v))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Json, E> {
        Ok(Json::from(v))
    }

    fn visit_f64<E: serde::de::Error>(self, v: f64) -> Result<Json, E> {
        Err(E::custom(format!("{v} is not a whole number")))
    }

    fn visit_str<E>(self, v: &str) -> Result<Json, E> {
        Ok(Json::String(v.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let inner = self.deeper()?;
        let mut object = serde_json::Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(inner)?;
            if object.contains_key(&key) {
                return Err(A::Error::custom(format!("the key {key:?} stands twice")));
            }
            object.insert(key, value);
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_documents_have_equal_bytes() {
        let a = CanonicalJson::parse(br#"{"b":1, "a":[true,null,"x"]}"#).unwrap();
        assert_eq!(a.as_str(), r#"{"a":[true,null,"x"],"b":1}"#);
        let b = CanonicalJson::parse(a.as_str().as_bytes()).unwrap();
        assert_eq!(a, b);
    }

    #[test]
    fn hostile_documents_are_refused() {
        let deep = "[".repeat(JSON_DEPTH_MAX + 1) + &"]".repeat(JSON_DEPTH_MAX + 1);
        let fits = "[".repeat(JSON_DEPTH_MAX) + &"]".repeat(JSON_DEPTH_MAX);
        assert!(CanonicalJson::parse(fits.as_bytes()).is_ok());
        let bad =
            [r#"{"a":1,"a":2}"#, "1.5", "9007199254740993", "1e400", "{} {}", "", deep.as_str()];
        for text in bad {
            assert!(CanonicalJson::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
