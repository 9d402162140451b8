"""Lets nobody but the gateway in, and makes and tells secrets: the gateway checks signatures with them."""

import dataclasses
import hashlib
import hmac
import json
from http.server import BaseHTTPRequestHandler

from ministack.core import iam_evaluator, lambda_runtime
from ministack.services import iam, lambda_svc, s3, sts

# Each request of the gateway has the first, and what it asks for itself the second; clients can send neither through it.
PASS = b"x-sandbox-pass"
KEY = b"x-sandbox-key"
ROLE = b"x-sandbox-role"


def guard(app, secret):
    app.app = only_the_gateway(app.app, secret)
    give_events_to_no_page(BaseHTTPRequestHandler)
    sign_as_root_with(secret)
    give_functions_secrets(secret)


def keyed(secret, purpose):
    """What stands for the secret where it is shown, so that who sees it there cannot sign with it."""
    return hmac.new(secret, purpose.encode(), hashlib.sha256).hexdigest()


def only_the_gateway(app, secret):
    """Whatever a browser or another program of this machine sends to the emulator's own port is refused."""
    expected = keyed(secret, "pass").encode()

    async def guarded(scope, receive, send):
        if scope["type"] == "lifespan":
            return await app(scope, receive, send)
        headers = scope["headers"]
        given = [value for name, value in headers if name == PASS]
        passed = len(given) == 1 and hmac.compare_digest(given[0], expected)
        if scope["type"] != "http":
            return await send({"type": "websocket.close"})
        if not passed:
            return await answer(send, 403, {"error": "only the sandbox's gateway may call the emulator"})
        asked = [value for name, value in headers if name == KEY]
        if asked:
            return await answer(send, 200, {"secret": secret_of(asked[0].decode("latin-1"))})
        asked = [value for name, value in headers if name == ROLE]
        if asked:
            return await answer(send, 200, keys_of_a_task(secret, *asked[0].decode("latin-1").split(" ")))
        # Nothing that the emulator does with headers, such as handing them to a function, may give it away.
        rest = [(name, value) for name, value in headers if name != PASS]
        return await app({**scope, "headers": rest}, receive, send)

    return guarded


def give_events_to_no_page(handler):
    """Refuses pages where a function fetches its events and answers them, which asks for no key. On AWS only the function
    reaches that; here it is a port of this machine."""
    parse = handler.parse_request

    def guarded(self):
        if not parse(self):
            return False
        own = f"127.0.0.1:{self.server.server_address[1]}"
        sites = set(self.headers.get_all("Sec-Fetch-Site", []))
        if "Origin" not in self.headers and sites <= {"none"} and self.headers.get_all("Host") == [own]:
            return True
        # What follows is the body of a request that is refused, and no request of its own.
        self.close_connection = True
        self.send_error(403)
        return False

    handler.parse_request = guarded


async def answer(send, status, body):
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def secret_of(key):
    """The secret of a key that STS or IAM has issued; none of one that they do not know."""
    session = sts._sessions.get(key)
    if session:
        return session.get("SecretAccessKey")
    for (_account, known), record in iam._access_keys.to_dict().items():
        if known == key:
            return record["SecretAccessKey"]
    return None


def keys_of_a_task(secret, role, task):
    """Keys of a role that ECS takes on for a task, where the role is there and trusts ECS."""
    roles = [one for one in iam._roles.to_dict().values() if one["Arn"] == role]
    if not roles or "ecs-tasks.amazonaws.com" not in roles[0]["AssumeRolePolicyDocument"]:
        return {}
    return keys_of(secret, task, role, role.split(":")[4], task)


def keys_of(secret, who, role, account, session):
    """Keys of a role's session, always the same for who has it."""
    name = role.rsplit("/", 1)[-1]

    def part(purpose):
        return keyed(secret, f"{purpose} {who} {role}")

    key, own, token = f"ASIA{part('key')[:16].upper()}", part("secret"), part("token")
    sts.register_session(key, {
        "Arn": f"arn:aws:sts::{account}:assumed-role/{name}/{session}",
        "UserId": f"{name}:{session}",
        "SecretAccessKey": own,
        "SessionToken": token,
    })
    return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": own, "AWS_SESSION_TOKEN": token}


def sign_as_root_with(secret):
    """The emulator verifies addresses that a root has signed in advance; it would take `test` for the secret."""
    resolve = iam_evaluator.resolve_credential

    def amended(*arguments, **named):
        found = resolve(*arguments, **named)
        if getattr(found, "principal_type", None) == "Root":
            return dataclasses.replace(found, secret_access_key=secret.decode())
        return found

    for module in (iam_evaluator, s3, sts):
        module.resolve_credential = amended


def give_functions_secrets(secret):
    """The emulator makes a function's keys of its ARN and its role's, which anybody can guess."""

    def credentials(config):
        account, _region = lambda_runtime._account_region_from_function_config(config)
        name = config.get("FunctionName", "")[:64]
        return keys_of(secret, config.get("FunctionArn", ""), config.get("Role", ""), account, name)

    lambda_runtime.execution_credentials = lambda_svc.execution_credentials = credentials
