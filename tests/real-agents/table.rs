//! What was seen, as a table.

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::agents::{self, Agent};

/// Between these two lines of `docs/agents.md` is the table.
const BEGIN: &str = "<!-- real-agents: begin -->";
const END: &str = "<!-- real-agents: end -->";

/// What was seen of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Yes,
    No(String),
    /// The agent has no means to do it.
    Unable(String),
}

impl Seen {
    /// Returns the word without the reason.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No(_) => "no",
            Self::Unable(_) => "n/a",
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Yes => "yes".to_owned(),
            Self::No(why) => format!("no: {why}"),
            Self::Unable(why) => format!("n/a: {why}"),
        }
    }
}

/// What was seen of one agent.
pub(crate) struct Report {
    pub(crate) agent: &'static Agent,
    pub(crate) version: String,
    pub(crate) rows: Vec<(&'static str, Seen)>,
}

impl Report {
    /// Returns whether nothing was missed that the agent can do.
    pub(crate) fn passed(&self) -> bool {
        self.rows.iter().all(|(_, seen)| !matches!(seen, Seen::No(_)))
    }
}

/// Returns a report for a terminal.
pub(crate) fn as_text(report: &Report) -> String {
    let mut text = format!("{} {}\n", report.agent.title, report.version);
    for (row, seen) in &report.rows {
        text.push_str(&format!("  {row}: {}\n", seen.text()));
    }
    text
}

fn as_rows(report: &Report) -> String {
    let line = |(row, seen): &(&str, Seen)| {
        let seen = seen.text().replace('|', "\\|").replace('\n', " ");
        format!("| {} | {} | {row} | {seen} |\n", report.agent.title, report.version)
    };
    report.rows.iter().map(line).collect()
}

/// Puts the rows of `reports` into `docs/agents.md`; those of other agents stay.
pub(crate) fn write_docs(reports: &[Report]) -> anyhow::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/agents.md");
    let text = fs::read_to_string(&path)?;
    let written: Vec<(&str, String)> =
        reports.iter().map(|report| (report.agent.title, as_rows(report))).collect();
    let text = with_rows(&text, &written).with_context(|| path.display().to_string())?;
    Ok(fs::write(path, text)?)
}

/// Replaces the rows of the agents in `written`, and puts all in the order of the stories.
fn with_rows(text: &str, written: &[(&str, String)]) -> anyhow::Result<String> {
    let (before, rest) = text.split_once(BEGIN).context("the table's begin is missing")?;
    let (old, after) = rest.split_once(END).context("the table's end is missing")?;
    let mut table = String::from("| agent | version | row | seen |\n|---|---|---|---|\n");
    for agent in agents::ALL {
        let start = format!("| {} |", agent.title);
        match written.iter().find(|(title, _)| *title == agent.title) {
            Some((_, rows)) => table.push_str(rows),
            None => {
                let kept = old.lines().filter(|line| line.starts_with(&start));
                kept.for_each(|line| table.push_str(&format!("{line}\n")));
            }
        }
    }
    Ok(format!("{before}{BEGIN}\n{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_other_agents_stay() {
        let [first, second, ..] = agents::ALL else { panic!("there are several") };
        let text = format!("Intro.\n\n{BEGIN}\n| x |\n{END}\n\nEnd.\n");
        let row = |agent: &Agent, seen: &str| {
            (agent.title, format!("| {} | 1 | it | {seen} |\n", agent.title))
        };
        let once = with_rows(&text, &[row(second, "no: not so")]).unwrap();
        let both = with_rows(&once, &[row(first, "yes")]).unwrap();
        let wanted = format!(
            "Intro.\n\n{BEGIN}\n| agent | version | row | seen |\n|---|---|---|---|\n\
             | {} | 1 | it | yes |\n| {} | 1 | it | no: not so |\n{END}\n\nEnd.\n",
            first.title, second.title
        );
        assert_eq!(both, wanted);
        assert_eq!(with_rows(&both, &[]).unwrap(), wanted);
    }

    #[test]
    fn only_what_was_missed_fails() {
        let row = |seen| ("it", seen);
        let agent = &agents::ALL[0];
        let report = |rows| Report { agent, version: "1.0".to_owned(), rows };
        let unable = row(Seen::Unable("it has no hooks".to_owned()));
        assert!(report(vec![row(Seen::Yes), unable.clone()]).passed());
        let missed = report(vec![unable, row(Seen::No("a | b".to_owned()))]);
        assert!(!missed.passed());
        assert!(as_rows(&missed).ends_with("| 1.0 | it | no: a \\| b |\n"));
    }
}
