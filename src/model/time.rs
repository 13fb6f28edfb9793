//! Points in time as the record stores them: RFC 3339, UTC, milliseconds.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::Offset;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time, kept to the millisecond.
///
/// Arithmetic never goes below zero: a clock that stepped back makes an age of zero, not a
/// negative one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Returns the time that lies `milliseconds` after 1970-01-01T00:00:00Z.
    ///
    /// Values outside the years 0 to 9999 are moved to the nearest end.
    pub fn from_millis(milliseconds: i64) -> Self {
        const YEAR_0: i64 = -62_167_219_200_000;
        // jiff's own end, one day early so that every offset still fits.
        const YEAR_9999: i64 = 253_402_207_200_000;
        Self(milliseconds.clamp(YEAR_0, YEAR_9999))
    }

    /// Returns the milliseconds since 1970-01-01T00:00:00Z.
    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// Returns how long ago `earlier` was, zero where it lies in the future.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Returns the time `duration` later.
    pub fn plus(self, duration: Duration) -> Self {
        let milliseconds = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.0.saturating_add(milliseconds))
    }
}

impl From<jiff::Timestamp> for Timestamp {
    fn from(time: jiff::Timestamp) -> Self {
        Self::from_millis(time.as_millisecond())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_millisecond(self.0).map_err(|_| fmt::Error)?;
        write!(f, "{time:.3}")
    }
}

/// A text that is not an RFC 3339 time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an RFC 3339 time such as 2026-11-20T10:00:00.000Z")]
pub struct ParseTimestampError(String);

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(time) = written(text) {
            return Ok(time);
        }
        text.parse::<jiff::Timestamp>()
            .map(Self::from)
            .map_err(|_| ParseTimestampError(text.to_owned()))
    }
}

/// Reads a time as `Display` writes it, which each record holds half a dozen of; `None` where it is
/// written in another way.
fn written(text: &str) -> Option<Timestamp> {
    const FORM: &[u8; 24] = b"0000-00-00T00:00:00.000Z";
    let bytes: &[u8; 24] = text.as_bytes().try_into().ok()?;
    let fits = |(byte, form): (&u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        separator => byte == separator,
    };
    if !bytes.iter().zip(FORM).all(fits) {
        return None;
    }
    let number =
        |from: usize| i16::from(bytes[from] - b'0') * 10 + i16::from(bytes[from + 1] - b'0');
    let pair = |from: usize| i8::try_from(number(from)).ok();
    let milliseconds = i32::from(number(20)) * 10 + i32::from(bytes[22] - b'0');
    let time = DateTime::new(
        number(0) * 100 + number(2),
        pair(5)?,
        pair(8)?,
        pair(11)?,
        pair(14)?,
        pair(17)?,
        milliseconds * 1_000_000,
    );
    Offset::UTC.to_timestamp(time.ok()?).ok().map(Timestamp::from)
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl serde::de::Visitor<'_> for Text {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an RFC 3339 time")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// A part of the day: `"22:00-07:00"`, the end not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Minutes after midnight.
    from: u32,
    /// Minutes after midnight, up to 24:00; not after `from` where it goes on past midnight.
    to: u32,
}

impl Window {
    /// From midnight to midnight.
    pub const ALL_DAY: Self = Self { from: 0, to: 24 * 60 };

    /// Returns whether `at` is in it, where local time is `utc_offset` seconds ahead of UTC.
    pub fn contains(self, at: Timestamp, utc_offset: i32) -> bool {
        const MINUTE: i64 = 60_000;
        let local = at.0.saturating_add(i64::from(utc_offset) * 1000);
        let minute = u32::try_from(local.rem_euclid(24 * 60 * MINUTE) / MINUTE).unwrap_or(0);
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [from, to] = [self.from, self.to].map(|minute| (minute / 60, minute % 60));
        write!(f, "{:02}:{:02}-{:02}:{:02}", from.0, from.1, to.0, to.1)
    }
}

/// A text that is no part of the day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a part of the day such as 22:00-07:00")]
pub struct ParseWindowError(String);

