//! JSON Schemas out of the types, for programs that read our output.

use schemars::JsonSchema;
use serde_json::Value;

use crate::event::Timed;
use crate::flash::Receipt;

/// Schema of one line of `--json` output.
pub fn events() -> Value {
    of::<Timed>()
}

/// Schema of a receipt.
pub fn receipt() -> Value {
    of::<Receipt>()
}

fn of<T: JsonSchema>() -> Value {
    schemars::schema_for!(T).to_value()
}

#[cfg(test)]
mod tests;
