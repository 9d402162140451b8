"""Lets ECR treat tags and images as AWS does, where the emulator takes a tag for the image."""

import base64
import hashlib
import json
import os
import time

from ministack.core.responses import error_response_json, json_response


def amend(ecr):
    keep_layers(ecr)
    put_once(ecr)
    delete_by_tag(ecr)
    tell_what_was_asked(ecr)
    refuse_unknown(ecr)
    lend_blobs(ecr)


def keep_layers(ecr):
    """Keeps what is uploaded in parts, and refuses what is not what it is said to be; the emulator takes anything and keeps nothing."""
    initiate, uploads = ecr._initiate_layer_upload, {}

    def begin(data):
        status, headers, body = initiate(data)
        if status == 200:
            uploads[json.loads(body)["uploadId"]] = bytearray()
        return status, headers, body

    def unknown(data):
        message = f"The upload with ID '{data.get('uploadId', '')}' could not be found"
        return error_response_json("UploadNotFoundException", message, 400)

    def part(data):
        content = uploads.get(data.get("uploadId"))
        if content is None:
            return unknown(data)
        if data.get("partFirstByte") != len(content):
            message = f"The first byte of a part is not the one after the last: {len(content)}"
            return error_response_json("InvalidLayerPartException", message, 400)
        content += base64.b64decode(data.get("layerPartBlob", ""))
        answer = {key: data.get(key) for key in ("repositoryName", "uploadId")}
        return json_response({"registryId": ecr._registry_id(), **answer, "lastByteReceived": len(content) - 1})

    def complete(data):
        name, content = data.get("repositoryName", ""), uploads.get(data.get("uploadId"))
        if content is None:
            return unknown(data)
        if not content:
            return error_response_json("EmptyUploadException", "The layer upload has no parts", 400)
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        if data.get("layerDigests") != [digest]:
            message = f"Layer digest {data.get('layerDigests')} does not match the calculated {digest}"
            return error_response_json("InvalidLayerException", message, 400)
        blobs = ecr._layer_blobs.setdefault(name, {})
        if digest in blobs:
            message = f"Layer with digest '{digest}' already exists in the repository with name '{name}'"
            return error_response_json("LayerAlreadyExistsException", message, 400)
        blobs[digest] = bytes(uploads.pop(data["uploadId"]))
        answer = {key: data.get(key) for key in ("repositoryName", "uploadId")}
        return json_response({"registryId": ecr._registry_id(), **answer, "layerDigest": digest})

    ecr._initiate_layer_upload, ecr._upload_layer_part, ecr._complete_layer_upload = begin, part, complete


def manifest_of(image):
    try:
        return json.loads(image.get("imageManifest") or "{}")
    except ValueError:
        return {}


def page(data, key, items):
    """A hundred at once, or as many as asked for, unless they were asked for one by one."""
    begun = int(data.get("nextToken") or 0)
    count = data.get("maxResults") or (len(items) if data.get("imageIds") else 100)
    more = {"nextToken": str(begun + count)} if begun + count < len(items) else {}
    return json_response({key: items[begun : begun + count], **more})


def put_once(ecr):
    """Refuses a tag that the image has already, and one that an immutable repository gave to another image."""
    put, put_manifest = ecr._put_image, ecr._v2_put_manifest

    def amended(data):
        name, tag, manifest = data.get("repositoryName", ""), data.get("imageTag"), data.get("imageManifest", "")
        digest = data.get("imageDigest") or ecr._image_digest(manifest)
        known = name in ecr._repositories and ecr._find_image(name, {"imageDigest": digest})
        if known and (tag is None or tag in known["imageTags"]):
            message = (
                f"Image with digest '{digest}' and tag '{tag}' already exists in the repository with name '{name}' in "
                f"registry with id '{ecr._registry_id()}'"
            )
            return error_response_json("ImageAlreadyExistsException", message, 400)
        if not data.get("imageManifestMediaType"):
            kind = manifest_of({"imageManifest": manifest}).get("mediaType")
            if not kind:
                message = "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'"
                return error_response_json("InvalidParameterException", message, 400)
            data = {**data, "imageManifestMediaType": kind}
        answer = put(data)
        if answer[0] == 200:
            # Whoever pulls asks for it by its digest, which finds here what came by the registry's own interface alone.
            ecr._manifest_blobs.setdefault(name, {}).setdefault(digest, manifest.encode())
        return time_new(name, digest, known, answer)

    def amended_manifest(name, ref, headers, body):
        digest = ecr._content_digest(body if isinstance(body, bytes) else body.encode())
        known = name in ecr._repositories and ecr._find_image(name, {"imageDigest": digest})
        return time_new(name, digest, known, put_manifest(name, ref, headers, body))

    def time_new(name, digest, known, answer):
        image = not known and name in ecr._repositories and ecr._find_image(name, {"imageDigest": digest})
        if image:
            # In whole seconds two pushes would often be equally old.
            image["imagePushedAt"] = round(time.time(), 3)
        return answer

    ecr._put_image, ecr._v2_put_manifest = amended, amended_manifest


