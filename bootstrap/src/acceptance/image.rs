//! The images of an acceptance run: one small server, wrapped in several ways, and pushed by ECR's own API.

use std::collections::BTreeMap;

use aws_sdk_ecr::primitives::Blob;
use flate2::Compression;
use flate2::write::GzEncoder;
use miette::IntoDiagnostic;
use skydeck_aws::error::{Explain, tolerate};
use skydeck_aws::{Clients, Error, Result};
use skydeck_core::oci::{self, Document, Manifest, Program};

use super::plan::{REPOSITORY, TAG};

/// Where the server lies in its image.
const PATH: &str = "app/server";
/// What instances of the platform run.
const ARCHITECTURE: &str = "arm64";

/// How an image behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// It answers.
    Good,
    /// It ends at once.
    Crashes,
    /// It answers 500 to everything.
    Fails,
}

impl Behaviour {
    /// The server's argument, and what the image's label says of it: a registry's reader can tell the images apart by that.
    fn word(self) -> &'static str {
        match self {
            Behaviour::Good => "healthy",
            Behaviour::Crashes => "crash",
            Behaviour::Fails => "error",
        }
    }
}

/// The server, as a layer.
#[derive(Debug)]
pub(super) struct Layer {
    document: Document,
    unpacked: String,
}

impl Layer {
    /// Packs the server. The same server makes the same layer.
    pub(super) fn of(server: &[u8]) -> miette::Result<Self> {
        let mut header = tar::Header::new_ustar();
        header.set_size(server.len() as u64);
        header.set_mode(0o755);
        let mut files = tar::Builder::new(Vec::new());
        files.append_data(&mut header, PATH, server).into_diagnostic()?;
        let files = files.into_inner().into_diagnostic()?;
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        std::io::Write::write_all(&mut packed, &files).into_diagnostic()?;
        let bytes = packed.finish().into_diagnostic()?;
        Ok(Layer { document: Document { kind: oci::LAYER, bytes }, unpacked: oci::digest(&files) })
    }
}

/// An image to push.
#[derive(Debug)]
pub(super) struct Image {
    manifest: Manifest,
    attestation: Option<Manifest>,
    index: Document,
}

impl Image {
    /// An index of the image and its attestation, as `docker buildx` makes it. `tag` makes it another one than the others.
    pub(super) fn new(layer: &Layer, behaviour: Behaviour, tag: &str) -> Self {
        let manifest = manifest(layer, behaviour, tag);
        let attestation = manifest.attestation();
        let index = oci::index(&[manifest.entry_for(ARCHITECTURE), attestation.entry_attesting(&manifest)]);
        Image { manifest, attestation: Some(attestation), index }
    }

    /// An index whose only entry does not say for which platform it is.
    pub(super) fn unsaid(layer: &Layer, tag: &str) -> Self {
        let manifest = manifest(layer, Behaviour::Good, tag);
        let index = oci::index(&[manifest.entry()]);
        Image { manifest, attestation: None, index }
    }

    /// The digest to which its tag leads.
    pub(super) fn digest(&self) -> String {
        self.index.digest()
    }

    /// The digest of the image in it.
    pub(super) fn child(&self) -> String {
        self.manifest.document.digest()
    }

    /// The digest of its configuration.
    pub(super) fn configuration(&self) -> String {
        self.manifest.config.digest()
    }
}

fn manifest(layer: &Layer, behaviour: Behaviour, tag: &str) -> Manifest {
    let word = behaviour.word();
    let labels = BTreeMap::from([(TAG.to_owned(), tag.to_owned()), ("skydeck.behaves".to_owned(), word.to_owned())]);
    let path = format!("/{PATH}");
    let entrypoint = [path.as_str(), word];
    let program = Program {
        architecture: ARCHITECTURE,
        entrypoint: &entrypoint,
        labels: &labels,
        unpacked: layer.unpacked.clone(),
    };
    program.image(layer.document.clone())
}

