"""What is typed into a shell: which lines are run, and what is held of those that are not."""

import contextlib
import os
import re
import shlex
import subprocess
import sys
import tomllib
import venv
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from unittest import mock

import click
from conftest import ROOT

import mnistgen
from mnistgen import cli
from mnistgen.cli import COMMANDS, shared
from mnistgen.cli.run import command as run_command

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OWN: dict[str, click.Command] = {"mnistgen": cli.mnistgen, "mnistgen-run": run_command}
SMALLER = {"dataset": ["--n", "60", "--test", "10"], "bench": ["--seconds", "0", "--batch", "1"]}
"""Commands that may take a minute as they are typed: they are parsed, and then run with these options as well."""


def split(line: str) -> list[list[str]]:
    """The commands of a line as their words, without variables before them and files after < or >."""
    reader = shlex.shlex(line, posix=True, punctuation_chars=True)
    reader.whitespace_split = True
    commands: list[list[str]] = [[]]
    is_file = False
    for word in reader:
        is_operator = set(word) <= set("();<>|&")
        if is_operator and word[0] not in "<>":
            commands.append([])
        elif not (is_operator or is_file or (not commands[-1] and (word == "do" or re.match(r"\w+=", word)))):
            commands[-1].append(word)
        is_file = is_operator and word[0] in "<>"
    return [words for words in commands if words]


def program(words: list[str]) -> str:
    """What a command starts, such as python for .venv/bin/python3."""
    return Path(words[0]).name.replace("python3", "python")


def try_out(line: str, environment: dict[str, str]) -> None:
    """Run the line in the current folder, or check it where CHECKS says so; AssertionError tells what is wrong."""
    commands = split(line)
    if any(program(words) in CHECKS for words in commands):
        check(line)
    elif is_plain(line):
        run_own(*commands[0])
    else:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def is_plain(line: str) -> bool:
    """Whether it is a single command of mnistgen's, with nothing for the shell to do."""
    commands = split(line)
    words = shlex.split(line, comments=True)
    return commands == [words] and program(words) in OWN and not re.search(r"[$~*]", "".join(words))


def run_own(name: str, *words: str) -> None:
    """Run a command of mnistgen's in this process."""
    name = Path(name).name
    smaller = SMALLER.get(words[0], [])
    if smaller:
        check_own(OWN[name], list(words))
    assert shared.call(OWN[name], name, [*words, *smaller]) == 0, "it ended with another exit code than 0"


def check(line: str) -> None:
    """Parse what the line gives to each command, or hold of it what CHECKS says."""
    for words in split(line):
        name = program(words)
        if name in OWN:
            check_own(OWN[name], words[1:])
        else:
            assert name in CHECKS, f"{name} is neither run nor checked: say how in tests/shell.py."
            CHECKS[name](words[1:])


def check_own(command: click.Command, words: list[str]) -> None:
    """Parse the words; what the command does not know or take raises click's UsageError."""
    if isinstance(command, click.Group) and words and words[0] in COMMANDS:
        chosen = command.get_command(click.Context(command), words[0])
        assert chosen is not None
        check_own(chosen, words[1:])
    else:
        unseen = mock.patch.object(shared.EXISTING_FILE, "exists", False)  # what a line before would have written
        with unseen, contextlib.suppress(click.exceptions.Exit):  # by --help
            command.make_context(command.name or "", list(words))


def check_python(words: list[str]) -> None:
    match words:
        case ["-m", "pip", *rest]:
            check_pip(rest)
        case ["-m", module, *rest] if module.startswith(("training.", "export.")):
            check_file(f"{module.replace('.', '/')}.py")
            if find_spec("torch"):  # else it cannot be imported
                check_own(import_module(module).main, rest)
        case ["-m", module, *_]:
            assert find_spec(module), f"there is no module {module}"
        case [script, *_]:
            check_file(script)


def check_pip(words: list[str]) -> None:
    """Files that are named are there, and extras of mnistgen's; other packages are PyPI's affair."""
    assert words[0] in {"install", "uninstall", "download", "wheel"}, words
    for option, word in pairwise(words):
        if option == "-c":
            check_file(word)
        if own := re.fullmatch(r"(?:\.|mnistgen)\[(.+)\]", word):
            assert set(own[1].split(",")) <= {*PROJECT["optional-dependencies"]}, f"there is no such extra: {word}"


def check_make(words: list[str]) -> None:
    rules = check_file("Makefile")
    for target in words:
        assert re.search(rf"^{re.escape(target)}:", rules, re.MULTILINE), f"there is no target {target}"


def check_npm(words: list[str]) -> None:
    assert words[:2] == ["ci", "--prefix"], words
    check_file(f"{words[2]}/package-lock.json")


def check_node(words: list[str]) -> None:
    script = check_file(words[0])
    for word in words[1:]:
        assert not word.startswith("--") or f"  {word} " in script, f"{words[0]} does not know {word}"


def check_git(words: list[str]) -> None:
    match words:
        case ["checkout", path]:
            assert (ROOT / path).exists(), f"there is no {path}"
        case ["tag", version]:
            assert re.fullmatch(r"v\d+\.\d+\.\d+", version), f"{version} is no version"
        case _:
            raise AssertionError(f"git {words[0]} is not known here")


def check_file(path: str) -> str:
    assert (ROOT / path).is_file(), f"there is no file {path}"
    return (ROOT / path).read_text(encoding="utf-8")


CHECKS: dict[str, Callable[[list[str]], object]] = {
    "python": check_python,  # trains, exports or serves; none of it takes seconds
    "pip": check_pip,  # needs a network, as the next one does
    "npm": check_npm,
    "make": check_make,
    "git": check_git,  # changes the checkout
    "node": check_node,  # run by tests/test_examples.py, as the next two are
    "pyinstaller": lambda words: check_file(words[-1]),
    "tk_pad": lambda words: check_file("examples/tk_pad.py"),  # of which PyInstaller makes it
}
"""Programs that are not started, and what is held of the words behind them."""


def set_up(folder: Path) -> dict[str, str]:
    """Make the folder what a checkout is to a reader, as far as commands need it; the environment of a shell there."""
    (folder / "artifacts" / "samples").mkdir(parents=True)
    (folder / "tests" / "golden").mkdir(parents=True)
    for file in (*(ROOT / "artifacts").glob("*.onnx"), ROOT / "artifacts" / "manifest.json"):
        (folder / "artifacts" / file.name).symlink_to(file)
    venv.create(folder / ".venv", symlinks=True)
    for name, target in PROJECT["scripts"].items():  # as pip writes them
        module, function = target.split(":")
        script = folder / ".venv" / "bin" / name
        script.write_text(f"#!{sys.executable}\nfrom {module} import {function}\n{function}()\n")
        script.chmod(0o755)
    runtime = str(Path(mnistgen.__file__).parents[1])
    path = f"{folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "HOME": str(folder), "PATH": path, "PYTHONPATH": runtime}
