"""SkyFox's backend, in small: asks the two services behind the internal load balancer."""

import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def ask(method, url, key, body):
    """Another service's status, content type and body, whatever they are."""
    # Each service has a variable of its own for the other's key; a service without one has no such header.
    headers = {"x-api-key": key} if key else {}
    request = urllib.request.Request(url, data=body or None, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers["Content-Type"], answer.read()
    except OSError:
        return told(502, {"error": f"no route to {url}"})


def told(status, value):
    return status, "application/json", json.dumps(value).encode()


class Backend(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def decide(self, body):
        if self.path == "/health":
            version = os.environ.get("APP_VERSION", "dev")
            return told(200, {"status": "healthy", "version": version, "timestamp": int(time.time())})
        if (self.command, self.path) == ("GET", "/movies"):
            url = os.environ["MOVIE_SERVICE_URL"] + "/movies"
            return ask("GET", url, os.environ.get("MOVIE_SERVICE_API_KEY"), body)
        if (self.command, self.path) == ("POST", "/payment"):
            url = os.environ["PAYMENT_GATEWAY_URL"] + "/payment"
            return ask("POST", url, os.environ.get("PAYMENT_GATEWAY_API_KEY"), body)
        return told(404, {"error": "not found"})

    def answer(self):
        status, kind, body = self.decide(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        self.send_response(status)
        self.send_header("Content-Type", kind or "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = answer


# ECS ends a task with SIGTERM, which the first process of a container would otherwise ignore.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
address = os.environ.get("HOST", "0.0.0.0"), int(os.environ.get("PORT", "8080"))
ThreadingHTTPServer(address, Backend).serve_forever()
