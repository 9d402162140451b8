//! Which tag points where, and since when. ECR tells when an image was pushed first; a tag that is given to it later, as by a pipeline
//! that goes back to an older image, counts as a push too. The event of such a push says when, and what the sweep saw before
//! tells it where the event was lost.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::decide::Running;
use super::image::{Pushed, is_own};
use super::policy::admits;
use crate::spec::ImagePolicy;

/// Milliseconds by which two times may differ that two clocks tell of the same push.
const MOMENT: i64 = 5_000;

/// What is remembered of the tags of a service's repository. Where it is lost, nothing else is: tags that move from then on are
/// noticed again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tags {
    /// When the sweep looked, in milliseconds since 1970.
    pub seen: Option<i64>,
    /// Where each tag pointed.
    pub tags: BTreeMap<String, Place>,
}

/// Where a tag points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Digest of the image.
    pub digest: String,
    /// Since when, where that is later than the image's first push; in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
}

impl Tags {
    /// With what an event of a push tells: the digest came then, under this tag or, where that is not known, under those that it
    /// has. Of the first push of an image, and of one that is known already, there is nothing to remember.
    #[must_use]
    pub fn told(&self, digest: &str, tag: Option<&str>, at: i64, images: &[Pushed]) -> Tags {
        let mut known = self.clone();
        let again = images.iter().find(|image| image.digest == digest && image.at.saturating_add(MOMENT) < at);
        let moved = again.iter().flat_map(|image| &image.tags);
        for name in moved.filter(|name| tag.is_none_or(|tag| tag == *name) && !is_own(name)) {
            let is_known = known.tags.get(name).is_some_and(|place| place.digest == digest && place.since >= Some(at));
            if !is_known {
                known.tags.insert(name.clone(), Place { digest: digest.to_owned(), since: Some(at) });
            }
        }
        known
    }

    /// As a look at the whole repository finds it: what a tag did not point at before, and was pushed before that, was pushed again
    /// meanwhile. A first look knows of nothing but that what runs was wanted when it was registered.
    #[must_use]
    pub fn looked(&self, images: &[Pushed], running: &Running, now: i64) -> Tags {
        let mut tags = BTreeMap::new();
        for image in images {
            for name in image.tags.iter().filter(|name| !is_own(name)) {
                let known = self.tags.get(name).filter(|place| place.digest == image.digest);
                let since = match (known, self.seen) {
                    (Some(known), _) => known.since,
                    (None, Some(seen)) => (image.at.saturating_add(MOMENT) < seen).then_some(now),
                    (None, None) => (running.digest.as_ref() == Some(&image.digest)).then_some(running.registered),
                };
                tags.insert(name.clone(), Place { digest: image.digest.clone(), since });
            }
        }
        Tags { seen: Some(now), tags }
    }

    /// Dates images by the last time that a tag which the policy admits was given to them.
    pub fn date(&self, policy: &ImagePolicy, images: &mut [Pushed]) {
        for image in images {
            let places = image.tags.iter().filter(|tag| admits(policy, tag)).filter_map(|tag| self.tags.get(tag));
            let since = places.filter(|place| place.digest == image.digest).filter_map(|place| place.since).max();
            image.at = image.at.max(since.unwrap_or_default());
        }
    }
}
