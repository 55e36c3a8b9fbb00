"""Run shell examples from the docs, with stubs in place of programs that install, train or serve."""

import json
import os
import re
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from unittest import mock

import click
from click.testing import CliRunner
from conftest import ROOT

import mnistgen
from mnistgen.cli import group
from mnistgen.cli.run import command as run_command

COMMANDS = {"mnistgen": group.mnistgen, "mnistgen-run": run_command}
STUBS = [
    *("pip", "python", "python3", "make", "npm", "node", "git", "curl"),
    *("torchrun", "opentelemetry-instrument", "pyinstaller", "tk_pad", "model_signing", "kubectl", "tritonserver"),
]
STUB = """#!/bin/sh
printf '%s\\037' "${0##*/}" "$@" >> "$CALLS"; printf '\\036' >> "$CALLS"
"""
FASTER = {
    "dataset": ["--n", "60", "--test", "10"],
    "shards": ["--n", "60", "--shards", "6"],
    "bench": ["--seconds", "0", "--batch", "1"],
}
"""Options appended to commands that otherwise take a minute."""
SCRIPT = f"""#!{sys.executable}
import sys
from mnistgen.cli import main, main_run
sys.argv += {FASTER}.get("shards" if "--shards" in sys.argv else "".join(sys.argv[1:2]), [])
main() if sys.argv[0].endswith("mnistgen") else main_run()
"""


def run_shell(code: str, folder: Path, dry: bool = False) -> None:
    """Run Bash code in `folder`, laid out like a checkout; check the arguments of each stub that it calls.

    Args:
        code: Lines for Bash.
        folder: The current directory and home directory. The first call fills it.
        dry: Whether `mnistgen` is a stub, too.
    """
    binaries, calls = folder / ".venv" / "bin", folder / ".calls"
    if not binaries.exists():
        for new in (
            binaries,
            folder / "artifacts" / "samples",
            folder / "artifacts" / "weights",
            folder / "tests" / "golden",
            folder / "dist",
        ):
            new.mkdir(parents=True)
        for file in (*(ROOT / "artifacts").glob("*.onnx"), ROOT / "artifacts" / "manifest.json"):
            (folder / "artifacts" / file.name).symlink_to(file)
        (binaries / "activate").touch()
        (folder / "dist" / "tk_pad").symlink_to(binaries / "tk_pad")
    for name in (*STUBS, *COMMANDS):
        (binaries / name).write_text(STUB if dry or name in STUBS else SCRIPT)
        (binaries / name).chmod(0o755)
    calls.write_text("")
    environment = {
        **os.environ,
        "CALLS": str(calls),
        "HOME": str(folder),
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(Path(mnistgen.__file__).parents[1]),
    }
    command = ["bash", "-euxo", "pipefail", "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for call in calls.read_text().split("\036")[:-1]:
        check_call(*call.split("\037")[:-1])


def check_call(*call: str) -> None:
    """Check that modules, options, files and targets named by a command exist."""
    match call:
        case ["mnistgen" | "mnistgen-run" as name, *options]:
            parse(COMMANDS[name], options)
        case ["python" | "python3", "-m", "pip", *options]:
            check_call("pip", *options)
        case ["python" | "python3", "-m", module, *options] if module.startswith(("training.", "export.")):
            path = ROOT / module.replace(".", "/")
            assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module
            if find_spec("torch"):
                parse(main_of(module), options)
        case ["python" | "python3", "-m", module, *_]:
            assert find_spec(module), module
        case ["pip", *options]:
            extras = re.findall(r"(?<!\S)(?:\.|mnistgen)\[(.+?)\]", " ".join(options))
            project = (ROOT / "pyproject.toml").read_text()
            assert all(f"\n{extra} = [" in project for extra in ",".join(extras).split(",") if extra), extras
            assert all((ROOT / file).is_file() for option, file in pairwise(options) if option in ("-c", "-r")), options
        case ["make", *targets]:
            rules = (ROOT / "Makefile").read_text()
            names = [re.sub(r"^(\w+)=.*", r"\1 \\?", target) for target in targets]  # a target, or a variable and ?=
            assert all(re.search(rf"^{name}[:=]", rules, re.M) for name in names), targets
        case ["node", script, *options]:
            text = (ROOT / script).read_text()
            assert all(f"  {option} " in text for option in options if option.startswith("--")), options
        case ["curl", *_, address]:
            assert address.startswith(("http://127.0.0.1:8029/v1/", "http://127.0.0.1:8029/v2/")), (
                address
            )  # of `mnistgen serve`
        case ["kubectl", "apply", "-k" | "-f" as option, path]:
            assert (ROOT / path / "kustomization.yaml" if option == "-k" else ROOT / path).is_file(), path
        case ["torchrun", "--nproc-per-node", count, "-m", *command]:
            assert count.isdecimal() or count == "gpu", count
            check_call("python", "-m", *command)
        case ["opentelemetry-instrument", "--service_name", _, *command]:
            check_call(*command)
        case ["npm", "ci", "--prefix", path] | ["git", "checkout", path]:
            assert (ROOT / path).exists(), path
            assert call[0] == "git" or (ROOT / path / "package-lock.json").is_file(), path
        case ["npm", "--prefix", path, "run", name]:
            assert name in json.loads((ROOT / path / "package.json").read_text())["scripts"], name
        case ["python" | "python3", script, *_] | ["pyinstaller", *_, script]:
            assert (ROOT / script).is_file(), script
        case (
            ["git", "tag", _]
            | ["git", "push", "origin", _]
            | ["git", "clone", "--depth", "1"]
            | ["tk_pad"]
            | ["npm", "pack", "./web"]
            | ["npm", "publish", "./mnistgen-0.1.0.tgz"]
            | ["npm", "install", "./mnistgen-0.1.0.tgz", *_]
            | ["model_signing", "sign" | "verify", *_]
            | ["tritonserver", "--model-repository", _]
        ):
            pass
        case _:
            raise AssertionError(f"cannot check {call}; add a case to {__file__}")


def main_of(module: str) -> click.Command:
    """Return the click command behind `python -m module`."""
    main = f"{module}.__main__"
    return import_module(main if hasattr(import_module(module), "__path__") else module).main


def parse(command: click.Command, options: list[str]) -> None:
    """Parse the options without running the command; files need not exist."""
    with (
        mock.patch.object(click.Command, "invoke"),
        mock.patch.object(click.Path, "convert", lambda self, value, *_: value),
    ):
        result = CliRunner().invoke(command, options)
    assert result.exit_code == 0, result.output
