//! Figures as people read them, the same on the terminal and in the dashboard.

use crate::replay::text::grouped;

/// A share as percent with one decimal.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A whole number with a comma after each three digits.
pub(crate) fn signed(number: i128) -> String {
    let digits = grouped(u64::try_from(number.unsigned_abs()).unwrap_or(u64::MAX));
    if number < 0 { format!("-{digits}") } else { digits }
}

/// An amount in dollars with as many decimals as it needs, two at least.
pub(crate) fn dollars(nano: i128) -> String {
    let (whole, part) = (nano.unsigned_abs() / 1_000_000_000, nano.unsigned_abs() % 1_000_000_000);
    let decimals = format!("{part:09}");
    let needed = decimals.trim_end_matches('0').len().max(2);
    let sign = if nano < 0 { "-" } else { "" };
    format!("{sign}${}.{}", grouped(u64::try_from(whole).unwrap_or(u64::MAX)), &decimals[..needed])
}

/// A time span in its two largest units: `1 h 03 min`, `2 min 38 s`, `13 s`, `0.4 s`.
pub(crate) fn duration(seconds: f64) -> String {
    if seconds < 10.0 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    let (days, hours, minutes) = (whole / 86_400, whole / 3_600 % 24, whole / 60 % 60);
    if days > 0 {
        format!("{days} d {hours:02} h")
    } else if hours > 0 {
        format!("{hours} h {minutes:02} min")
    } else if minutes > 0 {
        format!("{minutes} min {:02} s", whole % 60)
    } else {
        format!("{whole} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_shown_in_dollars_to_the_last_nano_dollar() {
        assert_eq!(
            [0, 1, 1_500_000_000, -20_000_000, 1_234_567_000_000_000].map(dollars),
            ["$0.00", "$0.000000001", "$1.50", "-$0.02", "$1,234,567.00"]
        );
    }

    #[test]
    fn spans_have_two_units() {
        let spans = [0.0, 0.44, 9.96, 10.4, 59.6, 158.0, 3_780.0, 90_000.0].map(duration);
        let told = ["0.0 s", "0.4 s", "10.0 s", "10 s", "1 min 00 s", "2 min 38 s", "1 h 03 min", "1 d 01 h"];
        assert_eq!(spans, told);
    }
}
