"""Write to full disks of several sizes: `python -m faults.full_disk`.

Arguments are other sizes, in kilobytes. Needs Linux and the right to create a mount namespace, in which it mounts file
systems in memory.
"""

import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from dataset_helpers import tree
from subprocess_helpers import cli_command

UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"]
SIZES = (4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)
"""Kilobytes."""
COMMANDS = {
    "a picture": ("run", "--n", "30", "--seed", "1", "--out", "digits.png"),
    "an animation": ("run", "--n", "30", "--seed", "1", "--out", "digits.gif"),
    "arrays": ("run", "--n", "100", "--seed", "1", "--out", "digits.npz"),
    "a text and boxes": ("run", "--text", "2026-11-26", "--seed", "1", "--out", "t.png", "--boxes", "boxes.json"),
    "a walk": ("walk", "--seeds", "7", "--out", "walk.gif"),
    "a manifold": ("manifold", "--out", "manifold.png"),
    "a dataset": ("dataset", "digits", "--n", "400", "--seed", "1"),
    "a dataset in one file": ("dataset", "digits", "--n", "400", "--seed", "1", "--kind", "npz"),
    "many files": ("dataset", "digits", "--n", "60", "--seed", "1", "--kind", "png"),
}


def run(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run one of the commands in a folder."""
    return subprocess.run(cli_command(*COMMANDS[name]), cwd=folder, capture_output=True, text=True, timeout=60)


def outcome(name: str, kilobytes: int, wanted: dict[str, bytes]) -> str:
    """Run the command on a disk of this size, then on a larger one; return what happened, in a few words."""
    with tempfile.TemporaryDirectory() as disk:
        mount(disk, f"size={kilobytes}k")
        try:
            done = run(name, Path(disk))
            if done.returncode == 0:
                return "written" if tree(disk) == wanted else "other files"
            if done.returncode != 1 or done.stdout or not re.fullmatch("mnistgen: [^\n]+\n", done.stderr):
                return f"exit {done.returncode}: {done.stdout}{done.stderr}"
            if left := {file for file in tree(disk) if not file.startswith("digits/.unfinished/")}:
                return f"left {left}"
            mount(disk, "remount,size=100m")
            again = run(name, Path(disk))
            return "one line" if tree(disk) == wanted else f"not resumed: {again.stderr}"
        finally:
            subprocess.run(["umount", disk], check=True)


def mount(folder: str, options: str) -> None:
    """Mount a file system in memory at a folder."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)


def fill(sizes: list[int]) -> Counter[str]:
    """Run all commands on disks of these sizes; return how often each outcome is."""
    found: Counter[str] = Counter()
    for name in COMMANDS:
        with tempfile.TemporaryDirectory() as folder:
            run(name, Path(folder))
            wanted = tree(folder)
        assert wanted, f"{name} cannot be written to a disk that is not full"
        found.update(outcome(name, size, wanted) for size in sizes)
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        results = fill([int(size) for size in sys.argv[2:]])
        print(dict(results))
        sys.exit(bool(set(results) - {"written", "one line"}))
    sizes = sys.argv[1:] or [*map(str, SIZES)]
    command = [*UNSHARE, sys.executable, "-m", "faults.full_disk", "--inside", *sizes]
    sys.exit(subprocess.run(command, check=False).returncode)
