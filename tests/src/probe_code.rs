//! Code of the probe function, for accounts without an installation.

use std::io::{Cursor, Write};

use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};
use skydeck_aws::client::Clients;
use skydeck_core::layer::balancer::PROBE_CODE_KEY;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Uploads code as bootstrap does, with its hash as metadata. Returns the hash.
///
/// # Panics
/// Where the upload fails.
pub async fn upload(clients: &Clients, bucket: &str, text: &str) -> String {
    let location = CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::ApSouth1).build();
    // The bucket is there from the first time.
    let _ = clients.s3.create_bucket().bucket(bucket).create_bucket_configuration(location).send().await;
    let (zip, hash) = archive(text);
    let request = clients.s3.put_object().bucket(bucket).key(PROBE_CODE_KEY).body(zip.into());
    let request = request.metadata("code-sha256", &hash).metadata("architecture", "x86_64");
    request.send().await.expect("the code can be uploaded");
    hash
}

/// An archive with a `bootstrap` that never answers anything, and the base64 of its SHA-256.
///
/// # Panics
/// Never: it is written to memory.
#[must_use]
pub fn archive(text: &str) -> (Vec<u8>, String) {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", SimpleFileOptions::default().unix_permissions(0o755)).expect("a file");
    zip.write_all(format!("#!/bin/sh\n# {text}\n").as_bytes()).expect("its content");
    let bytes = zip.finish().expect("an archive").into_inner();
    let hash = BASE64.encode(Sha256::digest(&bytes));
    (bytes, hash)
}
