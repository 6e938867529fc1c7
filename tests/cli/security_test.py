"""Attacks on gw serve by requests: paths, smuggling, size, slowness. The threat table of docs/security.md names each
test of security*_test.py, and each test here stands in it."""

import glob
import os
import re
import socket
import time
import unittest

from factory_server import FactoryServer, FactoryTest
from gw_command import SOURCE

TRAVERSALS = ["..", "../..", "../../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd",
              "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%5c..%5cetc%5cpasswd", ".%2e/.%2e/etc/passwd", "/etc/passwd",
              "//etc/passwd", "....//....//etc/passwd", "..%00/etc/passwd", "..%c0%af..%c0%afetc/passwd",
              "..%252f..%252fetc%252fpasswd", "%u002e%u002e/etc/passwd", "1/../../admin.token", "1%2f..%2f..%2fadmin.token"]


class Paths(FactoryTest):
    """Names that would lead out of where they belong."""

    @classmethod
    def prepare(cls):
        cls.number = cls.server.submit(command=["echo", "printed"])
        cls.server.wait(cls.number)

    def assert_gives_nothing(self, target):
        answer = self.server.raw(f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.server.token}\r\n"
                                 "Connection: close\r\n\r\n".encode())
        self.assertRegex(answer, rb"^HTTP/1\.1 (400|404) ", target)
        self.assertNotIn(b"root:", answer)
        self.assertNotIn(self.server.token.encode(), answer)

    def test_log_routes_lead_to_no_other_file(self):
        for path in TRAVERSALS:
            for target in (f"/v1/jobs/{path}/output", f"/v1/jobs/{path}/follow", f"/v1/jobs/{path}",
                           f"/v1/jobs/{self.number}/{path}"):
                self.assert_gives_nothing(target)
        for query in ("attempt=../../..", "attempt=1/../../../..", "attempt=%2e%2e", "stream=../../../admin.token",
                      "stream=out.0", "offset=-1", "offset=../..", "attempt=4294967296", "attempt=2"):
            answer = self.server.get(f"/v1/jobs/{self.number}/output?{query}")
            self.assert_status(answer, 400, 404)
        self.assertEqual(self.server.output(self.number), "printed\n")

    def test_node_and_tenant_paths_lead_nowhere(self):
        for path in TRAVERSALS:
            self.assert_gives_nothing(f"/v1/nodes/{path}")
            self.assert_gives_nothing(f"/v1/tenants/{path}")
        for path in ("", "/", "//", "default/", "/default", "default//x"):
            self.assert_gives_nothing(f"/v1/tenants/{path}")
        for path in ("..", "../x", "default/..", "default/../x", "/x", "x/", "", ".", "-x", "x y", "x\n", "x\0y", "ä",
                     "x" * 101, "a/" * 40 + "a"):
            answer = self.server.post("/v1/tenants", {"path": path})
            self.assert_status(answer, 404, 422)

    def test_a_jobs_name_stays_inside_of_its_folder(self):
        """%x in an output pattern puts the name, which its owner chooses, into a path."""
        number = self.server.submit(name="../../../../escaped", command=["echo", "inside"], output="%x.%u.out")
        job = self.server.wait(number)
        self.assertEqual(job["status"], "completed", job)
        found = {os.path.relpath(path, self.server.folder)
                 for path in glob.glob(self.server.folder + "/**/*escaped*", recursive=True)}
        self.assertEqual(len(found), 1, found)
        self.assertRegex(found.pop(), rf"^data/jobs/0/{number}\.1/work/[^/]+$")

    def test_output_patterns_write_where_the_account_may(self):
        """A pattern may climb: it is opened by the job's own account, after the server's rights are gone."""
        for output in ("\n", "a\0b", "%q", "a%"):
            self.assert_status(self.server.post("/v1/jobs", {"command": ["true"], "output": output}), 422)
        if os.geteuid() != 0:
            self.skipTest("only root can run jobs under another account")
        self.server.add_tenant("elsewhere", unix_user="daemon")
        for output in ("../../../../../admin.token", "/etc/passwd", os.path.join(self.server.data, "gigawerk.db"),
                       "../../../../../planted", "/planted"):
            number = self.server.submit(command=["echo", "written"], output=output, tenant="elsewhere")
            self.assertEqual(self.server.wait(number)["status"], "launch_failed", output)
        self.assertFalse(os.path.exists("/planted"))
        self.assertEqual(glob.glob(self.server.folder + "/**/planted", recursive=True), [])


