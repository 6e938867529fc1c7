"""Completion in real shells, and the manual page."""

import os
import shutil
import subprocess
import tempfile
import unittest

from gw_command import GW, GwTest, commands, gw


def complete_in_bash(line, folder="."):
    """What bash offers at the end of `line`."""
    script = f"""
        source <({GW} completion bash)
        read -r -a COMP_WORDS <<<"$1"
        [[ $1 == *' ' ]] && COMP_WORDS+=('')
        COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _gw
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    result = subprocess.run(["bash", "-c", script, "bash", line], capture_output=True, text=True, cwd=folder, timeout=60)
    assert result.stderr == "", result.stderr
    return result.stdout.split()


def complete_in_fish(line, folder="."):
    script = f'{GW} completion fish | source; complete -C "$argv[1]"'
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "HOME": home, "XDG_CONFIG_HOME": home, "XDG_DATA_HOME": home}
        result = subprocess.run(["fish", "--no-config", "-c", script, line], capture_output=True, text=True, cwd=folder,
                                env=env, timeout=60)
    assert result.stderr == "", result.stderr
    return [each.split("\t")[0] for each in result.stdout.splitlines()]


# zsh completes only in an interactive line editor: one is run on a pseudo-terminal, and its list read back.
ZSH = r"""
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "RPROMPT= LISTMAX=1000"
zpty -w shell "autoload -Uz compinit && compinit -u -D"
zpty -w shell "zstyle ':completion:*' list-separator '--' ; setopt no_always_last_prompt no_list_beep"
zpty -w shell "source =(${1} completion zsh); bindkey '^I' list-choices"
# Its prompt means that the line editor listens: what is typed earlier is lost. Quoted, so that its echo is not it.
zpty -w shell "PROMPT='RE''ADY>'"
zpty -r shell out '*READY>*'
zpty -n -w shell "$2"$'\t'
zpty -w shell $'\x15'"echo DO''NE"
zpty -r shell out '*DONE*'
print -r -- "$out"
"""


def complete_in_zsh(line, folder="."):
    env = {**os.environ, "TERM": "dumb", "COLUMNS": "300", "LINES": "200"}
    result = subprocess.run(["zsh", "-f", "-c", ZSH, "zsh", GW, line], capture_output=True, text=True, cwd=folder, env=env,
                            timeout=60)
    return result.stdout


class Completion(GwTest):
    def test_bash_commands(self):
        offered = complete_in_bash("gw ")
        self.assertEqual(sorted(offered), sorted(words[0] for words in commands() if len(words) == 1))
        self.assertEqual(complete_in_bash("gw vers"), ["version"])

    def test_bash_options(self):
        self.assertEqual(sorted(complete_in_bash("gw version -")), ["--help", "--json", "-h"])
        self.assertEqual(complete_in_bash("gw version --js"), ["--json"])

    def test_bash_words(self):
        self.assertEqual(complete_in_bash("gw completion "), ["bash", "zsh", "fish"])
        self.assertEqual(complete_in_bash("gw completion z"), ["zsh"])
        self.assertEqual(complete_in_bash("gw help vers"), ["version"])

    def test_bash_every_command_offers_its_options(self):
        for words in commands():
            with self.subTest(words):
                self.assertIn("--help", complete_in_bash(f"gw {' '.join(words)} --he"))

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed")
    def test_fish(self):
        self.assertEqual(sorted(complete_in_fish("gw ")), sorted(words[0] for words in commands() if len(words) == 1))
        self.assertEqual(complete_in_fish("gw version --js"), ["--json"])
        self.assertEqual(sorted(complete_in_fish("gw completion ")), ["bash", "fish", "zsh"])

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh(self):
        offered = complete_in_zsh("gw ")
        for words in commands():
            if len(words) == 1:
                self.assertRegex(offered, rf"\b{words[0]} +--")
        self.assertIn("--json", complete_in_zsh("gw version --"))
        self.assertRegex(complete_in_zsh("gw completion "), r"bash +fish +zsh")


class Manual(GwTest):
    def test_names_every_command_and_option(self):
        page = gw("man").stdout.replace("\\-", "-")
        for words in commands():
            with self.subTest(words):
                self.assertIn(f'.SS "gw {" ".join(words)} ', page)
                offered = complete_in_bash(f"gw {' '.join(words)} -")
                for option in offered:
                    self.assertIn(option, page)

    @unittest.skipUnless(shutil.which("groff"), "groff is not installed")
    def test_is_valid_roff(self):
        result = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z"], input=gw("man").stdout, capture_output=True,
                                text=True)
        self.assertEqual(result.stderr, "")


if __name__ == "__main__":
    unittest.main()
