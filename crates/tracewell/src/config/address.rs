//! Addresses to listen on, by number or by name.

use std::fmt;

use serde::de::IntoDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A host and a port: `127.0.0.1:4317`, `[::1]:4317`, `localhost:4317`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address(String);

impl Address {
    pub(crate) fn local(port: u16) -> Self {
        Self(format!("127.0.0.1:{port}"))
    }

    /// The same host with a port that is free.
    pub(crate) fn with_any_port(&self) -> Self {
        Self(format!("{}:0", self.0.rsplit_once(':').map_or("", |(host, _)| host)))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An address, or `off`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listening {
    Off,
    At(Address),
}

impl Serialize for Listening {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_str(OFF),
            Self::At(address) => address.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Listening {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == OFF {
            return Ok(Self::Off);
        }
        Address::deserialize(text.into_deserializer()).map(Self::At)
    }
}

const OFF: &str = "off";

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(Self(text)),
            _ => {
                Err(serde::de::Error::custom("a host and a port are needed, such as 127.0.0.1:4317 or localhost:4317"))
            }
        }
    }
}
