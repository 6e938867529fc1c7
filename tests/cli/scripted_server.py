"""A server of the tests' own making, for what a real one does only by bad luck: it answers as a test's script says.

    def answer(request):
        if request.path == "/v1/jobs/1":
            request.json({"id": "1", "number": 1, "ended": True, "status": "completed"})

    with ScriptedServer(answer) as server:
        server.gw("wait", "1")
        print(server.asked)
"""

import http.server
import json
import os
import subprocess
import threading

from gw_command import GW


class Request:
    """One request, to be answered once: by json, or by stream and then events."""

    def __init__(self, handler, body):
        self.handler = handler
        self.method = handler.command
        self.target = handler.path
        self.path = handler.path.partition("?")[0]
        self.query = dict(pair.split("=", 1) for pair in handler.path.partition("?")[2].split("&") if pair)
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.body = json.loads(body) if body else None

    def json(self, value, status=200):
        text = json.dumps(value).encode()
        self.handler.send_response(status)
        self.handler.send_header("Content-Type", "application/json")
        self.handler.send_header("Content-Length", str(len(text)))
        self.handler.end_headers()
        self.handler.wfile.write(text)

    def refuse(self, status, code, message="no"):
        self.json({"error": {"status": status, "code": code, "message": message}}, status)

    def stream(self, comment=""):
        """Begins a stream of events, which ends when the script returns."""
        self.handler.send_response(200)
        self.handler.send_header("Content-Type", "text/event-stream")
        self.handler.send_header("Connection", "close")
        self.handler.end_headers()
        self.handler.close_connection = True
        if comment:
            self.comment(comment)

    def comment(self, text):
        self.handler.wfile.write(f": {text}\n\n".encode())

    def event(self, name, value):
        self.handler.wfile.write(f"event: {name}\ndata: {json.dumps(value)}\n\n".encode())


class ScriptedServer:
    """Calls `answer` with each Request, each in a thread of its own. `asked` has "METHOD TARGET" of all so far, `over`
    is set when the server ends: scripts that wait, wait for it too."""

    def __init__(self, answer):
        self.asked = []
        self.over = threading.Event()
        script = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def run(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                script.asked.append(f"{self.command} {self.path}")
                try:
                    answer(Request(self, body))
                except OSError:  # The client has gone.
                    self.close_connection = True

            do_GET = do_POST = do_DELETE = do_PATCH = run

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 50

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()

    def start(self, *words, env=None):
        """`gw WORDS` against this server, as a process."""
        surroundings = {name: value for name, value in os.environ.items() if not name.startswith("GIGAWERK_")}
        surroundings |= {"GIGAWERK_SERVER": self.url, "GIGAWERK_TOKEN": "gw_test", **(env or {})}
        return subprocess.Popen([GW, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                text=True, env=surroundings)

    def gw(self, *words, env=None, seconds=30):
        """Runs it to its end: (exit code, standard output, standard error)."""
        process = self.start(*words, env=env)
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"gw {' '.join(words)} does not end; asked {self.asked[-20:]}\n{out}{err}") from None
        return process.returncode, out, err
