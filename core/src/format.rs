//! The number of the format in which skydeck writes its records and its payloads.
//!
//! During an upgrade, executions that have begun go on with functions of the new version, and with payloads and records of the old
//! one: what is read may be older than its reader, always. What is newer is refused, since nobody can know what it means.

use serde_json::Value;

/// The format of this version. It goes up when a reader of before would misunderstand what is written from now on; a field
/// more that a reader may ignore is no such change.
pub const FORMAT: u64 = 1;

/// What was written before there were numbers.
const FIRST: u64 = 1;
const KEY: &str = "format";
/// What the states of a machine hand on to each other, and what an execution was started with.
const CARRIED: [&str; 3] = ["run", "rollout", "trigger"];

/// Something that a newer skydeck has written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "was written by a newer skydeck (format {0}, and this one reads up to {FORMAT}): upgrade this one, the command or the installation"
)]
pub struct Newer(Value);

/// Writes the number into a record. What is no object has no place for one, and is of the first format for ever.
#[must_use]
pub fn mark(mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.insert(KEY.into(), FORMAT.into());
    }
    value
}

/// Writes the number into those parts of a function's output that are handed on.
#[must_use]
pub fn mark_carried(mut output: Value) -> Value {
    for part in CARRIED {
        if let Some(part) = output.get_mut(part) {
            *part = mark(part.take());
        }
    }
    output
}

/// Takes the number off a record, where it can be read.
///
/// # Errors
/// [`Newer`] where a newer skydeck has written it.
pub fn open(mut value: Value) -> Result<Value, Newer> {
    let Some(found) = value.as_object_mut().and_then(|object| object.remove(KEY)) else { return Ok(value) };
    match found.as_u64() {
        Some(FIRST..=FORMAT) => Ok(value),
        _ => Err(Newer(found)),
    }
}

/// The same for a function's input: it, or what it carries.
///
/// # Errors
/// [`Newer`] where a newer skydeck has written it.
pub fn open_input(input: Value) -> Result<Value, Newer> {
    let mut input = open(input)?;
    for part in CARRIED {
        if let Some(part) = input.get_mut(part) {
            *part = open(part.take())?;
        }
    }
    Ok(input)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_marked_is_opened_as_it_was_and_what_has_no_number_is_read() {
        for value in [json!({ "a": 1 }), json!([1]), json!(null), json!({})] {
            assert_eq!(open(mark(value.clone())), Ok(value.clone()));
            assert_eq!(open(value.clone()), Ok(value));
        }
        assert_eq!(mark(json!({})), json!({ "format": FORMAT }));
    }

    #[test]
    fn what_a_newer_skydeck_has_written_is_refused_wherever_the_number_stands() {
        let newer = json!({ "format": FORMAT + 1 });
        assert!(open(newer.clone()).unwrap_err().to_string().contains("upgrade"));
        for input in [newer.clone(), json!({ "run": newer }), json!({ "rollout": newer }), json!({ "trigger": newer })]
        {
            assert!(open_input(input.clone()).is_err(), "{input}");
        }
        for wrong in [json!(0), json!("1"), json!(1.5)] {
            assert!(open(json!({ "format": wrong })).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_a_state_hands_on_tells_its_format_and_its_reader_does_not_see_it() {
        let output = json!({ "run": { "id": "a" }, "facts": {} });
        let marked = mark_carried(output.clone());
        assert_eq!(marked["run"]["format"], FORMAT);
        assert_eq!(open_input(marked), Ok(output));
        assert_eq!(mark_carried(json!({ "rollout": null })), json!({ "rollout": null }));
    }
}
