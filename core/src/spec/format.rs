//! Checks of single texts: names, paths, patterns. Each says which part is wrong and what would be right.

use std::ops::Range;

use super::limits;
use super::problem::Code;
use super::reader::{Verdict, Wrong};
use super::suggest::nearest;

/// Regions, to suggest the nearest for one of the wrong shape. Not a list of all that may be used: AWS adds regions.
const REGIONS: [&str; 16] = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ca-central-1",
    "sa-east-1",
    "eu-central-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eu-north-1",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-northeast-1",
    "ap-northeast-2",
];

pub(super) fn wrong(code: Code, part: Range<usize>, what: impl Into<String>, help: impl Into<String>) -> Verdict {
    Err(Wrong { code, part, what: what.into(), help: help.into() })
}

/// Anything.
pub(super) fn any(_: &str) -> Verdict {
    Ok(())
}

/// A text that a container gets, as a variable or in a command. What Linux hands to a program ends at a NUL.
pub(super) fn value(text: &str) -> Verdict {
    match text.find('\0') {
        Some(at) => wrong(Code::InvalidFormat, at..at + 1, "has a NUL, which no container can get", "leave it out"),
        None => Ok(()),
    }
}

/// The first character that is not allowed.
pub(super) fn first_not(text: &str, allowed: impl Fn(char) -> bool) -> Option<(char, Range<usize>)> {
    let (at, found) = text.char_indices().find(|(_, c)| !allowed(*c))?;
    Some((found, at..at + found.len_utf8()))
}

/// Whether a character stands in a URL's path, and means nothing to a shell, in which people ask it.
fn in_url_path(c: char) -> bool {
    c.is_ascii_alphanumeric() || "/-._~%?=+:@,".contains(c)
}

/// A name that becomes part of AWS names: what all of them take. Lower case for S3 and ECR, hyphens one at a time for
/// ECR (<https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html>), and only those and
/// alphanumerics for load balancers
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html>).
pub(super) fn name(text: &str) -> Verdict {
    suffix(text)?;
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return wrong(Code::InvalidName, 0..1, "begins with a digit", "begin with a letter");
    }
    Ok(())
}

