//! A body in chunks of which each has a signature of its own, as clients of S3 send a file.

use aws_sigv4::sign::v4::{SigningParams, sign_chunk, sign_trailer};
use aws_smithy_runtime_api::http::Headers;
use hyper::body::Bytes;

use super::is_same;

/// What such a body's hash begins with.
pub(super) const SIGNED: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const CHUNK: &str = ";chunk-signature=";
const TRAILER: &str = "x-amz-trailer-signature";

/// Whether each chunk is signed, and what may follow the last. Each signature holds for what stands before it too.
pub(super) fn are_signed<S>(body: &[u8], seed: &str, signer: &SigningParams<'_, S>) -> bool {
    walk(body, seed, signer).is_some()
}

fn walk<S>(mut body: &[u8], seed: &str, signer: &SigningParams<'_, S>) -> Option<()> {
    let mut before = seed.to_owned();
    loop {
        let (size, given) = line(&mut body)?.split_once(CHUNK)?;
        let size = usize::from_str_radix(size, 16).ok()?;
        let chunk = body.get(..size)?;
        let expected = sign_chunk(&Bytes::copy_from_slice(chunk), &before, signer).ok()?.into_parts().1;
        if !is_same(&expected, given) {
            return None;
        }
        before = expected;
        if size == 0 {
            return trailer(body, &before, signer);
        }
        body = body[size..].strip_prefix(b"\r\n")?;
    }
}

/// What stands behind the last chunk: nothing, or headers and their signature.
fn trailer<S>(mut body: &[u8], before: &str, signer: &SigningParams<'_, S>) -> Option<()> {
    let mut headers = Headers::new();
    while let Some(text) = line(&mut body).filter(|text| !text.is_empty()) {
        let (name, value) = text.split_once(':')?;
        if name.eq_ignore_ascii_case(TRAILER) {
            let expected = sign_trailer(&headers, before, signer).ok()?.into_parts().1;
            return is_same(&expected, value.trim()).then_some(());
        }
        headers.try_append(name.to_owned(), value.to_owned()).ok()?;
    }
    headers.iter().next().is_none().then_some(())
}

/// The text up to the end of the line, which is taken off.
fn line<'a>(body: &mut &'a [u8]) -> Option<&'a str> {
    let end = body.windows(2).position(|two| two == b"\r\n")?;
    let (line, rest) = body.split_at(end);
    *body = &rest[2..];
    std::str::from_utf8(line).ok()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use aws_credential_types::Credentials;

    use super::*;

    /// A body of these chunks, with a checksum behind them or without.
    fn body(signer: &SigningParams<'_, ()>, chunks: &[&str], checksum: bool) -> String {
        let (mut body, mut before) = (String::new(), "seed".to_owned());
        for chunk in chunks.iter().chain(&[""]) {
            before = sign_chunk(&Bytes::copy_from_slice(chunk.as_bytes()), &before, signer).unwrap().into_parts().1;
            body += &format!("{:x}{CHUNK}{before}\r\n{chunk}", chunk.len());
            body += if chunk.is_empty() { "" } else { "\r\n" };
        }
        if checksum {
            let mut headers = Headers::new();
            headers.append("x-amz-checksum-crc32", "AAAAAA==");
            let signature = sign_trailer(&headers, &before, signer).unwrap().into_parts().1;
            body += &format!("x-amz-checksum-crc32:AAAAAA==\r\n{TRAILER}:{signature}\r\n");
        }
        body + "\r\n"
    }

    #[test]
    fn each_chunk_and_what_stands_behind_them_is_signed() {
        let identity = Credentials::new("key", "secret", None, None, "test").into();
        let signer = SigningParams::builder().identity(&identity).region("r").name("s3").time(SystemTime::now());
        let signer = signer.settings(()).build().unwrap();
        for checksum in [false, true] {
            let body = body(&signer, &["hello", "w\r\nrld"], checksum);
            assert!(are_signed(body.as_bytes(), "seed", &signer), "{body}");
            assert!(!are_signed(body.as_bytes(), "other", &signer));
            let second = body.find("6;").unwrap();
            for (what, with) in [("hello", "hellO"), ("w\r\n", "W\r\n"), (&body[second..], ""), ("5;", "4;")] {
                let other = body.replacen(what, with, 1);
                assert!(!are_signed(other.as_bytes(), "seed", &signer), "{other}");
            }
        }
        let body = body(&signer, &["hello"], true);
        assert!(!are_signed(body.replace("AAAAAA", "BAAAAA").as_bytes(), "seed", &signer));
        let unsigned = body.split_once(TRAILER).unwrap().0.to_owned() + "\r\n";
        assert!(!are_signed(unsigned.as_bytes(), "seed", &signer), "a checksum that nobody has signed");
    }
}
