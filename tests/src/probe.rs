//! Code of the probe function, as bootstrap uploads it.

use std::io::{Cursor, Write};

use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};
use skydeck_aws::Clients;
use skydeck_core::layer::balancer::PROBE_CODE_KEY;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Uploads code of the probe function, with its hash as metadata, into a bucket that is made where missing. Returns the
/// hash.
///
/// # Panics
/// Where S3 refuses.
pub async fn upload(clients: &Clients, bucket: &str, text: &str) -> String {
    let place = CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::ApSouth1).build();
    // The bucket is there from the first time.
    let _ = clients.s3().create_bucket().bucket(bucket).create_bucket_configuration(place).send().await;
    let (zip, hash) = archive(text);
    let request = clients.s3().put_object().bucket(bucket).key(PROBE_CODE_KEY).body(zip.into());
    let request = request.metadata("code-sha256", &hash).metadata("architecture", "x86_64");
    request.send().await.expect("the probe's code");
    hash
}

/// An archive with a `bootstrap` that never answers anything, and the base64 of its SHA-256.
///
/// # Panics
/// Never: it is written to memory.
#[must_use]
pub fn archive(text: &str) -> (Vec<u8>, String) {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().unix_permissions(0o755);
    zip.start_file("bootstrap", options).expect("an archive in memory");
    zip.write_all(format!("#!/bin/sh\n# {text}\n").as_bytes()).expect("an archive in memory");
    let bytes = zip.finish().expect("an archive in memory").into_inner();
    let hash = BASE64.encode(Sha256::digest(&bytes));
    (bytes, hash)
}
