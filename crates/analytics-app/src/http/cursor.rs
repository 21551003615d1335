//! Places in lists, as one page names the next: a time in microseconds and an id.

use std::fmt::Display;
use std::str::FromStr;

use analytics_ports::{BatchLimit, PageRequest};
use chrono::{DateTime, Utc};

use super::problem::Problem;

/// The place after what has this time and id.
pub(super) fn place(at: DateTime<Utc>, id: impl Display) -> String {
    format!("{}_{id}", at.timestamp_micros())
}

/// The page of at most so many after a place, or the first one; `of` makes what the store takes for a place.
pub(super) fn page<C, I: FromStr>(
    limit: BatchLimit,
    after: Option<&str>,
    of: impl FnOnce(DateTime<Utc>, I) -> C,
) -> Result<PageRequest<C>, Problem> {
    let Some(text) = after else { return Ok(PageRequest::first(limit)) };
    let (at, id) = read(text).ok_or_else(Problem::wrong_place)?;
    Ok(PageRequest::after(limit, of(at, id)))
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
