//! The table `[services.NAME.image]`: which of the pushed images a service should run.

use semver::VersionReq;

use super::format::{first_not, wrong};
use super::limits;
use super::model::ImagePolicy;
use super::pattern::Pattern;
use super::problem::{Code, Problem};
use super::reader::{Section, Verdict};
use super::suggest::list;
use crate::rollout::image::OWN_TAGS;

const POLICIES: [&str; 6] = ["tag", "semver", "numeric", "glob", "regex", "newest"];

/// Reads the one policy that the table says; `said` is whether the file has the table.
pub(super) fn image(section: &mut Section<'_>, said: bool) -> ImagePolicy {
    let tag = section.text("tag", tag).map(|at| ImagePolicy::Tag(at.value));
    let semver = section.text("semver", range).and_then(|at| VersionReq::parse(&at.value).ok());
    let numeric = section.text("numeric", numeric);
    let numeric = numeric.map(|at| ImagePolicy::Numeric(at.value.split('*').map(Into::into).collect()));
    let glob = section.text("glob", glob).map(|at| ImagePolicy::Glob(at.value));
    let regex = section.text("regex", regex).and_then(|at| Pattern::new(&at.value).ok());
    if !section.flag_or("newest", true) {
        section.file().tell(
            Problem::new(Code::WrongChoice, format!("`{}` is false", section.name_of("newest")))
                .at(section.place_of("newest"), "says nothing about which image is wanted")
                .help("write `newest = true`, or another policy in its place"),
        );
    }
    if said {
        just_one(section);
    }
    let policy = tag.or(semver.map(ImagePolicy::Semver)).or(numeric).or(glob).or(regex.map(ImagePolicy::Regex));
    policy.unwrap_or_default()
}

/// Tells a table that says no policy, or more than one.
fn just_one(section: &Section<'_>) {
    let said: Vec<&str> = POLICIES.into_iter().filter(|policy| section.has(policy)).collect();
    let name = section.name_of("");
    let name = name.trim_end_matches('.');
    match said[..] {
        [_] => {}
        [] => section.file().tell(
            Problem::new(Code::MissingKey, format!("`{name}` says no policy"))
                .at(section.span(), "none here")
                .help(format!("write one of {}, such as `{{ tag = \"latest\" }}`", list(&POLICIES))),
        ),
        [first, second, ..] => section.file().tell(
            Problem::new(Code::Contradiction, format!("`{name}` says {}", list(&said)))
                .at(section.place_of(first), "one policy")
                .at(section.place_of(second), "another")
                .help("keep one of them: together they could want two images"),
        ),
    }
}

/// A tag as ECR takes it, and none of skydeck's
/// (<https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html>).
fn tag(text: &str) -> Verdict {
    tag_with(text, &[])
}

/// A tag in which some characters stand for others.
fn tag_with(text: &str, wildcards: &[char]) -> Verdict {
    if text.is_empty() {
        return wrong(Code::InvalidFormat, 0..0, "is empty", "write what the tag is, such as `latest`");
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c) || wildcards.contains(&c);
    if let Some((found, part)) = first_not(text, allowed) {
        let what = format!("has the character `{}`, which no tag has", found.escape_debug());
        let also: String = wildcards.iter().map(|c| format!(" {c}")).collect();
        let help = match found {
            '*' | '?' if wildcards.is_empty() => "write `glob` in place of `tag`: it takes wildcards".to_owned(),
            _ => format!("use letters, digits and _ . -{also}"),
        };
        return wrong(Code::InvalidFormat, part, what, help);
    }
    if text.starts_with(['.', '-']) {
        let what = "begins with a character that no tag begins with";
        return wrong(Code::InvalidFormat, 0..1, what, "begin with a letter, a digit or `_`");
    }
    if text.len() > limits::IMAGE_TAG {
        let what = format!("has {} characters", text.len());
        return wrong(Code::InvalidFormat, 0..0, what, format!("use at most {}, as ECR does", limits::IMAGE_TAG));
    }
    if text.starts_with(OWN_TAGS) {
        let what = format!("begins with `{OWN_TAGS}`, as skydeck's own tags do, which are never rolled out");
        return wrong(Code::ReservedName, 0..OWN_TAGS.len(), what, "choose tags that begin in another way");
    }
    Ok(())
}

/// A range of versions as Cargo has them.
fn range(text: &str) -> Verdict {
    let Err(error) = VersionReq::parse(text) else { return Ok(()) };
    let what = format!("is `{text}`, which is not a range of versions: {error}");
    wrong(Code::InvalidFormat, 0..0, what, "write it as Cargo has it, such as `>=1.2, <2` or `1.2`, without a `v`")
}

/// A tag with numbers in it. Where one ends and the next begins must be plain.
fn numeric(text: &str) -> Verdict {
    tag_with(text, &['*'])?;
    let texts: Vec<&str> = text.split('*').collect();
    let [_, between @ .., _] = &texts[..] else {
        return wrong(
            Code::InvalidFormat,
            0..0,
            "has 0 `*`, and needs one",
            "let one `*` stand for the number, as in `build-*`",
        );
    };
    let is_plain = |text: &&str| !text.is_empty() && !text.contains(|c: char| c.is_ascii_digit());
    if let Some(unclear) = between.iter().find(|text| !is_plain(text)) {
        let what = format!("has `*{unclear}*`, in which nobody could tell where the first number ends");
        let help = "write something between them that has no digits, as in `*.*.*`";
        return wrong(Code::InvalidFormat, 0..0, what, help);
    }
    Ok(())
}

/// A tag with wildcards.
fn glob(text: &str) -> Verdict {
    tag_with(text, &['*', '?'])
}

fn regex(text: &str) -> Verdict {
    if text.is_empty() {
        return wrong(Code::InvalidFormat, 0..0, "is empty", "write `newest = true` for any tag");
    }
    let Err(error) = Pattern::new(text) else { return Ok(()) };
    let what = format!("is `{text}`, which is not a regular expression: {error}");
    wrong(Code::InvalidFormat, 0..0, what, "write it as https://docs.rs/regex has it, such as `^v[0-9]+$`")
}
