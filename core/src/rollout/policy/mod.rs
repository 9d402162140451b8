//! Which of a repository's images a service should run now, by its policy. Each module is one policy: which tags it
//! takes and, where it compares them, which of two tags is higher.

mod glob;
mod newest;
mod numeric;
mod regex;
mod semver;
mod tag;
#[cfg(test)]
mod tests;

use super::image::{Pushed, is_own};
use crate::spec::ImagePolicy;

/// The image that a service should run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// It.
    pub image: &'a Pushed,
    /// The tag for which it is wanted.
    pub tag: &'a str,
}

/// The image that a policy wants now; `None` where it takes no tag of any.
#[must_use]
pub fn wanted<'a>(policy: &ImagePolicy, images: &'a [Pushed]) -> Option<Wanted<'a>> {
    match policy {
        ImagePolicy::Tag(wanted) => latest(images, |tag| tag::matches(wanted, tag)),
        ImagePolicy::Semver(range) => highest(images, |tag| semver::version(range, tag)),
        ImagePolicy::Numeric { prefix, suffix } => highest(images, |tag| numeric::number(prefix, suffix, tag)),
        ImagePolicy::Glob(glob) => latest(images, |tag| glob::matches(glob, tag)),
        ImagePolicy::Regex(pattern) => latest(images, |tag| regex::matches(pattern, tag)),
        ImagePolicy::Newest => latest(images, newest::matches),
    }
}

/// Whether a policy takes a tag: whether an image that bears it can be the wanted one.
#[must_use]
pub fn admits(policy: &ImagePolicy, tag: &str) -> bool {
    let pushed = Pushed { digest: String::new(), tags: vec![tag.into()], at: 0 };
    wanted(policy, std::slice::from_ref(&pushed)).is_some()
}

/// The image pushed last among those that bear a matching tag.
fn latest<'a>(images: &'a [Pushed], matches: impl Fn(&str) -> bool) -> Option<Wanted<'a>> {
    highest(images, |tag| matches(tag).then_some(()))
}

/// The image with the tag that ranks highest; of two that rank the same, the one pushed last. Digest and tag decide
/// what is left, so that the order in which ECR lists images never does.
fn highest<'a, R: Ord>(images: &'a [Pushed], rank: impl Fn(&'a str) -> Option<R>) -> Option<Wanted<'a>> {
    let tags = images.iter().flat_map(|image| image.tags.iter().map(move |tag| Wanted { image, tag }));
    let ranked = tags.filter(|wanted| !is_own(wanted.tag)).filter_map(|wanted| {
        let Wanted { image, tag } = wanted;
        Some(((rank(tag)?, image.at, &image.digest, tag), wanted))
    });
    ranked.max_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, wanted)| wanted)
}
