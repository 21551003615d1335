//! Values of the domain as columns.

use serde::Serialize;
use serde_json::Value;

/// A value as JSON.
pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("what is kept as JSON has texts for keys and finite numbers")
}

/// A member of a closed list by the name that serde gives it.
pub(crate) fn name(member: &impl Serialize) -> String {
    match serde_json::to_value(member) {
        Ok(Value::String(name)) => name,
        other => panic!("a member of a closed list is written as its name, not as {other:?}"),
    }
}
