"""SkyFox's movie service, in small: tells the movies of a file to those who know its key."""

import hmac
import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = os.environ.get("API_KEY")
with open(os.environ.get("MOVIES_DATA_PATH", "data/movies.json"), encoding="utf-8") as file:
    MOVIES = json.load(file)


class Movie(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def decide(self):
        if self.path in ("/mshealth", "/movie-service/mshealth"):
            version = os.environ.get("APP_VERSION", "dev")
            return 200, {"status": "healthy", "version": version, "timestamp": int(time.time())}
        place, _, name = self.path.removeprefix("/movie-service/").partition("/")
        if self.command != "GET" or not self.path.startswith("/movie-service/") or place != "movies":
            return 404, {"error": "not found"}
        if KEY is not None and not hmac.compare_digest(self.headers.get("x-api-key", "").encode(), KEY.encode()):
            return 401, {"error": "unauthorized"}
        if self.path == "/movie-service/movies":
            return 200, MOVIES
        found = [movie for movie in MOVIES if movie["id"] == name]
        return (200, found[0]) if found else (404, {"error": "not found"})

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, value = self.decide()
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = answer


# ECS ends a task with SIGTERM, which the first process of a container would otherwise ignore.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
address = os.environ.get("HOST", "0.0.0.0"), int(os.environ.get("PORT", "4567"))
ThreadingHTTPServer(address, Movie).serve_forever()
