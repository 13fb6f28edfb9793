//! Reads when a usage limit ends from the words an agent says it in.
//!
//! Pure: the time and the zones are arguments. What is not understood whole is `None`; a wrong
//! time would wake an agent into the same wall, or let it sleep for a day.

use std::time::Duration;

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Zoned};

use crate::time::Timestamp;

/// Returns the zone of a name, the local one for none; `None` for a name that nobody knows.
pub type Zones<'a> = &'a dyn Fn(Option<&str>) -> Option<TimeZone>;

/// A limit that ended longer ago than this is another one's.
const LONGEST_AGO: Duration = Duration::from_secs(24 * 3600);

/// A time of day that passed no longer ago than this is today's: the limit is just over.
const JUST_OVER: Duration = Duration::from_secs(10 * 60);

/// No limit lasts longer; a number that says so is no time.
const LONGEST_AHEAD: Duration = Duration::from_secs(400 * 24 * 3600);

/// Words that say nothing about when.
const FILLERS: &[&str] =
    &["about", "after", "again", "and", "at", "in", "on", "reset", "resets", "until", "·", "-"];

const MONTHS: &[&str] =
    &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

const WEEKDAYS: &[(&str, Weekday)] = &[
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// Returns when the limit ends that `text` tells of, said at `now`.
///
/// Understands seconds and milliseconds since 1970, RFC 3339, `3pm`, `15:30`, `tomorrow 9am`,
/// `Nov 21st, 2026 3:04 PM`, `Mon 9am`, each with a zone behind it, and `in 2 hours 5 minutes`.
/// A time of day that has passed means the next day, unless it has only just passed.
pub fn reset_time(text: &str, now: Timestamp, zones: Zones<'_>) -> Option<Timestamp> {
    let text = text.trim().trim_end_matches(['.', '!', ';', ',']);
    let found = epoch(text)
        .or_else(|| text.parse::<Timestamp>().ok())
        .or_else(|| from_now(text, now))
        .or_else(|| on_the_clock(text, now, zones))?;
    let plausible = now.since(found) <= LONGEST_AGO && found.since(now) <= LONGEST_AHEAD;
    plausible.then_some(found)
}

/// Reads seconds or milliseconds since 1970, a fraction included.
fn epoch(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    match whole.len() {
        9..=10 => Some(Timestamp::from_millis(number * 1000)),
        12..=13 => Some(Timestamp::from_millis(number)),
        _ => None,
    }
}

/// Returns the words of `text`, without what only separates them.
fn words(text: &str) -> Vec<&str> {
    let separates = |c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')');
    let says_something = |word: &&str| {
        !word.is_empty() && !FILLERS.iter().any(|filler| filler.eq_ignore_ascii_case(word))
    };
    text.split(separates).filter(says_something).collect()
}

/// Reads `2 hours 5 minutes` and `2h5m`.
fn from_now(text: &str, now: Timestamp) -> Option<Timestamp> {
    let text = words(text).join(" ").to_lowercase();
    let mut rest = text.as_str();
    let mut seconds: u64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "s" | "sec" | "secs" | "second" | "seconds" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3600,
            "d" | "day" | "days" => 24 * 3600,
            "w" | "week" | "weeks" => 7 * 24 * 3600,
            _ => return None,
        };
        seconds = seconds.checked_add(number.checked_mul(unit)?)?;
        rest = rest[letters..].trim_start();
    }
    Some(now.plus(Duration::from_secs(seconds.min(LONGEST_AHEAD.as_secs() + 1))))
}

/// What a text says of a day and a time of day.
#[derive(Default)]
struct Said {
    time: Option<Time>,
    month: Option<i8>,
    day: Option<i8>,
    year: Option<i16>,
    days_ahead: Option<i64>,
    weekday: Option<Weekday>,
    zone: Option<TimeZone>,
}

fn on_the_clock(text: &str, now: Timestamp, zones: Zones<'_>) -> Option<Timestamp> {
    let said = said(text, zones)?;
    let zone = match &said.zone {
        Some(zone) => zone.clone(),
        None => zones(None)?,
    };
    let now = jiff::Timestamp::from_millisecond(now.as_millis()).ok()?.to_zoned(zone.clone());
    let date_time = said.resolve(&now)?;
    Some(date_time.to_zoned(zone).ok()?.timestamp().into())
}