impl FromStr for Window {
    type Err = ParseWindowError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let minute = |text: &str| {
            let (hour, minute) = text.trim().split_once(':')?;
            let two = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
            let (true, true) = (two(hour), two(minute)) else { return None };
            let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
            (minute < 60 && hour * 60 + minute <= 24 * 60).then_some(hour * 60 + minute)
        };
        let window = text.split_once('-').and_then(|(from, to)| {
            let window = Self { from: minute(from)?, to: minute(to)? };
            (window.from < 24 * 60 && window.from != window.to).then_some(window)
        });
        window.ok_or_else(|| ParseWindowError(text.to_owned()))
    }
}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Durations in configuration and policy: `"90s"`, `"5m"`, `"1h 30m"`.
pub mod duration_text {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes `duration` the way people do.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*duration))
    }

    /// Reads `"5m"`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text).map_err(|error| {
            serde::de::Error::custom(format!(
                "`{text}` is not a duration such as \"90s\" or \"5m\": {error}"
            ))
        })
    }
}

/// [`duration_text`] for a value that may be absent.
pub mod optional_duration_text {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes `duration` the way people do; absent values are skipped by the field's attribute.
    pub fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::duration_text::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// Reads `"5m"`; `null` is absent.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        #[derive(Deserialize)]
        struct Text(#[serde(with = "super::duration_text")] Duration);
        Ok(Option::<Text>::deserialize(deserializer)?.map(|text| text.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn displays_milliseconds_always() {
        assert_eq!(at("2026-11-20T10:00:00Z").to_string(), "2026-11-20T10:00:00.000Z");
        assert_eq!(at("2026-11-20T10:00:00.1239Z").to_string(), "2026-11-20T10:00:00.123Z");
        assert_eq!(at("2026-11-20T12:00:00+02:00").to_string(), "2026-11-20T10:00:00.000Z");
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_as_any_other_time_is(millis in -99_999_999_999_999_i64..999_999_999_999_999) {
            let time = Timestamp::from_millis(millis);
            let text = time.to_string();
            let other = text.parse::<jiff::Timestamp>().map(Timestamp::from).unwrap();
            assert_eq!((written(&text).unwrap_or(other), other), (time, time));
        }
    }

    #[test]
    fn what_is_no_time_is_none_in_whatever_form() {
        for wrong in [
            "2026-13-20T10:00:00.000Z",
            "2026-02-30T10:00:00.000Z",
            "2026-11-20T25:00:00.000Z",
            "2026-11-20T10:00:00.00xZ",
            "",
        ] {
            assert!(wrong.parse::<Timestamp>().is_err(), "{wrong}");
        }
        assert_eq!(at("2024-02-29T23:59:59.999Z").to_string(), "2024-02-29T23:59:59.999Z");
        // As `jiff` reads a leap second.
        assert_eq!(at("2016-12-31T23:59:60.000Z"), at("2016-12-31T23:59:60Z"));
    }

    #[test]
    fn an_age_is_never_negative() {
        let (early, late) = (at("2026-11-20T10:00:00Z"), at("2026-11-20T10:00:01Z"));
        assert_eq!(late.since(early), Duration::from_secs(1));
        assert_eq!(early.since(late), Duration::ZERO);
    }

    #[test]
    fn a_window_may_go_past_midnight() {
        let holds = |window: &str, time: &str, offset: i32| {
            window.parse::<Window>().unwrap().contains(at(&format!("2026-11-20T{time}Z")), offset)
        };
        for (window, time, offset, expected) in [
            ("00:00-24:00", "00:00:00", 0, true),
            ("00:00-24:00", "23:59:59", 0, true),
            ("09:00-17:00", "08:59:59", 0, false),
            ("09:00-17:00", "09:00:00", 0, true),
            ("09:00-17:00", "16:59:59", 0, true),
            ("09:00-17:00", "17:00:00", 0, false),
            ("09:00-17:00", "08:30:00", 3600, true),
            ("09:00-17:00", "17:30:00", -3600, true),
            ("22:00-07:00", "21:59:00", 0, false),
            ("22:00-07:00", "22:00:00", 0, true),
            ("22:00-07:00", "06:59:00", 0, true),
            ("22:00-07:00", "07:00:00", 0, false),
            ("22:00-07:00", "23:30:00", 8 * 3600, false),
        ] {
            assert_eq!(holds(window, time, offset), expected, "{window} {time} {offset}");
        }
        for wrong in
            ["", "9-5", "09:00", "09:00-09:00", "24:00-07:00", "09:60-10:00", "09:00-24:01"]
        {
            assert!(wrong.parse::<Window>().is_err(), "{wrong}");
        }
        assert_eq!("22:00 - 07:00".parse::<Window>().unwrap().to_string(), "22:00-07:00");
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        for time in [Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX)] {
            let text = time.plus(Duration::MAX).to_string();
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
        }
    }
}
