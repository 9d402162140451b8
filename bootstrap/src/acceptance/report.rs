//! The report of an acceptance run: for people as Markdown, for scripts as JSON, and without what is nobody else's business.

use serde::Serialize;

use super::points::{Finding, POINTS, UNOBSERVABLE};
use super::seen::Seen;
use super::steps::Taken;

/// What was found of one point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The row of docs/fidelity.md.
    pub id: &'static str,
    /// What should be so.
    pub says: &'static str,
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
}

/// The report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The version of skydeck.
    pub version: String,
    /// The region.
    pub region: String,
    /// When the run began, in UTC.
    pub began: String,
    /// How long it took, cleaning included.
    pub seconds: f64,
    /// Why it did not go to its end, where it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_early: Option<String>,
    /// The steps.
    pub steps: Vec<Taken>,
    /// The points.
    pub points: Vec<Found>,
    /// What is left in the account, with why it could not be looked for where that failed.
    pub left: Vec<String>,
    /// Looks that failed.
    pub trouble: Vec<String>,
}

impl Report {
    /// The report of what was seen, with everything left out that names the account.
    #[must_use]
    pub fn of(account: &str, seen: &Seen, facts: Report) -> Self {
        let clear = |text: &String| publishable(text, account);
        let points = POINTS.iter().map(|point| Found {
            id: point.id,
            says: point.says,
            finding: match point.judge(seen) {
                Finding::Confirmed(told) => Finding::Confirmed(clear(&told)),
                Finding::Contradicted(told) => Finding::Contradicted(clear(&told)),
                Finding::NotSeen(told) => Finding::NotSeen(clear(&told)),
            },
        });
        let step = |step: &Taken| Taken { failure: step.failure.as_ref().map(clear), ..step.clone() };
        Report {
            steps: facts.steps.iter().map(step).collect(),
            points: points.collect(),
            left: facts.left.iter().map(clear).collect(),
            trouble: seen.trouble.iter().map(clear).collect(),
            ended_early: facts.ended_early.as_ref().map(clear),
            ..facts
        }
    }

    /// Whether all went well: no step failed, nothing was contradicted, and nothing is left.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let contradicted = self.points.iter().any(|point| matches!(point.finding, Finding::Contradicted(_)));
        let failed = self.steps.iter().any(|step| step.failure.is_some());
        !contradicted && !failed && self.left.is_empty() && self.ended_early.is_none()
    }

    /// How many points were confirmed, contradicted and not seen.
    #[must_use]
    pub fn counts(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for point in &self.points {
            match point.finding {
                Finding::Confirmed(_) => counts[0] += 1,
                Finding::Contradicted(_) => counts[1] += 1,
                Finding::NotSeen(_) => counts[2] += 1,
            }
        }
        counts
    }

    /// In a line.
    #[must_use]
    pub fn summary(&self) -> String {
        let [confirmed, contradicted, not_seen] = self.counts();
        let steps = self.steps.iter().filter(|step| step.failure.is_none()).count();
        format!(
            "{steps} of {} steps went well; of {} points {confirmed} are confirmed, {contradicted} contradicted, {not_seen} not seen; \
             {} things are left",
            self.steps.len(),
            self.points.len(),
            self.left.len()
        )
    }

    /// The report for people.
    #[must_use]
    pub fn page(&self) -> String {
        let mut page = format!(
            "# An acceptance run of skydeck {}\n\nIn {}, begun {}, {:.0} minutes. {}.\n\n## Steps\n\n| step | seconds | result |\n| --- | --- | --- |\n",
            self.version,
            self.region,
            self.began,
            self.seconds / 60.0,
            self.summary()
        );
        for step in &self.steps {
            let result = step.failure.as_deref().unwrap_or("went well");
            line(&mut page, &format!("| {} | {:.0} | {} |", step.step.says(), step.seconds, cell(result)));
        }
        if let Some(why) = &self.ended_early {
            line(&mut page, &format!("\nIt was ended early: {why}."));
        }
        line(
            &mut page,
            "\n## Points\n\nThe ids are those of docs/fidelity.md.\n\n| id | what | | AWS |\n| --- | --- | --- | --- |",
        );
        for point in &self.points {
            let (word, told) = match &point.finding {
                Finding::Confirmed(told) => ("confirmed", told),
                Finding::Contradicted(told) => ("**contradicted**", told),
                Finding::NotSeen(told) => ("not seen", told),
            };
            line(&mut page, &format!("| {} | {} | {word} | {} |", point.id, point.says, cell(told)));
        }
        for (id, why) in UNOBSERVABLE {
            line(&mut page, &format!("| {id} | | cannot be seen | {why} |"));
        }
        list(&mut page, "Left in the account", &self.left);
        list(&mut page, "Looks that failed", &self.trouble);
        page
    }
}