/// Reads every word; `None` where one is not understood or says something twice.
fn said(text: &str, zones: Zones<'_>) -> Option<Said> {
    // A date of digits comes with its time of day.
    if let Ok(date_time) = text.parse::<DateTime>().or_else(|_| text.replacen(' ', "T", 1).parse())
    {
        let date = date_time.date();
        return Some(Said {
            time: Some(date_time.time()),
            month: Some(date.month()),
            day: Some(date.day()),
            year: Some(date.year()),
            ..Said::default()
        });
    }
    let original = words(text);
    let mut said = Said::default();
    let mut at = 0;
    while let Some(word) = original.get(at) {
        let lower = word.to_lowercase();
        let next = original.get(at + 1).map(|word| word.to_lowercase());
        at += said.take(&lower, next.as_deref(), word, zones)?;
    }
    Some(said)
}

impl Said {
    /// Takes one word in, with the one behind it where both are a time; returns how many.
    fn take(
        &mut self,
        word: &str,
        next: Option<&str>,
        original: &str,
        zones: Zones<'_>,
    ) -> Option<usize> {
        if let Some(time) = next.and_then(|half| time_of_day(&format!("{word}{half}"))) {
            set(&mut self.time, time)?;
            return Some(2);
        }
        if let Some(time) = time_of_day(word) {
            set(&mut self.time, time)?;
        } else if let Some(days) = days_ahead(word) {
            set(&mut self.days_ahead, days)?;
        } else if let Some(month) = name_of(word, MONTHS.iter().copied()) {
            set(&mut self.month, i8::try_from(month + 1).ok()?)?;
        } else if let Some(index) = name_of(word, WEEKDAYS.iter().map(|(name, _)| *name)) {
            set(&mut self.weekday, WEEKDAYS[index].1)?;
        } else if let Some(day) = day_of_month(word).filter(|_| self.day.is_none()) {
            set(&mut self.day, day)?;
        } else if let Some(year) = word.parse().ok().filter(|year| (2000..10_000).contains(year)) {
            set(&mut self.year, year)?;
        } else if word == "z" {
            set(&mut self.zone, TimeZone::UTC)?;
        } else {
            set(&mut self.zone, zones(Some(original))?)?;
        }
        Some(1)
    }

    /// Returns the day and time that are meant, as seen at `now`.
    fn resolve(&self, now: &Zoned) -> Option<DateTime> {
        let today = now.date();
        let passed =
            |said: DateTime| said.checked_add(JUST_OVER).is_ok_and(|over| over < now.datetime());
        let time = self.time.unwrap_or(Time::midnight());
        let next = |date: Date, span: Span| date.checked_add(span).ok();
        match (self.month, self.day, self.days_ahead, self.weekday) {
            (Some(month), Some(day), None, _) => match self.year {
                Some(year) => Some(Date::new(year, month, day).ok()?.to_datetime(time)),
                None => {
                    let this_year = Date::new(today.year(), month, day).ok()?.to_datetime(time);
                    // Said in December of January; a day ago it may still be read too late.
                    let long_gone = this_year.date() < next(today, Span::new().days(-1))?;
                    if !long_gone {
                        return Some(this_year);
                    }
                    Some(Date::new(today.year() + 1, month, day).ok()?.to_datetime(time))
                }
            },
            (None, None, Some(days), None) if self.year.is_none() => {
                Some(next(today, Span::new().days(days))?.to_datetime(time))
            }
            (None, None, None, Some(weekday)) if self.year.is_none() => {
                let ahead = i64::from(today.weekday().until(weekday));
                let date = next(today, Span::new().days(ahead))?;
                let date_time = date.to_datetime(time);
                if !passed(date_time) {
                    return Some(date_time);
                }
                Some(next(date, Span::new().days(7))?.to_datetime(time))
            }
            (None, None, None, None) if self.year.is_none() => {
                // Yesterday's, too, may have only just passed.
                let time = self.time?;
                let days = [-1, 0, 1].map(|days| next(today, Span::new().days(days)));
                let meant = days.into_iter().flatten().map(|day| day.to_datetime(time));
                meant.into_iter().find(|meant| !passed(*meant))
            }
            (Some(_) | None, Some(_) | None, Some(_) | None, Some(_) | None) => None,
        }
    }
}

/// Sets what was not said before; what is said twice is not understood.
fn set<T>(place: &mut Option<T>, value: T) -> Option<()> {
    if place.is_some() {
        return None;
    }
    *place = Some(value);
    Some(())
}

