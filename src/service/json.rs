//! Reads the JSON of an answer in bounded memory. Pure.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Values of an answer that are kept; further ones read as null. An answer of a few MB could otherwise become hundreds.
const MOST_VALUES: usize = 50_000;

/// The value in `bytes`.
///
/// # Errors
/// Those of the parser.
pub(super) fn bounded(bytes: &[u8]) -> serde_json::Result<Value> {
    let left = Cell::new(MOST_VALUES);
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let value = Bounded(&left).deserialize(&mut parser)?;
    parser.end()?;
    Ok(value)
}

/// Reads a value, if any may still be kept.
#[derive(Clone, Copy)]
struct Bounded<'a>(&'a Cell<usize>);

impl Bounded<'_> {
    fn take(self) -> bool {
        let left = self.0.get();
        self.0.set(left.saturating_sub(1));
        left > 0
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut found = Vec::new();
        loop {
            // Its own place comes before those of what it contains.
            let keep = self.take();
            match items.next_element_seed(self)? {
                Some(item) if keep => found.push(item),
                Some(_) => {}
                None => return Ok(Value::Array(found)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut found = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let keep = self.take();
            let value = entries.next_value_seed(self)?;
            if keep {
                found.insert(key, value);
            }
        }
        Ok(Value::Object(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_reads_as_it_is() {
        let text = r#"{"a": [1, -2, 2.5, "x", null, true], "b": {"c": "d"}}"#;
        assert_eq!(bounded(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        assert!(bounded(b"{} x").is_err() && bounded(b"{\"a\": ").is_err() && bounded(b"").is_err());
    }

    #[test]
    fn an_answer_of_millions_of_values_keeps_some_of_them() {
        let text = format!("{{\"status\": \"done\", \"list\": [{}0]}}", "0,".repeat(1_000_000));
        let value = bounded(text.as_bytes()).unwrap();
        assert_eq!(value["status"], "done");
        assert!(value["list"].as_array().unwrap().len() <= MOST_VALUES);
    }
}