class Framing(FactoryTest):
    """Requests that two servers in a row would read differently."""

    def smuggle(self, head, body=b""):
        """What comes back for a request with a second one hidden in it: never two answers."""
        hidden = f"GET /v1/whoami HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.server.token}\r\n\r\n".encode()
        answer = self.server.raw(head + b"\r\n\r\n" + body + hidden)
        self.assertEqual(len(re.findall(rb"HTTP/1\.1 \d{3} ", answer)), 1, (head, answer))
        self.assertNotIn(b'"user"', answer, head)
        return int(answer.split(b" ", 2)[1])

    def test_two_lengths(self):
        start = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\n"
        for lines in (b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nContent-Length: 5",
                      b"Content-Length: 0\r\nTransfer-Encoding: chunked", b"Content-Length: 5\r\nContent-Length: 6",
                      b"Content-Length: 5\r\nContent-Length: 5", b"Content-Length: 5, 5", b"Content-Length: 5,6",
                      b"content-length: 5\r\nCONTENT-LENGTH: 0"):
            self.assertEqual(self.smuggle(start + lines, b"0\r\n\r\n"), 400, lines)

    def test_lengths_that_are_none(self):
        for length in (b"+5", b"-5", b"0x5", b"5a", b"5 6", b"", b"1e1", b"99999999999999999999999", b"\xd9\xa5", b'"5"'):
            status = self.smuggle(b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: " + length, b"12345")
            self.assertIn(status, (400, 413), length)

    def test_transfer_codings_in_disguise(self):
        for coding in (b"xchunked", b"chunked, identity", b"identity, chunked", b"chunked;q=1", b"gzip", b"gzip, chunked",
                       b"chunked, chunked", b'"chunked"', b"chunked\x00", b"chunked\x0b", b"", b"identity"):
            status = self.smuggle(b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + coding, b"0\r\n\r\n")
            self.assertIn(status, (400, 501), coding)
        twice = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity"
        self.assertEqual(self.smuggle(twice, b"0\r\n\r\n"), 400)
        old = b"POST /v1/jobs HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked"
        self.assertEqual(self.smuggle(old, b"0\r\n\r\n"), 400)

    def test_folded_and_odd_header_lines(self):
        start = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\n"
        for lines in (b"X: y\r\n Content-Length: 5", b"X: y\r\n\tTransfer-Encoding: chunked", b"Content-Length : 5",
                      b"Transfer-Encoding : chunked", b"Content-Length\r\n: 5", b"X: y\nContent-Length: 5", b"X: y\rZ: w",
                      b"X: a\0b", b"X\0: a", b": y", b"X y: z", b"Transfer_Encoding chunked", b"X: \x7f"):
            self.assertEqual(self.smuggle(start + lines, b"12345"), 400, lines)

    def test_chunks_that_lie(self):
        start = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked"
        for body in (b"-1\r\n", b"0x5\r\n12345\r\n", b"5 \r\n12345\r\n", b"+5\r\n12345\r\n", b"5\n12345\r\n",
                     b"5\r\n123456\r\n", b"5\r\n1234\r\n", b"ffffffffffffffff1\r\n", b"5;x=\n\r\n12345\r\n",
                     b"\r\n5\r\n12345\r\n", b"5\r\n12345\n0\r\n"):
            self.assertIn(self.smuggle(start, body), (400, 413), body)

    def test_request_lines(self):
        hosts = b"\r\nHost: x"
        for line in (b"GET  /healthz HTTP/1.1", b"GET /healthz\tHTTP/1.1", b" GET /healthz HTTP/1.1", b"GET /healthz HTTP/1.1 ",
                     b"GET /healthz HTTP/01.1", b"GET /healthz http/1.1", b"GET /heal thz HTTP/1.1", b"GET /healthz",
                     b"GET http://y/healthz HTTP/1.1", b"GET healthz HTTP/1.1",
                     b"GET /healthz#x HTTP/1.1", b"GET /\x80 HTTP/1.1", b"G\xcbT /healthz HTTP/1.1",
                     b"CONNECT y:80 HTTP/1.1", b"TRACE / HTTP/1.1", b"PRI * HTTP/2.0", b"get /healthz HTTP/1.1"):
            self.assertIn(self.smuggle(line + hosts), (400, 404, 405, 501, 505), line)
        for line in (b"", b"\r\nHost: ", b"\r\nHost: x\r\nHost: y", b"\r\nHost: x y", b"\r\nHost: x/../y", b"\r\nHost: <b>"):
            self.assertEqual(self.smuggle(b"GET /healthz HTTP/1.1" + line), 400, line)

    def test_two_tokens(self):
        two = b"GET /v1/whoami HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b"
        self.assertEqual(self.smuggle(two), 400)


class Size(FactoryTest):
    """More than is wanted."""

    def test_large_bodies(self):
        for size in (17 << 20, 1 << 40):
            head = (f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.server.token}\r\n"
                    f"Content-Length: {size}\r\n\r\n").encode()
            self.assertIn(b" 413 ", self.server.raw(head).split(b"\r\n")[0] + b" ")
        with self.server.socket() as peer:
            peer.sendall((f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.server.token}\r\n"
                          "Transfer-Encoding: chunked\r\n\r\n").encode())
            heard, sent, piece = b"", 0, b"10000\r\n" + b"x" * 65536 + b"\r\n"
            peer.settimeout(20)
            try:
                while not heard and sent < 64 << 20:
                    peer.sendall(piece)
                    sent += len(piece)
                    if sent > 16 << 20:
                        peer.settimeout(0.05)
                        try:
                            heard = peer.recv(4096)
                        except TimeoutError:
                            peer.settimeout(20)
            except OSError:
                peer.settimeout(20)
                heard = peer.recv(4096)
            self.assertTrue(heard.startswith(b"HTTP/1.1 413 "), heard)

    def test_large_bodies_without_a_token(self):
        """Memory is for those who are known: without a valid token no large body is taken in."""
        for token in (None, "gw_000000000000_" + "A" * 43, "x"):
            answer = self.server.post("/v1/jobs", b"x" * 200_000, token=token)
            self.assert_status(answer, 401)
            head = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
            if token:
                head += f"Authorization: Bearer {token}\r\n".encode()
            answer = self.server.raw(head + b"\r\n" + b"x" * 65536)
            self.assertTrue(answer.startswith(b"HTTP/1.1 401 "), answer)
        chunked = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"8000\r\n" + b"x" * 32768 + b"\r\n"
        answer = self.server.raw(chunked + (b"8000\r\n" + b"x" * 32768 + b"\r\n") * 4)
        self.assertTrue(answer.startswith(b"HTTP/1.1 401 "), answer)
        job = {"script": "#!/bin/sh\n" + "# padding\n" * 20_000, "name": "large"}
        self.assert_status(self.server.post("/v1/jobs", job), 201)

    def test_large_heads(self):
        for line in ("X: " + "x" * 40_000, "\r\n".join(f"X{index}: y" for index in range(200))):
            answer = self.server.raw(f"GET /healthz HTTP/1.1\r\nHost: x\r\n{line}\r\n\r\n".encode())
            self.assertTrue(answer.startswith(b"HTTP/1.1 431 "), answer[:200])
        answer = self.server.raw(b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 414 "), answer[:200])
        self.assert_status(self.server.get("/healthz", token="x" * 15_000), 200)

    def test_deep_nesting(self):
        """Text that would exhaust the stack of a reader that recurses."""
        deep = "[" * 2_000_000 + "]" * 2_000_000
        objects = '{"a":' * 1_000_000 + "1" + "}" * 1_000_000
        for target in ("/v1/jobs", "/v1/jobs/batch", "/v1/tenants", "/v1/tokens"):
            for body in (deep, objects, '{"jobs":' + deep + "}", '{"jobs":[' + deep + "]}",
                         '{"jobs":[{"name":' + objects + "}]}", deep[:2_000_000], "[" * 100):
                answer = self.server.post(target, body)
                self.assertIn(answer.status, (200, 400, 422), answer.text[:200])
        self.assertTrue(self.server.alive, self.server.log)
        self.assert_status(self.server.get("/v1/summary"), 200)


class Slowness(unittest.TestCase):
    """Peers that take their time, to hold what others need."""

    def test_slow_peers_do_not_stay(self):
        with FactoryServer("--connections", "24") as server:
            peers = [server.socket(60) for _ in range(24)]
            began = time.monotonic()
            try:
                for index, peer in enumerate(peers):
                    if index % 3:
                        peer.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
                time.sleep(0.2)
                refused = server.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                self.assertTrue(refused.startswith(b"HTTP/1.1 503 "), refused)
                # A byte now and then keeps nobody in: the time counts from the first byte to the last of the head.
                while time.monotonic() - began < 9:
                    time.sleep(1)
                    for index, peer in enumerate(peers):
                        if index % 3 == 2:
                            peer.sendall(b"x")
                answers = []
                for peer in peers:
                    peer.settimeout(max(0.1, began + 25 - time.monotonic()))
                    answers.append(peer.recv(4096))
                self.assertLess(time.monotonic() - began, 25)
                for index, answer in enumerate(answers):
                    self.assertTrue(answer.startswith(b"HTTP/1.1 408 ") if index % 3 else answer == b"", answer)
            finally:
                for peer in peers:
                    peer.close()
            end = time.monotonic() + 10
            while server.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")[9:12] != b"200":
                self.assertLess(time.monotonic(), end)

    def test_a_body_that_does_not_come(self):
        with FactoryServer() as server:
            with server.socket(60) as peer:
                peer.sendall(f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token}\r\n"
                             "Content-Length: 100\r\n\r\n{".encode())
                began = time.monotonic()
                for _ in range(50):
                    peer.settimeout(1)
                    try:
                        answer = peer.recv(4096)
                        break
                    except TimeoutError:
                        with_byte = time.monotonic() - began < 25
                        if with_byte:
                            peer.sendall(b" ")
                self.assertTrue(answer.startswith(b"HTTP/1.1 408 "), answer)
                self.assertLess(time.monotonic() - began, 45)

    def test_one_address_cannot_take_every_connection(self):
        with FactoryServer("--connections", "64", "--connections-per-address", "8") as server:
            peers = [server.socket(10) for _ in range(8)]
            try:
                time.sleep(0.1)
                refused = server.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                self.assertTrue(refused.startswith(b"HTTP/1.1 503 "), refused)
                with socket.create_connection(("127.0.0.1", int(server.url.rsplit(":", 1)[1])), 10,
                                              source_address=("127.0.0.2", 0)) as other:
                    other.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                    self.assertTrue(other.recv(4096).startswith(b"HTTP/1.1 200 "))
            finally:
                for peer in peers:
                    peer.close()