/// What is appended to a name: as [`name`], but it may begin with a digit, as an account's number does.
pub(super) fn suffix(text: &str) -> Verdict {
    let bad = |part, what: String| {
        let rule = "lower-case letters, digits and single hyphens between them";
        let plain: String =
            text.chars().map(|c| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
        let help = match plain != text && suffix(&plain).is_ok() {
            true => format!("write `{plain}`: {rule}"),
            false => format!("use {rule}"),
        };
        wrong(Code::InvalidName, part, what, help)
    };
    if text.is_empty() {
        return bad(0..0, "is empty".into());
    }
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if let Some((found, part)) = first_not(text, allowed) {
        let found = found.escape_debug();
        return bad(part, format!("has the character `{found}`, which AWS does not take in every name made of it"));
    }
    if text.starts_with('-') {
        return bad(0..1, "begins with a hyphen".into());
    }
    match text.find("--") {
        Some(at) => bad(at..at + 2, "has two hyphens in a row".into()),
        None if text.ends_with('-') => bad(text.len() - 1..text.len(), "ends with a hyphen".into()),
        None => Ok(()),
    }
}

/// A region's shape, such as `ap-south-1` or `us-gov-west-1`
/// (<https://docs.aws.amazon.com/general/latest/gr/rande.html>).
pub(super) fn region(text: &str) -> Verdict {
    let words: Vec<&str> = text.split('-').collect();
    let shaped = match words.as_slice() {
        [first, middle @ .., number] => {
            let word = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
            (2..=4).contains(&first.len())
                && word(first)
                && !middle.is_empty()
                && middle.iter().all(word)
                && (1..=2).contains(&number.len())
                && number.chars().all(|c| c.is_ascii_digit())
        }
        _ => false,
    };
    if shaped {
        return Ok(());
    }
    let help = match nearest(text, &REGIONS) {
        Some(region) => format!("did you mean `{region}`?"),
        None => "write the region's code, such as `ap-south-1`".into(),
    };
    wrong(Code::InvalidFormat, 0..0, format!("is `{text}`, which is not the name of a region"), help)
}

/// An ARM64 instance type: a family with a `g` behind its generation, for Graviton
/// (<https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html>).
pub(super) fn instance_type(text: &str) -> Verdict {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let (family, size) = text.split_once('.').unwrap_or((text, ""));
    let generation = family.find(|c: char| c.is_ascii_digit());
    let shaped = |part: &str| !part.is_empty() && part.chars().all(plain);
    let Some(generation) = generation.filter(|_| shaped(family) && shaped(size)) else {
        let help = "write family and size, such as `t4g.small`";
        return wrong(Code::InvalidFormat, 0..0, format!("is `{text}`, which is not an instance type"), help);
    };
    if family[generation..].contains('g') {
        return Ok(());
    }
    let help = "use a Graviton family, which has a `g` behind its generation, such as `t4g`, `m7g` or `c7gn`: \
                the instances run the ARM64 image of Amazon Linux";
    wrong(Code::NotArm64, 0..family.len(), format!("is `{text}`, which is not an ARM64 type"), help)
}

/// A path that is asked on a service.
pub(super) fn url_path(text: &str) -> Verdict {
    let bad = |part, what: String, help: &str| wrong(Code::InvalidFormat, part, what, help);
    if !text.starts_with('/') {
        return bad(0..0, "does not begin with `/`".into(), &format!("write `/{text}`"));
    }
    if let Some((found, part)) = first_not(text, in_url_path) {
        let help = "use letters, digits and - . _ ~ / % ? = + : @ , and write anything else as %XX";
        return bad(part, format!("has the character `{}`", found.escape_debug()), help);
    }
    if text.len() > limits::HEALTH_PATH {
        let what = format!("has {} characters", text.len());
        return bad(0..0, what, &format!("use at most {}", limits::HEALTH_PATH));
    }
    Ok(())
}

/// The path of a listener rule
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_PathPatternConditionConfig.html>).
pub(super) fn path_pattern(text: &str) -> Verdict {
    let bad = |part, what: String, help: &str| wrong(Code::InvalidFormat, part, what, help);
    if !text.starts_with('/') {
        return bad(0..0, "does not begin with `/`, as every path does".into(), &format!("write `/{text}`"));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.$/~\"'@:+&*?".contains(c);
    if let Some((found, part)) = first_not(text, allowed) {
        let help = "use letters, digits and _ - . $ / ~ \" ' @ : + & with the wildcards * and ?";
        return bad(part, format!("has the character `{}`, which no rule takes", found.escape_debug()), help);
    }
    if text.len() > limits::PATH_PATTERN {
        let what = format!("has {} characters", text.len());
        return bad(0..0, what, &format!("use at most {}", limits::PATH_PATTERN));
    }
    let wildcards = text.matches(['*', '?']).count();
    if wildcards > limits::PATH_WILDCARDS {
        return bad(0..0, format!("has {wildcards} wildcards"), &format!("use at most {}", limits::PATH_WILDCARDS));
    }
    Ok(())
}

/// HTTP status codes: `200`, `200,202`, `200-299`. All that is wrong is told at once.
pub(super) fn matcher(text: &str) -> Verdict {
    let limits::Limit { least, most } = limits::HEALTH_CODES;
    let mut wrongs: Vec<(Range<usize>, String)> = Vec::new();
    let mut start = 0;
    for piece in text.split(',') {
        let part = start..start + piece.len();
        start = part.end + 1;
        let codes: Option<Vec<u32>> = piece.split('-').map(|code| code.parse().ok()).collect();
        let fits = |code: &u32| (least..=most).contains(code);
        let flaw = match codes.as_deref() {
            Some([code]) if fits(code) => continue,
            Some([from, to]) if fits(from) && fits(to) && from < to => continue,
            Some([from, to]) if fits(from) && fits(to) => format!("`{piece}`, which ends before it begins"),
            _ => format!("`{piece}`, which an ALB does not take"),
        };
        wrongs.push((part, flaw));
    }
    let Some((first, _)) = wrongs.first() else { return Ok(()) };
    let flaws: Vec<&str> = wrongs.iter().map(|(_, flaw)| flaw.as_str()).collect();
    let help = format!("write codes from {least} to {most}: `200`, `200,202` or `200-299`");
    wrong(Code::InvalidFormat, first.clone(), format!("has {}", flaws.join("; ")), help)
}

/// A parameter's full name
/// (<https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html>).
pub(super) fn parameter(text: &str) -> Verdict {
    let bad = |code, part, what: String, help: &str| wrong(code, part, what, help);
    if !text.starts_with('/') {
        return bad(Code::InvalidName, 0..0, "does not begin with `/`".into(), &format!("write `/{text}`"));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    if let Some((found, part)) = first_not(text, allowed) {
        let help = "use letters, digits and _ . - with / between the levels";
        return bad(Code::InvalidName, part, format!("has the character `{}`", found.escape_debug()), help);
    }
    if let Some(at) = format!("{text}/").find("//") {
        let part = at..(at + 2).min(text.len());
        return bad(Code::InvalidName, part, "has an empty level".into(), "name every level: `/team/thing`");
    }
    let first = text[1..].to_ascii_lowercase();
    if first.starts_with("aws") || first.starts_with("ssm") {
        return bad(
            Code::ReservedName,
            1..4,
            "begins with a word that AWS keeps".into(),
            "begin with your team's name",
        );
    }
    let (levels, length) = (text.matches('/').count(), text.len());
    if levels > limits::PARAMETER_LEVELS {
        let help = format!("use at most {}", limits::PARAMETER_LEVELS);
        return bad(Code::NameTooLong, 0..0, format!("has {levels} levels"), &help);
    }
    if length > limits::PARAMETER_NAME {
        let help = format!("use at most {}", limits::PARAMETER_NAME);
        return bad(Code::NameTooLong, 0..0, format!("has {length} characters"), &help);
    }
    Ok(())
}

/// Where a browser's page comes from
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html>).
pub(super) fn origin(text: &str) -> Verdict {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let in_host = |c: char| c.is_ascii_alphanumeric() || "-._:*[]".contains(c);
    let shaped = text == "*" || host.is_some_and(|host| !host.is_empty() && host.chars().all(in_host));
    if shaped && text.matches('*').count() <= 1 {
        return Ok(());
    }
    let help = "write scheme and host without a path, such as `https://app.example`, with at most one `*`";
    wrong(Code::InvalidFormat, 0..0, format!("has `{text}`, which is not an origin"), help)
}

/// The ARN of a certificate: `arn:PARTITION:acm:REGION:ACCOUNT:certificate/ID`
/// (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscertificatemanager.html>).
/// An availability zone: a region and a letter. A Local Zone or a Wavelength Zone has more behind it, and no load balancer of this kind
/// in every one (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-regions-availability-zones.html>).
pub(super) fn zone(text: &str) -> Verdict {
    let letter = text.chars().last().is_some_and(|last| last.is_ascii_lowercase());
    let region = text.get(..text.len().saturating_sub(1)).unwrap_or_default();
    if letter && self::region(region).is_ok() {
        return Ok(());
    }
    let help =
        "write the zone's name, such as `ap-south-1a`; `aws ec2 describe-availability-zones` lists those of a region";
    wrong(Code::InvalidFormat, 0..0, format!("is `{text}`, which is not the name of an availability zone"), help)
}

pub(super) fn certificate(text: &str) -> Verdict {
    let help = "write it as ACM shows it, such as `arn:aws:acm:eu-central-1:123456789012:certificate/ID`";
    let bad = |part: Range<usize>, what: String| wrong(Code::InvalidFormat, part, what, help);
    let parts: Vec<&str> = text.split(':').collect();
    let [arn, partition, service, region, account, resource] = parts.as_slice() else {
        return bad(0..0, "is not the ARN of a certificate".into());
    };
    let start = |index: usize| parts[..index].iter().map(|part| part.len() + 1).sum::<usize>();
    let place = |index: usize| start(index)..start(index) + parts[index].len();
    if *arn != "arn" || !partition.starts_with("aws") || partition.contains(|c: char| !in_arn(c)) {
        return bad(0..0, "is not the ARN of a certificate".into());
    }
    if *service != "acm" {
        return bad(place(2), format!("is of `{service}`, and a load balancer takes certificates of `acm` here"));
    }
    if self::region(region).is_err() {
        return bad(place(3), format!("has `{region}`, which is not the name of a region"));
    }
    if account.len() != 12 || account.contains(|c: char| !c.is_ascii_digit()) {
        return bad(place(4), format!("has `{account}`, which is not the number of an account"));
    }
    match resource.strip_prefix("certificate/") {
        Some(id) if !id.is_empty() && !id.contains(|c: char| !in_arn(c)) => Ok(()),
        _ => bad(place(5), format!("has `{resource}`, which is not a certificate")),
    }
}

fn in_arn(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

/// A host name as a certificate has it: labels of letters, digits and hyphens
/// (<https://www.rfc-editor.org/rfc/rfc1123#section-2.1>), in lower case, below some domain.
pub(super) fn host(text: &str) -> Verdict {
    let shaped = |text: &str| {
        let label = |label: &str| {
            (1..=limits::HOST_LABEL).contains(&label.len())
                && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // A last label of digits is an address's, for which ACM has no certificate.
        let last = text.rsplit('.').next().unwrap_or_default();
        let address = last.chars().all(|c| c.is_ascii_digit());
        text.len() <= limits::HOST && text.contains('.') && text.split('.').all(label) && !address
    };
    if shaped(text) {
        return Ok(());
    }
    // What people copy: a URL, a name with a port, capitals, the dot of a zone file, the certificate's wildcard.
    let plain = text.rsplit("://").next().unwrap_or(text).split(['/', ':']).next().unwrap_or_default();
    let plain = plain.trim_end_matches('.').to_ascii_lowercase();
    let help = match plain.strip_prefix("*.") {
        Some(domain) if shaped(domain) => format!("write one name that it covers, such as `api.{domain}`"),
        _ if shaped(&plain) => format!("write `{plain}`"),
        _ => "write the name alone, such as `api.example.com`".into(),
    };
    wrong(Code::InvalidFormat, 0..0, format!("is `{}`, which is not a host name", text.escape_debug()), help)
}

/// The name of an environment variable
/// (<https://pubs.opengroup.org/onlinepubs/9799919799/basedefs/V1_chap08.html>), in either case.
pub(super) fn variable(text: &str) -> Verdict {
    let help = "use letters, digits and underscores, not beginning with a digit";
    if text.is_empty() || text.starts_with(|c: char| c.is_ascii_digit()) {
        return wrong(Code::InvalidName, 0..0, "is not the name of an environment variable", help);
    }
    match first_not(text, |c| c.is_ascii_alphanumeric() || c == '_') {
        Some((found, part)) => {
            wrong(Code::InvalidName, part, format!("has the character `{}`", found.escape_debug()), help)
        }
        None => Ok(()),
    }
}

/// Characters that every service takes in tags
/// (<https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html>).
fn tag_text(text: &str, most: usize) -> Verdict {
    if let Some((found, part)) = first_not(text, |c| c.is_alphanumeric() || " +-=._:/@".contains(c)) {
        let what = format!("has the character `{}`, which not every AWS service takes in tags", found.escape_debug());
        return wrong(Code::InvalidFormat, part, what, "use letters, digits, spaces and + - = . _ : / @");
    }
    let length = text.chars().count();
    if length > most {
        return wrong(Code::InvalidFormat, 0..0, format!("has {length} characters"), format!("use at most {most}"));
    }
    Ok(())
}

/// The one strategy that there is.
pub(super) fn strategy(text: &str) -> Verdict {
    if text == "rolling" {
        return Ok(());
    }
    let what = format!("is `{text}`, and only `rolling` is supported for now");
    wrong(Code::UnsupportedStrategy, 0..0, what, "write `strategy = \"rolling\"`, or leave it out: it is the default")
}

/// A tag's key that is neither AWS's nor skydeck's.
pub(super) fn tag_key(text: &str) -> Verdict {
    let lower = text.to_ascii_lowercase();
    if text.is_empty() {
        return wrong(Code::InvalidFormat, 0..0, "is empty", "give the tag a key");
    }
    for prefix in ["aws:", "skydeck:"] {
        if lower.starts_with(prefix) {
            let what = format!("begins with `{prefix}`, which is not yours to set");
            return wrong(Code::ReservedName, 0..prefix.len(), what, "choose another key");
        }
    }
    // Without case, because IAM does not tell keys apart by it
    // (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html>).
    if let Some(own) = limits::OWN_TAGS.iter().find(|own| own.eq_ignore_ascii_case(text)) {
        let what = format!("is the tag `{own}`, which is set on every resource already");
        return wrong(Code::ReservedName, 0..0, what, "choose another key");
    }
    tag_text(text, limits::TAG_KEY)
}

/// A tag's value.
pub(super) fn tag_value(text: &str) -> Verdict {
    tag_text(text, limits::TAG_VALUE)
}
