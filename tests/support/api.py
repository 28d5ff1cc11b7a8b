"""A web server that answers as it is told, and remembers what it was asked."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.reply(f"GET {self.path}")

    def do_POST(self):
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.reply(f"POST {parse_qs(form)['Action'][0]}")

    def reply(self, request):
        self.server.requests.append((request, dict(self.headers)))
        reply = self.server.replies.get(request, (404, b""))
        if callable(reply):
            reply(self)
            return
        status, body, *headers = reply
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        pass


class Api(ThreadingHTTPServer):
    """Answers each request with what `replies` has for it: (status, body, *headers)."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies, self.requests = {}, []
        self.over = threading.Event()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"

    def asked(self):
        return [request for request, _headers in self.requests]

    def hang(self, _handler):
        self.over.wait(60)

    def drip(self, handler):
        """One byte now and then, each sooner than any timeout, without an end."""
        handler.send_response(200)
        handler.end_headers()
        try:
            while not self.over.wait(0.02):
                handler.wfile.write(b" ")
                handler.wfile.flush()
        except OSError:
            handler.close_connection = True


@contextmanager
def serving():
    """An `Api` that runs until the end of the block."""
    with Api() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()