fn line(page: &mut String, text: &str) {
    page.push_str(text);
    page.push('\n');
}

fn list(page: &mut String, title: &str, items: &[String]) {
    let items: String = items.iter().map(|item| format!("- {}\n", cell(item))).collect();
    line(page, format!("\n## {title}\n\n{}", if items.is_empty() { "Nothing.\n" } else { &items }).trim_end());
}

/// A text as a cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// A text without account ids, host names of AWS, and access keys.
fn publishable(text: &str, account: &str) -> String {
    let is_of_word = |letter: char| letter.is_ascii_alphanumeric() || "._-/:@+%=?&".contains(letter);
    let (mut clear, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|letter| is_of_word(letter) != is_of_word(first)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        clear.push_str(&publishable_word(word, account));
        rest = after;
    }
    clear
}

fn publishable_word(word: &str, account: &str) -> String {
    // A host of AWS has the name of what it belongs to, and an address may be signed.
    if word.contains(".amazonaws.com") {
        return "HOST".to_owned();
    }
    let is_key = |part: &str| part.len() == 20 && (part.starts_with("AKIA") || part.starts_with("ASIA"));
    if word.split(|letter: char| !letter.is_ascii_alphanumeric()).any(is_key) {
        return "KEY".to_owned();
    }
    let word = word.replace(account, "ACCOUNT");
    let (mut clear, mut digits) = (String::new(), String::new());
    for letter in word.chars().map(Some).chain([None]) {
        match letter {
            Some(letter) if letter.is_ascii_digit() => digits.push(letter),
            other => {
                clear.push_str(if digits.len() == 12 { "ACCOUNT" } else { &digits });
                digits.clear();
                clear.extend(other);
            }
        }
    }
    clear
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(seen: &Seen) -> Report {
        let facts = Report {
            version: "0.1.0".into(),
            region: "eu-central-1".into(),
            began: "2026-11-29 12:00 UTC".into(),
            seconds: 1.0,
            ended_early: None,
            steps: Vec::new(),
            points: Vec::new(),
            left: Vec::new(),
            trouble: Vec::new(),
        };
        Report::of("111122223333", seen, facts)
    }

    #[test]
    fn what_is_contradicted_failed_or_left_is_not_good_and_stands_in_the_report() {
        let seen = Seen { cluster: Some("ACTIVE of 111122223333".into()), ..Seen::default() };
        let contradicted = report(&seen);
        assert!(!contradicted.is_good());
        assert_eq!(contradicted.counts(), [0, 1, POINTS.len() - 1]);
        let row =
            "| F-ECS-1 | a deleted cluster is INACTIVE, or not told any more | **contradicted** | ACTIVE of ACCOUNT |";
        assert!(contradicted.page().contains(row), "{}", contradicted.page());

        let good = report(&Seen::default());
        assert!(good.is_good());
        assert!(!Report { left: vec!["VPC vpc-1".into()], ..good.clone() }.is_good());
        assert!(!Report { ended_early: Some("Ctrl-C".into()), ..good.clone() }.is_good());
        let failure = Some("a | b\nc".to_owned());
        let failed =
            Report { steps: vec![Taken { step: super::super::steps::Step::Install, seconds: 1.0, failure }], ..good };
        assert!(
            !failed.is_good() && failed.page().contains("| install skydeck | 1 | a \\| b c |"),
            "{}",
            failed.page()
        );
    }

    #[test]
    fn what_is_published_names_no_account_no_host_and_no_key() {
        let told = "arn:aws:ecs:eu-central-1:111122223333:task/acceptance-run/0a1b: http://acceptance-run-public-12.eu-central-1.elb.amazonaws.com/x \
                    \"444455556666\" AKIAIOSFODNN7EXAMPLE bucket skydeck-111122223333-eu-central-1 at 1764444000.123";
        let clear = publishable(told, "111122223333");
        assert_eq!(
            clear,
            "arn:aws:ecs:eu-central-1:ACCOUNT:task/acceptance-run/0a1b: HOST \"ACCOUNT\" KEY bucket skydeck-ACCOUNT-eu-central-1 at \
             1764444000.123"
        );
    }
}
