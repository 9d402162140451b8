//! The tables `[buckets.…]` and `[secrets.…]`.

use super::format;
use super::model::Bucket;
use super::problem::Span;
use super::reader::{At, Section};
use super::template::{Draft, draft};

/// A bucket, and where its name stands.
#[derive(Debug)]
pub(super) struct BucketDraft {
    pub(super) key: At<String>,
    pub(super) suffix: Option<Span>,
    pub(super) bucket: Bucket,
}

pub(super) fn buckets(root: &mut Section<'_>) -> Vec<BucketDraft> {
    root.named("buckets", format::name, |key, section| {
        let suffix = section.text("suffix", format::suffix);
        let cors_origins = section.texts("cors-origins", format::origin).into_iter().map(|at| at.value).collect();
        let delete_with_objects = section.flag_or("delete-with-objects", false);
        BucketDraft {
            key,
            suffix: suffix.as_ref().map(|at| at.span.clone()),
            bucket: Bucket { suffix: suffix.map(|at| at.value), cors_origins, delete_with_objects },
        }
    })
}

/// A secret, its value not yet resolved.
#[derive(Debug)]
pub(super) struct SecretDraft {
    pub(super) key: At<String>,
    pub(super) parameter: Option<At<String>>,
    pub(super) value: Option<Draft>,
}

pub(super) fn secrets(root: &mut Section<'_>) -> Vec<SecretDraft> {
    root.named("secrets", format::name, |key, section| SecretDraft {
        key,
        parameter: section.required_text("parameter", "`parameter`, such as \"/team/database-url\"", format::parameter),
        value: section.text("value", format::any).and_then(|value| draft(section.file(), &value)),
    })
}