/// Reads `3pm`, `3:04pm`, `15:30`, `15:30:10`, `noon`; a bare number is no time.
fn time_of_day(word: &str) -> Option<Time> {
    match word {
        "noon" => return Time::new(12, 0, 0, 0).ok(),
        "midnight" => return Some(Time::midnight()),
        _ => {}
    }
    let bare = word.replace('.', "");
    let (clock, half) = match (bare.strip_suffix("am"), bare.strip_suffix("pm")) {
        (Some(clock), _) => (clock, Some(0)),
        (None, Some(clock)) => (clock, Some(12)),
        (None, None) => (bare.as_str(), None),
    };
    let mut parts = clock.split(':');
    let mut number = |digits: std::ops::RangeInclusive<usize>| match parts.next() {
        None => Some(None),
        Some(part) if digits.contains(&part.len()) => part.parse::<i8>().ok().map(Some),
        Some(_) => None,
    };
    let hour = number(1..=2)??;
    let (minute, second) = (number(2..=2)?, number(2..=2)?);
    if parts.next().is_some() || (half.is_none() && minute.is_none()) {
        return None;
    }
    let hour = match half {
        Some(half) if (1..=12).contains(&hour) => hour % 12 + half,
        Some(_) => return None,
        None => hour,
    };
    Time::new(hour, minute.unwrap_or(0), second.unwrap_or(0), 0).ok()
}

fn days_ahead(word: &str) -> Option<i64> {
    match word {
        "today" => Some(0),
        "tomorrow" => Some(1),
        _ => None,
    }
}

/// Returns which of `names` the word is, or begins with and goes on in letters.
fn name_of(word: &str, mut names: impl Iterator<Item = &'static str>) -> Option<usize> {
    let letters = word.trim_end_matches('.');
    let is_word = letters.len() >= 3 && letters.bytes().all(|byte| byte.is_ascii_lowercase());
    names.position(|name| is_word && letters.starts_with(name))
}

