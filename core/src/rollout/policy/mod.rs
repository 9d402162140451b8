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
    ranked(policy, images).pop()
}

/// Digests of the images that a policy would want, one after the other was gone: so many, the wanted one first.
#[must_use]
pub fn first(policy: &ImagePolicy, images: &[Pushed], count: usize) -> Vec<String> {
    let mut digests: Vec<String> = Vec::new();
    for Wanted { image, .. } in ranked(policy, images).into_iter().rev() {
        if digests.len() < count && !digests.contains(&image.digest) {
            digests.push(image.digest.clone());
        }
    }
    digests
}

/// What a policy takes, the wanted one last.
fn ranked<'a>(policy: &ImagePolicy, images: &'a [Pushed]) -> Vec<Wanted<'a>> {
    match policy {
        ImagePolicy::Tag(wanted) => by_time(images, |tag| tag::matches(wanted, tag)),
        ImagePolicy::Semver(range) => by_rank(images, |tag| semver::version(range, tag)),
        ImagePolicy::Numeric(texts) => by_rank(images, |tag| numeric::numbers(texts, tag)),
        ImagePolicy::Glob(glob) => by_time(images, |tag| glob::matches(glob, tag)),
        ImagePolicy::Regex(pattern) => by_time(images, |tag| regex::matches(pattern, tag)),
        ImagePolicy::Newest => by_time(images, newest::matches),
    }
}

/// Whether a policy takes a tag: whether an image that bears it can be the wanted one.
#[must_use]
pub fn admits(policy: &ImagePolicy, tag: &str) -> bool {
    let pushed = Pushed { digest: String::new(), tags: vec![tag.into()], at: 0 };
    wanted(policy, std::slice::from_ref(&pushed)).is_some()
}

/// The images that bear a matching tag, the one pushed last at the end.
fn by_time<'a>(images: &'a [Pushed], matches: impl Fn(&str) -> bool) -> Vec<Wanted<'a>> {
    by_rank(images, |tag| matches(tag).then_some(()))
}

/// The images by the rank of their tags, the highest last; of two that rank the same, the one pushed last. Digest and tag decide
/// what is left, so that the order in which ECR lists images never does.
fn by_rank<'a, R: Ord>(images: &'a [Pushed], rank: impl Fn(&'a str) -> Option<R>) -> Vec<Wanted<'a>> {
    let tags = images.iter().flat_map(|image| image.tags.iter().map(move |tag| Wanted { image, tag }));
    let ranked = tags.filter(|wanted| !is_own(wanted.tag)).filter_map(|wanted| Some((rank(wanted.tag)?, wanted)));
    let mut ranked: Vec<(R, Wanted<'a>)> = ranked.collect();
    let key = |wanted: &Wanted<'a>| (wanted.image.at, &wanted.image.digest, wanted.tag);
    ranked.sort_by(|(rank, one), (other_rank, other)| rank.cmp(other_rank).then(key(one).cmp(&key(other))));
    ranked.into_iter().map(|(_, wanted)| wanted).collect()
}
