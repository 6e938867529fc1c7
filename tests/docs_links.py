"""The documentation keeps its word: links lead somewhere, named files exist, quoted gw commands and options too."""

import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent / "cli"))
from gw_command import commands, gw  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ("src", "web", "catalog", "scenarios", "schema", "tests", "fuzz", "bench", "packaging", "tools", "cmake", "docs")
PAGES = sorted(page for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def without_blocks(text):
    """The text without fenced code, its lines kept."""
    lines, fenced = [], False
    for line in text.splitlines():
        fence = line.lstrip().startswith("```")
        lines.append("" if fenced or fence else line)
        fenced ^= fence
    return lines


def anchor(heading):
    """The anchor that GitHub and GitLab give a heading."""
    kept = re.sub(r"[^\w\- ]", "", re.sub(r"`|\[|\]\([^)]*\)", "", heading).strip().lower())
    return kept.replace(" ", "-")


def anchors(page):
    found = set()
    for line in without_blocks(page.read_text()):
        if match := re.match(r"#+ (.*)", line):
            name, number = anchor(match[1]), 0
            while (name if number == 0 else f"{name}-{number}") in found:
                number += 1
            found.add(name if number == 0 else f"{name}-{number}")
    return found


def quoted_commands(page):
    """(line number, words) of each gw command in code, fenced or inline."""
    fenced = joined = False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced ^= True
            continue
        if fenced or line.startswith("    "):
            spans = [] if joined else re.findall(r"(?:^\s*|[|;&] ?|\$ )(gw(?: [^|;&#]*)?)", line)
            joined = line.endswith("\\")
        else:
            spans = re.findall(r"`(gw [^`]*)`", line)
        for span in spans:
            yield number, span.rstrip("\\").split()[1:]


class Documentation(unittest.TestCase):
    def setUp(self):
        self.problems = []

    def tearDown(self):
        self.assertEqual(self.problems, [], "\n" + "\n".join(self.problems))

    def report(self, page, line, text):
        self.problems.append(f"{page.relative_to(ROOT)}:{line}: {text}")

    def test_there_are_pages(self):
        self.assertIn(ROOT / "README.md", PAGES)
        self.assertGreater(len(PAGES), 5)

    def test_links(self):
        for page in PAGES:
            for number, line in enumerate(without_blocks(page.read_text()), 1):
                for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line)):
                    if re.match(r"https?://|mailto:", target):
                        continue
                    path, _, fragment = target.partition("#")
                    file = (page.parent / path).resolve() if path else page
                    if not file.exists():
                        self.report(page, number, f"{target} leads nowhere")
                    elif fragment and fragment not in anchors(file):
                        self.report(page, number, f"{target}: there is no such heading")

    def test_named_files(self):
        pattern = re.compile(r"`((?:%s)/[\w./*-]*)`" % "|".join(FOLDERS))
        for page in PAGES:
            for number, line in enumerate(without_blocks(page.read_text()), 1):
                for path in pattern.findall(line):
                    if not list(ROOT.glob(path.rstrip("/"))):
                        self.report(page, number, f"there is no {path}")

    def test_commands(self):
        known = {" ".join(words) for words in commands()} | {"man"}  # Which help does not list.
        self.assertIn("replay", known)
        helps, count = {}, 0
        for page in PAGES:
            for number, words in quoted_commands(page):
                path = []
                while words and re.fullmatch(r"[a-z]+", words[0]) and " ".join([*path, words[0]]) in known:
                    path.append(words.pop(0))
                count += 1
                if not path and words and not words[0].startswith("-"):
                    self.report(page, number, f"gw has no command {words[0]}")
                    continue
                key = " ".join(path)
                if key not in helps:
                    helps[key] = gw(*path, "--help").stdout
                for word in words:
                    option = word.split("=")[0].rstrip(".,")
                    if re.fullmatch(r"--[a-z][a-z-]*", option) and not re.search(
                        rf"(?<![\w-]){option}(?![\w-])", helps[key]
                    ):
                        self.report(page, number, f"gw {key} has no option {option}")
        self.assertGreater(count, 10)


if __name__ == "__main__":
    unittest.main()
