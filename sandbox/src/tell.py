"""Lets ECR and Parameter Store tell what they have done: each answer carries the events that AWS would send.

The sandbox takes them off the answer and delivers them, or not, as it was told (`events` in Rust)."""

import json
import time

from ministack.core.responses import get_account_id, get_region, new_uuid

# What the gateway takes off; it reaches no client.
HEADER = "X-Sandbox-Events"


def event(source, kind, detail, resources=()):
    return {
        "version": "0",
        "id": new_uuid(),
        "detail-type": kind,
        "source": source,
        "account": get_account_id(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "region": get_region(),
        "resources": list(resources),
        "detail": detail,
    }


def telling(answer, events):
    status, headers, body = answer
    if status >= 300 or not events:
        return answer
    return status, {**headers, HEADER: json.dumps(events)}, body


def tell(ecr, ssm):
    tell_images(ecr)
    tell_parameters(ssm)


def image_event(action, repository, digest, tag, image):
    detail = {
        "result": "SUCCESS",
        "repository-name": repository,
        "image-digest": digest,
        "action-type": action,
        # ECR has no word for "none": what belongs to an index has an empty tag.
        "image-tag": tag or "",
    }
    if image:
        detail["manifest-media-type"] = image["imageManifestMediaType"]
        config = json.loads(image["imageManifest"]).get("config")
        if config:
            detail["artifact-media-type"] = config["mediaType"]
    return event("aws.ecr", "ECR Image Action", detail)


def tell_images(ecr):
    put, put_manifest, delete = ecr._put_image, ecr._v2_put_manifest, ecr._batch_delete_image

    def pushed(name, digest, tag, act):
        def found():
            return ecr._find_image(name, {"imageDigest": digest}) if name in ecr._repositories else None

        def state():
            image = found()
            return image and sorted(image["imageTags"])

        before, answer = state(), act()
        # The same again changes nothing, and nothing is told of it.
        changed = state() != before
        return telling(answer, [image_event("PUSH", name, digest, tag, found())] if changed else [])

    def tell_put(data):
        digest = data.get("imageDigest") or ecr._image_digest(data.get("imageManifest", ""))
        return pushed(data.get("repositoryName", ""), digest, data.get("imageTag"), lambda: put(data))

    def tell_manifest(name, ref, headers, body):
        digest = ecr._content_digest(body if isinstance(body, bytes) else body.encode())
        tag = None if ref.startswith("sha256:") else ref
        return pushed(name, digest, tag, lambda: put_manifest(name, ref, headers, body))

    def tell_deleted(data):
        answer, name = delete(data), data.get("repositoryName", "")
        deleted = json.loads(answer[2]).get("imageIds", [])
        events = [image_event("DELETE", name, one["imageDigest"], one.get("imageTag"), None) for one in deleted]
        return telling(answer, events)

    ecr._put_image, ecr._v2_put_manifest, ecr._batch_delete_image = tell_put, tell_manifest, tell_deleted


def parameter_event(operation, parameter):
    detail = {"operation": operation, "name": parameter["Name"], "type": parameter["Type"]}
    if parameter.get("Description"):
        detail["description"] = parameter["Description"]
    return event("aws.ssm", "Parameter Store Change", detail, [parameter["ARN"]])


def tell_parameters(ssm):
    put, delete, delete_all = ssm._put_parameter, ssm._delete_parameter, ssm._delete_parameters

    def tell_put(data):
        answer, parameter = put(data), ssm._parameters.get(data.get("Name"))
        operation = "Create" if parameter and parameter["Version"] == 1 else "Update"
        return telling(answer, [parameter_event(operation, parameter)] if parameter else [])

    def telling_deleted(act, names):
        def amended(data):
            found = [ssm._lookup_parameter(name)[1] for name in names(data)]
            return telling(act(data), [parameter_event("Delete", one) for one in found if one])

        return amended

    ssm._put_parameter = tell_put
    ssm._delete_parameter = telling_deleted(delete, lambda data: [data.get("Name")])
    ssm._delete_parameters = telling_deleted(delete_all, lambda data: data.get("Names", []))
