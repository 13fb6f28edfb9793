//! Measurements, and the text format in which Prometheus reads them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::collect::Sorted;

/// Everything of one name: what it means and what it measured.
///
/// All are gauges: nobody stays behind to count, so each is what is so at this moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Family {
    /// Its name, which begins with `ao_`.
    pub name: String,
    /// What it means.
    pub help: String,
    /// What was measured; nothing where there is nothing of the kind.
    pub samples: Vec<Sample>,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sample {
    /// What it is about.
    pub labels: BTreeMap<String, String>,
    /// How much.
    pub value: f64,
}

impl Family {
    /// Returns a family without samples.
    pub fn new(name: &str, help: &str) -> Self {
        Self { name: name.to_owned(), help: help.to_owned(), samples: Vec::new() }
    }

    /// Returns a family of one sample without labels.
    pub fn single(name: &str, help: &str, value: f64) -> Self {
        Self::new(name, help).with(&[], value)
    }

    /// Returns it with one more sample.
    #[must_use]
    pub fn with(mut self, labels: &[(&str, &str)], value: f64) -> Self {
        let labels = labels.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        self.samples.push(Sample { labels: labels.into_map(), value });
        self
    }

    /// Returns it with a sample for each key of `counted`, whose texts are the labels' values.
    #[must_use]
    pub fn counted<const N: usize>(
        self,
        names: [&str; N],
        counted: &BTreeMap<[String; N], u64>,
    ) -> Self {
        counted.iter().fold(self, |family, (texts, number)| {
            let labels: Vec<(&str, &str)> =
                names.into_iter().zip(texts.iter().map(String::as_str)).collect();
            family.with(&labels, exact(*number))
        })
    }
}

/// Returns a count as a measurement.
#[expect(clippy::cast_precision_loss, reason = "counts of files and bytes are far below 2^53")]
pub fn exact(number: u64) -> f64 {
    number as f64
}

/// Returns the families as text: for each, `# HELP`, `# TYPE` and a line per sample.
pub fn exposition(families: &[Family]) -> String {
    let mut text = String::new();
    for family in families.iter().filter(|family| !family.samples.is_empty()) {
        let name = &family.name;
        text.push_str(&format!("# HELP {name} {}\n", escaped(&family.help, false)));
        text.push_str(&format!("# TYPE {name} gauge\n"));
        for sample in &family.samples {
            let labels: Vec<String> = sample
                .labels
                .iter()
                .map(|(label, value)| format!("{label}=\"{}\"", escaped(value, true)))
                .collect();
            let labels =
                if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            text.push_str(&format!("{name}{labels} {}\n", sample.value));
        }
    }
    text
}

/// Returns `text` as the format wants it: a backslash, a line end and, in a label, a quote would
/// end what they stand in.
fn escaped(text: &str, in_label: bool) -> String {
    let text = text.replace('\\', r"\\").replace('\n', r"\n");
    if in_label { text.replace('"', "\\\"") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let counted = BTreeMap::from([(["a".to_owned(), "b".to_owned()], 2)]);
        let families = [
            Family::single("ao_one", "One,\nof \\ \"all\"", 1.5),
            Family::new("ao_none", "Nothing of the kind"),
            Family::new("ao_two", "Two").counted(["x", "y"], &counted),
            Family::new("ao_three", "Three").with(&[("agent", "a\"b\\c\nd")], 1_795_000_000.0),
        ];
        insta::assert_snapshot!(exposition(&families), @r#"
        # HELP ao_one One,\nof \\ "all"
        # TYPE ao_one gauge
        ao_one 1.5
        # HELP ao_two Two
        # TYPE ao_two gauge
        ao_two{x="a",y="b"} 2
        # HELP ao_three Three
        # TYPE ao_three gauge
        ao_three{agent="a\"b\\c\nd"} 1795000000
        "#);
    }
}
