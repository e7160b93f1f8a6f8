//! Values of options that are more than a word.

use std::convert::Infallible;
use std::str::FromStr;

/// `--tail`: a number of lines, or `all`, which a negative number means too, as in Compose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tail(pub Option<u64>);

impl FromStr for Tail {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "all" {
            return Ok(Self(None));
        }
        match text.parse::<i64>() {
            Ok(number) => Ok(Self(u64::try_from(number).ok())),
            Err(_) => Err("expected a number of lines, or `all`".to_owned()),
        }
    }
}

/// `--scale SERVICE=NUM`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scale {
    /// The service.
    pub service: String,
    /// How many containers of it.
    pub number: u32,
}

impl FromStr for Scale {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || "expected SERVICE=NUM, such as `worker=3`".to_owned();
        let (service, number) = text.split_once('=').ok_or_else(error)?;
        if service.is_empty() {
            return Err(error());
        }
        Ok(Self { service: service.to_owned(), number: number.parse().map_err(|_| error())? })
    }
}

/// `NAME=value`, or `NAME` alone, whose value is taken from the environment of hob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The name.
    pub key: String,
    /// The value; `None` where only the name was given.
    pub value: Option<String>,
}

impl FromStr for KeyValue {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.split_once('=') {
            Some((key, value)) => Self { key: key.to_owned(), value: Some(value.to_owned()) },
            None => Self { key: text.to_owned(), value: None },
        })
    }
}