/// Pushes an image under a tag.
pub(super) async fn push(clients: &Clients, image: &Image, tag: &str) -> Result<()> {
    for manifest in [Some(&image.manifest), image.attestation.as_ref()].into_iter().flatten() {
        upload(clients, &manifest.config).await?;
        upload(clients, &manifest.layer).await?;
        // Nothing tags it, and a repetition finds it.
        tolerate(put(clients, &manifest.document, None).await, &["ImageAlreadyExistsException"])?;
    }
    put(clients, &image.index, Some(tag)).await.map(drop)
}

/// Puts the index of an image that was pushed once more; the digest that ECR tells.
pub(super) async fn put_again(clients: &Clients, image: &Image, tag: &str) -> Result<String> {
    put(clients, &image.index, Some(tag)).await
}

async fn put(clients: &Clients, document: &Document, tag: Option<&str>) -> Result<String> {
    let text = String::from_utf8_lossy(&document.bytes);
    let request = clients.ecr().put_image().repository_name(REPOSITORY).image_manifest(text);
    let request = request.image_manifest_media_type(document.kind).set_image_tag(tag.map(Into::into));
    let put = request.send().await.during("put image into", REPOSITORY)?;
    let id = put.image.and_then(|image| image.image_id).and_then(|id| id.image_digest);
    Ok(id.unwrap_or_default())
}

async fn upload(clients: &Clients, blob: &Document) -> Result<()> {
    let ecr = clients.ecr();
    let begun = ecr.initiate_layer_upload().repository_name(REPOSITORY).send().await;
    let begun = begun.during("begin to upload to", REPOSITORY)?;
    let id = begun.upload_id.ok_or_else(|| Error::Broken("ECR gave an upload no id".to_owned()))?;
    let size = begun.part_size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0);
    let mut first = 0;
    for part in blob.bytes.chunks(size.unwrap_or(blob.bytes.len())) {
        let next = first + part.len() as i64;
        let request = ecr.upload_layer_part().repository_name(REPOSITORY).upload_id(&id);
        let request = request.part_first_byte(first).part_last_byte(next - 1).layer_part_blob(Blob::new(part));
        request.send().await.during("upload to", REPOSITORY)?;
        first = next;
    }
    let request = ecr.complete_layer_upload().repository_name(REPOSITORY).upload_id(&id).layer_digests(blob.digest());
    // All images have the same layer.
    let known = ["LayerAlreadyExistsException"];
    tolerate(request.send().await.during("finish the upload to", REPOSITORY), &known).map(drop)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn an_image_has_the_server_and_nothing_else() {
        let layer = Layer::of(b"a program").unwrap();
        assert_eq!(layer.document, Layer::of(b"a program").unwrap().document, "the same server makes the same layer");
        let mut files = tar::Archive::new(flate2::read::GzDecoder::new(&layer.document.bytes[..]));
        let mut found = Vec::new();
        for entry in files.entries().unwrap() {
            let (mut entry, mut bytes) = (entry.unwrap(), Vec::new());
            entry.read_to_end(&mut bytes).unwrap();
            found.push((entry.path().unwrap().display().to_string(), entry.header().mode().unwrap(), bytes));
        }
        assert_eq!(found, [("app/server".to_owned(), 0o755, b"a program".to_vec())]);

        let images = [
            Image::new(&layer, Behaviour::Good, "v1"),
            Image::new(&layer, Behaviour::Good, "v2"),
            Image::new(&layer, Behaviour::Crashes, "v1"),
            Image::unsaid(&layer, "v3"),
        ];
        let digests: std::collections::BTreeSet<String> = images.iter().map(Image::digest).collect();
        assert_eq!(digests.len(), images.len());
        let text = |document: &Document| String::from_utf8(document.bytes.clone()).unwrap();
        assert!(text(&images[0].index).contains(r#""architecture":"arm64""#));
        assert!(!text(&images[3].index).contains("platform"));
        assert!(text(&images[2].manifest.config).contains(r#"["/app/server","crash"]"#));
    }
}