/// Reads `21` and `21st`.
fn day_of_month(word: &str) -> Option<i8> {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let suffix = &word[digits.len()..];
    let day = digits.parse().ok().filter(|day| (1..=31).contains(day))?;
    matches!(suffix, "" | "st" | "nd" | "rd" | "th").then_some(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Berlin, in winter and in summer, is enough of a database.
    fn zones(name: Option<&str>) -> Option<TimeZone> {
        match name {
            None => Some(TimeZone::UTC),
            Some("Europe/Berlin") => {
                Some(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone"))
            }
            Some("UTC" | "GMT") => Some(TimeZone::UTC),
            Some(_) => None,
        }
    }

    fn read(text: &str) -> String {
        // A Saturday.
        let now: Timestamp = "2026-11-21T14:30:00Z".parse().unwrap();
        match reset_time(text, now, &zones) {
            Some(time) => time.to_string().replace(":00.000Z", ""),
            None => "nothing".to_owned(),
        }
    }

    const WAYS: &[&str] = &[
        "1795278600",
        "1795278600.5",
        "1795278600123",
        "2026-11-21T16:30:00Z",
        "2026-11-21T16:30:00+01:00",
        "2026-11-21 16:30",
        "3pm",
        "at 3PM",
        "3 pm",
        "2pm",
        "12am",
        "12pm",
        "noon",
        "midnight",
        "3:04 PM",
        "3:04 p.m.",
        "15:30",
        "09:15:30",
        "14:30",
        "Nov 21st, 2026 3:04 PM",
        "Nov 21 at 3pm",
        "November 21",
        "21 Nov 3pm",
        "Jan 2nd 9am",
        "Nov 20, 3pm",
        "resets 3pm (Europe/Berlin)",
        "3pm (UTC)",
        "Jul 1, 3pm (Europe/Berlin)",
        "tomorrow 9am",
        "tomorrow at 9:00 (Europe/Berlin)",
        "today 16:00",
        "Mon 9am",
        "Saturday 3pm",
        "sat, 2pm",
        "in 2 hours 5 minutes",
        "2 hours and 5 minutes.",
        "2h 5m",
        "2h5m10s",
        "in 45s",
        "in 3 days 4 hours 9 minutes",
        "1 week",
    ];

    #[test]
    fn every_way_to_say_when() {
        let table: String =
            WAYS.iter().map(|text| format!("{text:<34} {}\n", read(text))).collect();
        insta::assert_snapshot!(table, @"
        1795278600                         2026-11-21T16:30
        1795278600.5                       2026-11-21T16:30
        1795278600123                      2026-11-21T16:30:00.123Z
        2026-11-21T16:30:00Z               2026-11-21T16:30
        2026-11-21T16:30:00+01:00          2026-11-21T15:30
        2026-11-21 16:30                   2026-11-21T16:30
        3pm                                2026-11-21T15:00
        at 3PM                             2026-11-21T15:00
        3 pm                               2026-11-21T15:00
        2pm                                2026-11-22T14:00
        12am                               2026-11-22T00:00
        12pm                               2026-11-22T12:00
        noon                               2026-11-22T12:00
        midnight                           2026-11-22T00:00
        3:04 PM                            2026-11-21T15:04
        3:04 p.m.                          2026-11-21T15:04
        15:30                              2026-11-21T15:30
        09:15:30                           2026-11-22T09:15:30.000Z
        14:30                              2026-11-21T14:30
        Nov 21st, 2026 3:04 PM             2026-11-21T15:04
        Nov 21 at 3pm                      2026-11-21T15:00
        November 21                        2026-11-21T00:00
        21 Nov 3pm                         2026-11-21T15:00
        Jan 2nd 9am                        2027-01-02T09:00
        Nov 20, 3pm                        2026-11-20T15:00
        resets 3pm (Europe/Berlin)         2026-11-22T14:00
        3pm (UTC)                          2026-11-21T15:00
        Jul 1, 3pm (Europe/Berlin)         2027-07-01T13:00
        tomorrow 9am                       2026-11-22T09:00
        tomorrow at 9:00 (Europe/Berlin)   2026-11-22T08:00
        today 16:00                        2026-11-21T16:00
        Mon 9am                            2026-11-23T09:00
        Saturday 3pm                       2026-11-21T15:00
        sat, 2pm                           2026-11-28T14:00
        in 2 hours 5 minutes               2026-11-21T16:35
        2 hours and 5 minutes.             2026-11-21T16:35
        2h 5m                              2026-11-21T16:35
        2h5m10s                            2026-11-21T16:35:10.000Z
        in 45s                             2026-11-21T14:30:45.000Z
        in 3 days 4 hours 9 minutes        2026-11-24T18:39
        1 week                             2026-11-28T14:30
        ");
    }

    #[test]
    fn a_time_of_day_that_has_only_just_passed_is_todays() {
        for (now, text, meant) in [
            ("2026-11-21T15:00:00Z", "3pm", "2026-11-21T15:00:00.000Z"),
            ("2026-11-21T15:10:00Z", "3pm", "2026-11-21T15:00:00.000Z"),
            ("2026-11-21T15:10:01Z", "3pm", "2026-11-22T15:00:00.000Z"),
            ("2026-11-21T15:04:00Z", "Sat 3pm", "2026-11-21T15:00:00.000Z"),
            ("2026-11-21T15:11:00Z", "Sat 3pm", "2026-11-28T15:00:00.000Z"),
            ("2026-11-22T00:05:00Z", "11:55pm", "2026-11-21T23:55:00.000Z"),
            ("2026-11-22T00:06:00Z", "11:55pm", "2026-11-22T23:55:00.000Z"),
            ("2026-11-22T00:05:00Z", "midnight", "2026-11-22T00:00:00.000Z"),
        ] {
            let said = reset_time(text, now.parse().unwrap(), &zones).unwrap();
            assert_eq!(said.to_string(), meant, "{text} at {now}");
        }
    }

    #[test]
    fn what_is_not_understood_whole_is_nothing() {
        let wrong = [
            "",
            " ",
            "later",
            "3",
            "at 3",
            "25:00",
            "13pm",
            "0am",
            "3:4",
            "3:60",
            "3pm 4pm",
            "Nov",
            "Nov 31",
            "Nov 21 2026 Nov 22",
            "21",
            "2026",
            "3pm (Atlantis/Capital)",
            "3pm PST or so",
            "tomorrow Mon",
            "2 parsecs",
            "h",
            "2h 5",
            "-5m",
            "12345",
            "99999999999999",
            "1495278600",
            "4102444800",
            "999999999 weeks",
            "99999999999999999999 h",
            "2016-11-21T16:30:00Z",
            "the day after tomorrow",
            "3pm\u{0}",
            "\u{fc}\u{fc}\u{fc}",
        ];
        for text in wrong {
            assert_eq!(read(text), "nothing", "{text}");
        }
    }
}
