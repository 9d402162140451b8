//! Names of S3's calls, which stand in method, address and headers.

use hyper::Method;
use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;

use super::naming::header;

/// Sub-resources that are named alike for reading, writing and deleting.
const SUBRESOURCES: [(&str, &str); 17] = [
    ("accelerate", "BucketAccelerateConfiguration"),
    ("acl", "BucketAcl"),
    ("cors", "BucketCors"),
    ("encryption", "BucketEncryption"),
    ("lifecycle", "BucketLifecycleConfiguration"),
    ("location", "BucketLocation"),
    ("logging", "BucketLogging"),
    ("notification", "BucketNotificationConfiguration"),
    ("object-lock", "ObjectLockConfiguration"),
    ("ownershipControls", "BucketOwnershipControls"),
    ("policy", "BucketPolicy"),
    ("policyStatus", "BucketPolicyStatus"),
    ("publicAccessBlock", "PublicAccessBlock"),
    ("replication", "BucketReplication"),
    ("tagging", "BucketTagging"),
    ("versioning", "BucketVersioning"),
    ("website", "BucketWebsite"),
];

/// Action and resource (`bucket` or `bucket/key`).
pub(crate) fn name(parts: &Parts) -> (String, Option<String>) {
    let (bucket, key) = address(parts);
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let has = |name: &str| query.iter().any(|(key, _)| key == name);
    let action = match (bucket.is_empty(), key.is_empty()) {
        (true, _) => "ListBuckets".to_owned(),
        (false, true) => bucket_action(&parts.method, has),
        (false, false) => object_action(parts, has),
    };
    let resource = match (bucket.is_empty(), key.is_empty()) {
        (true, _) => None,
        (false, true) => Some(bucket),
        (false, false) => Some(format!("{bucket}/{key}")),
    };
    (action, resource)
}

/// Bucket and key, whether the bucket stands in the host's name or in the path.
pub(crate) fn address(parts: &Parts) -> (String, String) {
    let path = percent_decode_str(parts.uri.path().trim_start_matches('/')).decode_utf8_lossy().into_owned();
    let host = header(parts, "host").unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    let virtual_bucket = host.split_once(".s3.").or_else(|| host.split_once(".localhost")).map(|(bucket, _)| bucket);
    if let Some(bucket) = virtual_bucket {
        return (bucket.to_owned(), path);
    }
    let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
    (bucket.to_owned(), key.to_owned())
}

fn bucket_action(method: &Method, has: impl Fn(&str) -> bool) -> String {
    if let Some((_, name)) = SUBRESOURCES.iter().find(|(key, _)| has(key)) {
        let name = match (*method == Method::DELETE, *name) {
            (true, "BucketLifecycleConfiguration") => "BucketLifecycle",
            (_, name) => name,
        };
        return format!("{}{name}", verb(method));
    }
    match *method {
        Method::GET if has("versions") => "ListObjectVersions",
        Method::GET if has("uploads") => "ListMultipartUploads",
        Method::GET if has("list-type") => "ListObjectsV2",
        Method::GET => "ListObjects",
        Method::HEAD => "HeadBucket",
        Method::PUT => "CreateBucket",
        Method::DELETE => "DeleteBucket",
        Method::POST if has("delete") => "DeleteObjects",
        _ => "Unknown",
    }
    .to_owned()
}

fn object_action(parts: &Parts, has: impl Fn(&str) -> bool) -> String {
    let method = &parts.method;
    for (key, name) in [("acl", "ObjectAcl"), ("tagging", "ObjectTagging"), ("attributes", "ObjectAttributes")] {
        if has(key) {
            return format!("{}{name}", verb(method));
        }
    }
    match *method {
        Method::GET if has("uploadId") => "ListParts",
        Method::GET => "GetObject",
        Method::HEAD => "HeadObject",
        Method::PUT if has("uploadId") => "UploadPart",
        Method::PUT if parts.headers.contains_key("x-amz-copy-source") => "CopyObject",
        Method::PUT => "PutObject",
        Method::DELETE if has("uploadId") => "AbortMultipartUpload",
        Method::DELETE => "DeleteObject",
        Method::POST if has("uploads") => "CreateMultipartUpload",
        Method::POST if has("uploadId") => "CompleteMultipartUpload",
        _ => "Unknown",
    }
    .to_owned()
}

fn verb(method: &Method) -> &'static str {
    match *method {
        Method::PUT | Method::POST => "Put",
        Method::DELETE => "Delete",
        _ => "Get",
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn named(method: &str, uri: &str, host: &str) -> (String, Option<String>) {
        let (parts, ()) =
            Request::builder().method(method).uri(uri).header("host", host).body(()).unwrap().into_parts();
        name(&parts)
    }

    #[test]
    fn both_styles_of_addresses_are_understood() {
        let expected = ("PutObject".to_owned(), Some("b/k/e y".to_owned()));
        assert_eq!(named("PUT", "/b/k/e%20y?x-id=PutObject", "127.0.0.1:1"), expected);
        assert_eq!(named("PUT", "/k/e%20y?x-id=PutObject", "b.s3.ap-south-1.amazonaws.com"), expected);
    }

    #[test]
    fn buckets_and_their_subresources_are_named() {
        let name = |method: &str, uri: &str| named(method, uri, "127.0.0.1").0;
        assert_eq!(name("GET", "/"), "ListBuckets");
        assert_eq!(name("PUT", "/b"), "CreateBucket");
        assert_eq!(name("GET", "/b?list-type=2"), "ListObjectsV2");
        assert_eq!(name("PUT", "/b?publicAccessBlock"), "PutPublicAccessBlock");
        assert_eq!(name("DELETE", "/b?lifecycle"), "DeleteBucketLifecycle");
        assert_eq!(name("GET", "/b/?versioning"), "GetBucketVersioning");
        assert_eq!(name("POST", "/b?delete"), "DeleteObjects");
        assert_eq!(name("GET", "/b/k?attributes"), "GetObjectAttributes");
    }
}
