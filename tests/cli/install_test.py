"""An installed gw works from any prefix: it finds its data beside itself, not in the tree it was built from."""

import os
import subprocess
import tempfile
import unittest

from gw_command import GwTest


class Install(GwTest):
    def serve(self, installed, folder):
        """Serves, and runs a job: its supervisor is found beside it."""
        surroundings = {"XDG_STATE_HOME": folder, "HOME": folder, "PATH": os.environ["PATH"]}
        server = subprocess.Popen([installed, "serve", "--port", "0"], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, env=surroundings)
        try:
            self.assertIn(b"ready at", server.stdout.readline())
            job = subprocess.run([installed, "run", "--", "echo", "from a job"], capture_output=True, text=True,
                                 env=surroundings)
            self.assertEqual((job.returncode, job.stdout), (0, "from a job\n"), job.stderr)
        finally:
            server.terminate()
            server.wait()
            server.stdout.close()

    def test_installed_tree(self):
        with tempfile.TemporaryDirectory() as folder:
            prefix = os.path.join(folder, "some where")
            subprocess.run([os.environ["CMAKE"], "--install", os.environ["GW_BUILD_DIR"], "--prefix", prefix], check=True,
                           capture_output=True)
            for path in ["bin/gw", "share/man/man1/gw.1", "share/bash-completion/completions/gw",
                         "share/zsh/site-functions/_gw", "share/fish/vendor_completions.d/gw.fish",
                         "share/doc/gigawerk/LICENSE", "share/doc/gigawerk/copyright"]:
                self.assertGreater(os.path.getsize(os.path.join(prefix, path)), 100, path)
            installed = os.path.join(prefix, "bin/gw")
            result = subprocess.run([installed, "--version"], capture_output=True, text=True)
            self.assertEqual(result.returncode, 0)
            # Away from the tree, and a copy looks for its data beside itself only.
            def run(*words):
                surroundings = {k: v for k, v in os.environ.items() if k != "GIGAWERK_SHARE"}
                done = subprocess.run([installed, *words], capture_output=True, text=True, cwd=folder, env=surroundings)
                self.assertEqual(done.returncode, 0, done.stderr)
                return done
            self.assertIn("b200", run("catalog", "gpus").stdout)
            log = os.path.join(folder, "one.swf")
            with open(log, "w") as file:
                file.write("1 0 -1 9 1 -1 -1 1 9 -1 1 1 1 -1 1 -1 -1 -1\n")
            replayed = run("replay", log, "--procs", "4", "--out", "out")
            run("simulate", os.path.join(prefix, "share/gigawerk/scenarios/small-cluster.yaml"), "--days", "0.1")
            self.serve(installed, folder)
            page = os.path.join(prefix, "share/gigawerk/report/report.html.in")
            built = os.path.exists(os.path.join(os.environ["GW_BUILD_DIR"], "share/gigawerk/report/report.html.in"))
            self.assertEqual(os.path.exists(page), built)
            self.assertEqual(os.path.exists(os.path.join(folder, "out/report.html")), built, replayed.stderr)
            self.assertTrue(os.path.getsize(os.path.join(prefix, "share/gigawerk/schema/scenario.schema.json")))
            if built:
                with open(os.path.join(folder, "out/report.html"), encoding="utf-8") as file:
                    text = file.read()
                for notice in ("Apache Software Foundation", "zrender, LICENSE"):
                    self.assertIn(notice, text)
            for data in ["catalog", "scenarios"]:
                if os.path.isdir(os.path.join(os.environ["GW_SOURCE_DIR"], data)):
                    self.assertTrue(os.listdir(os.path.join(prefix, "share/gigawerk", data)))


if __name__ == "__main__":
    unittest.main()
