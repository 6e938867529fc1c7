"""gw physics validate --html: one page that needs no network, with every subject's points, errors and reasons."""

import json
import os
import re
import shutil
import subprocess
import unittest

from gw_command import FolderTest, gw

TRAINING = ("id,group,model,layers,hidden,ffn,heads,kv_heads,seq,vocab,gpus,gpu_type,tp,pp,vpp,cp,ep,micro_batch,"
            "global_batch,precision,recompute,step_time_s,notes\n"
            "A1,mine,Llama,80,8192,28672,64,8,8192,128256,64,H100 SXM,4,8,5,1,1,1,256,fp8,none,12.5,\n"
            "A2,mine,Llama,80,8192,28672,64,8,8192,128256,128,H100 SXM,4,8,5,1,1,1,256,fp8,none,6.5,\n"
            "A3,</script><b>Kübler,Llama,32,4096,14336,32,8,8192,128256,8,H100 SXM,1,1,,1,1,1,128,bf16,none,20.1,\n"
            "A4,mine,Llama,32,4096,14336,32,8,8192,128256,8,H100 SXM,1,1,,1,1,1,128,bf16,none,,\n")
COLLECTIVES = ("id,group,kind,collective,gpus,nodes,gpus_per_node,gpu_type,fabric,algo,bytes,time_us,busbw_GBs\n"
               "C1,log,measurement,all_reduce,8,1,8,H100 SXM,NVLink4,,1073741824,4029,\n"
               "C2,log,measurement,all_reduce,8,1,8,H100 SXM,NVLink4,,65536,42,\n")


class PhysicsPageTest(FolderTest):
    def written(self):
        self.path("training.csv", TRAINING)
        self.path("collectives.csv", COLLECTIVES)
        page = self.path("page.html")
        result = gw("physics", "validate", "--data", self.folder, "--html", page, "--json")
        if "GW_WEB=OFF" in result.stderr:
            self.skipTest("the page is not built (GW_WEB=OFF)")
        self.assert_exit(result, 0)
        with open(page, encoding="utf-8") as file:
            return page, file.read(), json.loads(result.stdout)

    def test_the_page_holds_every_row_and_loads_nothing(self):
        _, text, report = self.written()
        data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S).group(1))
        training, collectives = data["validation"]
        self.assertEqual(len(training["rows"]), 3)
        self.assertEqual(len(collectives["rows"]), 2)
        for written, printed in zip(training["totals"], report["training"]["totals"], strict=True):
            self.assertEqual((written["name"], written["points"]), (printed["name"], printed["points"]))
            self.assertAlmostEqual(written["mean"], printed["mean"])
        self.assertEqual(training["left_out"], [{"reason": "no step time and no tokens per second", "rows": 1}])
        for row in training["rows"]:
            self.assertAlmostEqual(row["predicted"] / row["measured"] - 1, row["error"], places=4)
            self.assertGreater(row["null_predicted"], 0)
        code = re.sub(r"<!--.*?-->", "", text, flags=re.S)
        self.assertEqual(re.findall(r'(?:src|href)="(?!data:)[^"]*"', re.sub(r"<script>.*?</script>", "", code, flags=re.S)), [])

    def test_the_table_may_not_be_overwritten(self):
        table = self.path("training.csv", TRAINING)
        result = gw("physics", "validate", "--data", self.folder, "--html", table)
        self.assert_refused(result, 1, "training.csv")
        with open(table, encoding="utf-8") as file:
            self.assertEqual(file.read(), TRAINING)

    def test_a_browser_draws_every_chart(self):
        page, _, _ = self.written()
        chromium = shutil.which("chromium")
        if not chromium:
            self.skipTest("chromium is not installed")
        result = subprocess.run(
            [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-logging=stderr",
             "--virtual-time-budget=10000", "--window-size=1280,2000", f"--user-data-dir={self.folder}/profile",
             "--dump-dom", f"file://{page}"],
            capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": self.folder}, check=True)
        self.assertNotIn("CONSOLE", result.stderr)
        self.assertIn('data-errors="0"', result.stdout)
        elements = re.sub(r"<script.*?</script>", "", result.stdout, flags=re.S)
        for chart in ("training-points", "training-null", "training-groups", "training-cells", "collectives-points"):
            begin = elements.find(f'data-chart="{chart}"')
            self.assertGreater(begin, 0, chart)
            drawn = elements[begin:elements.find("</section>", begin)]
            self.assertGreater(drawn.count("<path"), 3, chart)
        for text in ("&lt;/script&gt;&lt;b&gt;Kübler", "no step time and no tokens per second", "Furthest off"):
            self.assertIn(text, elements)


if __name__ == "__main__":
    unittest.main()
