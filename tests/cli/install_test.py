"""An installed gw works from any prefix: it finds its data beside itself, not in the tree it was built from."""

import os
import subprocess
import tempfile
import unittest

from gw_command import GwTest


class Install(GwTest):
    def test_installed_tree(self):
        with tempfile.TemporaryDirectory() as folder:
            prefix = os.path.join(folder, "some where")
            subprocess.run([os.environ["CMAKE"], "--install", os.environ["GW_BUILD_DIR"], "--prefix", prefix], check=True,
                           capture_output=True)
            for path in ["bin/gw", "share/man/man1/gw.1", "share/bash-completion/completions/gw",
                         "share/zsh/site-functions/_gw", "share/fish/vendor_completions.d/gw.fish",
                         "share/doc/gigawerk/LICENSE"]:
                self.assertGreater(os.path.getsize(os.path.join(prefix, path)), 100, path)
            installed = os.path.join(prefix, "bin/gw")
            result = subprocess.run([installed, "--version"], capture_output=True, text=True)
            self.assertEqual(result.returncode, 0)
            for data in ["catalog", "scenarios"]:
                if os.path.isdir(os.path.join(os.environ["GW_SOURCE_DIR"], data)):
                    self.assertTrue(os.listdir(os.path.join(prefix, "share/gigawerk", data)))


if __name__ == "__main__":
    unittest.main()
