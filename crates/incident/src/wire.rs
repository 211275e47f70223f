//! The body's own form, as Alertmanager 0.25 to 0.33 writes it. Only what is used is read; keys that are not known
//! are passed over, because each release adds some (`notification_reason` in 0.33).
//!
//! Stricter than derived readers: arrays are not objects, and a key that stands twice in a map is refused.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

/// First look: is this version 4 at all?
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Head {
    #[serde(default)]
    pub(crate) version: Option<Version>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
pub(crate) enum Version {
    Text(String),
    Other(IgnoredAny),
}

#[derive(Debug, serde::Deserialize)]
pub(crate) struct Body {
    #[serde(rename = "groupKey")]
    pub(crate) group_key: String,
    #[serde(rename = "truncatedAlerts", default)]
    pub(crate) truncated_alerts: u64,
    pub(crate) alerts: Vec<Object<Alert>>,
}

#[derive(Debug, serde::Deserialize)]
pub(crate) struct Alert {
    pub(crate) status: String,
    pub(crate) labels: Texts,
    #[serde(default)]
    pub(crate) annotations: Texts,
    #[serde(rename = "startsAt")]
    pub(crate) starts_at: String,
    #[serde(rename = "endsAt", default)]
    pub(crate) ends_at: Option<String>,
    pub(crate) fingerprint: String,
}

/// Reads `T` from a JSON object only: a derived reader would also take an array of its fields.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OnlyMap<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyMap<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(OnlyMap(PhantomData)).map(Self)
    }
}

/// A map from text to text in which each key stands once.
#[derive(Debug, Default)]
pub(crate) struct Texts(pub(crate) BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;

        impl<'de> Visitor<'de> for Once {
            type Value = BTreeMap<String, String>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object whose values are strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut texts = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, String>()? {
                    if texts.contains_key(&key) {
                        return Err(A::Error::custom(format!("the key {key:?} stands twice")));
                    }
                    texts.insert(key, value);
                }
                Ok(texts)
            }
        }

        deserializer.deserialize_map(Once).map(Self)
    }
}