class Count(FactoryTest):
    """A small request can ask for a million jobs."""

    OPTIONS = ("--most-jobs", "1000")

    def test_jobs_without_end(self):
        job = {"command": ["true"], "hold": True}
        results = self.server.post("/v1/jobs/batch", {"jobs": [{**job, "array": "0-299"}] * 5}).json["results"]
        self.assertEqual(["error" in result for result in results], [False, False, False, True, True])
        self.assertEqual(results[3]["error"]["code"], "factory_full")
        answer = self.server.post("/v1/jobs", {**job, "array": "0-999999"})
        self.assertEqual((answer.status, answer.code), (429, "factory_full"))
        self.assert_status(self.server.post("/v1/jobs", {**job, "array": "0-1000000"}), 422)
        self.assert_status(self.server.post("/v1/jobs", job), 201)
        self.server.cancel_all()
        self.assert_status(self.server.post("/v1/jobs", {**job, "array": "0-299"}), 201)


class ThreatTable(unittest.TestCase):
    """docs/security.md keeps its word: every test that it names is there, and every test of an attack stands in it."""

    def test_it_names_every_test(self):
        with open(os.path.join(SOURCE, "docs/security.md"), encoding="utf-8") as file:
            named = set(re.findall(r"`(security\w*_test\.py)::(\w+)\.(test_\w+)`", file.read()))
        there = set()
        for path in glob.glob(os.path.join(SOURCE, "tests/cli/security*_test.py")):
            with open(path, encoding="utf-8") as file:
                group = None
                for line in file:
                    if match := re.match(r"class (\w+)\(", line):
                        group = match[1]
                    elif match := re.match(r"    def (test_\w+)\(", line):
                        there.add((os.path.basename(path), group, match[1]))
        there = {entry for entry in there if entry[1] not in ("ThreatTable", "RightsTable")}
        self.assertEqual(named, there)


if __name__ == "__main__":
    unittest.main()