def delete_by_tag(ecr):
    """Takes a tag off an image that has others; the emulator deletes the image."""

    def amended(data):
        name = data.get("repositoryName", "")
        if name not in ecr._repositories:
            message = f"The repository with name '{name}' does not exist"
            return error_response_json("RepositoryNotFoundException", message, 400)
        deleted, failures = [], []
        for asked in data.get("imageIds", []):
            image = ecr._find_image(name, asked)
            if image is None:
                reason = "Requested image not found"
                failures.append({"imageId": asked, "failureCode": "ImageNotFound", "failureReason": reason})
                continue
            tags = [asked["imageTag"]] if asked.get("imageTag") else list(image["imageTags"])
            image["imageTags"] = [tag for tag in image["imageTags"] if tag not in tags]
            deleted += [{"imageDigest": image["imageDigest"], "imageTag": tag} for tag in tags]
            if not image["imageTags"]:
                ecr._images[name].remove(image)
                if not tags:
                    deleted.append({"imageDigest": image["imageDigest"]})
        return json_response({"imageIds": deleted, "failures": failures})

    ecr._batch_delete_image = amended


def tell_what_was_asked(ecr):
    """Answers with the tag that was asked for, and lists each tag; the emulator tells the last one that was put."""

    def batch_get(data):
        name = data.get("repositoryName", "")
        status, headers, body = get(data)
        if status != 200:
            return status, headers, body
        answer = json.loads(body)
        asked = [one for one in data.get("imageIds", []) if ecr._find_image(name, one)]
        for image, one in zip(answer["images"], asked):
            tag = {"imageTag": one["imageTag"]} if one.get("imageTag") else {}
            image["imageId"] = {"imageDigest": image["imageId"]["imageDigest"], **tag}
        return json_response(answer)

    def list_images(data):
        name = data.get("repositoryName", "")
        status, headers, body = listed(data)
        if status != 200:
            return status, headers, body
        wanted, ids = data.get("filter", {}).get("tagStatus"), []
        for image in ecr._images.get(name, []):
            one = {"imageDigest": image["imageDigest"]}
            if wanted != "UNTAGGED":
                ids += [{**one, "imageTag": tag} for tag in image["imageTags"]]
            if wanted != "TAGGED" and not image["imageTags"]:
                ids.append(one)
        return page(data, "imageIds", ids)

    get, listed = ecr._batch_get_image, ecr._list_images
    ecr._batch_get_image, ecr._list_images = batch_get, list_images


def refuse_unknown(ecr):
    """Refuses images that do not exist, filters by tag, and names an artifact by its configuration."""
    describe = ecr._describe_images

    def amended(data):
        name = data.get("repositoryName", "")
        for asked in data.get("imageIds") or []:
            if name in ecr._repositories and ecr._find_image(name, asked) is None:
                what = ", ".join(f"{key}:'{value}'" for key, value in sorted(asked.items()))
                message = (
                    f"The image with imageId {{{what}}} does not exist within the repository with name '{name}' in the "
                    f"registry with id '{ecr._registry_id()}'"
                )
                return error_response_json("ImageNotFoundException", message, 400)
        status, headers, body = describe(data)
        if status != 200:
            return status, headers, body
        wanted, details = (data.get("filter") or {}).get("tagStatus"), []
        for detail in json.loads(body)["imageDetails"]:
            tags = detail["imageTags"]
            if (wanted == "TAGGED" and not tags) or (wanted == "UNTAGGED" and tags):
                continue
            if not tags:
                del detail["imageTags"]
            image = ecr._find_image(name, {"imageDigest": detail["imageDigest"]})
            kind = manifest_of(image).get("config", {}).get("mediaType")
            detail["artifactMediaType"] = kind
            detail["subjectManifestDigest"] = manifest_of(image).get("subject", {}).get("digest")
            details.append({key: value for key, value in detail.items() if value is not None})
        return page(data, "imageDetails", details)

    ecr._describe_images = amended


def lend_blobs(ecr):
    """Gives an address from which a blob can be had, and refuses one that is not there; the emulator's address is AWS's own.
    The gateway signs it."""

    def amended(data):
        name, digest = data.get("repositoryName", ""), data.get("layerDigest", "")
        if name not in ecr._repositories:
            message = f"The repository with name '{name}' does not exist"
            return error_response_json("RepositoryNotFoundException", message, 400)
        if digest not in ecr._layer_blobs.get(name, {}):
            message = f"Layer with digest '{digest}' is not accessible"
            return error_response_json("LayerInaccessibleException", message, 400)
        url = f"{os.environ['AWS_ENDPOINT_URL']}/v2/{name}/blobs/{digest}"
        return json_response({"downloadUrl": url, "layerDigest": digest})

    ecr._get_download_url_for_layer = amended
