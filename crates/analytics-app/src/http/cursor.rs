//! Places in lists, as one page names the next: a time in microseconds and an id.

use std::fmt::Display;
use std::str::FromStr;

use chrono::{DateTime, Utc};

/// The place after what has this time and id.
pub(super) fn place(at: DateTime<Utc>, id: impl Display) -> String {
    format!("{}_{id}", at.timestamp_micros())
}

/// The time and the id of a place; `None` for a text that is none.
pub(super) fn read<I: FromStr>(place: &str) -> Option<(DateTime<Utc>, I)> {
    let (micros, id) = place.split_once('_')?;
    Some((DateTime::from_timestamp_micros(micros.parse().ok()?)?, id.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use analytics_domain::ids::SessionId;

    use super::*;

    #[test]
    fn a_place_comes_back_as_it_was_named() {
        let (at, id) = (DateTime::from_timestamp_micros(-1).unwrap(), SessionId::from_u128(7));
        assert_eq!(read(&place(at, id)), Some((at, id)));
        for wrong in ["", "1", "x_1", "1_x", "9223372036854775807_00000000000000000000000000000007"] {
            assert_eq!(read::<SessionId>(wrong), None, "{wrong}");
        }
    }
}
