"""Load damaged ONNX files, and draw with those that pass the checks: `python -m faults.model_storm 10000`.

A child process does it with little memory, because ONNX Runtime is written in C++ and may crash. Needs a POSIX system.
"""

import random
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from test_model_file import DENSE, DRAW, SHAPE, custom

import mnistgen
from mnistgen.manifest import artifacts_folder

MEMORY = 4 << 30
"""Bytes that the child may use."""
SECONDS = 5.0
"""Limit of a run."""


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Flip a few bytes of `content`, or cut out, repeat or insert a piece."""
    damaged = bytearray(content)
    for _ in range(chance.choice([0, 1, 1, 2, 5])):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    at, size = chance.randrange(len(damaged)), chance.choice([1, 2, 8, 100])
    kind = chance.choice(["keep"] * 8 + ["cut", "repeat", "insert", "end"])
    if kind == "cut":
        del damaged[at : at + size]
    elif kind == "repeat":
        damaged[at:at] = damaged[at : at + size]
    elif kind == "insert":
        damaged[at:at] = chance.randbytes(size)
    elif kind == "end":
        del damaged[at:]
    return bytes(damaged)


def outcome(path: Path) -> str:
    """Load and draw; return "drawn" or the error's code."""
    try:
        mnistgen.Generator.from_file(path, device="cpu", threads=1, timeout=SECONDS).generate(3)
    except mnistgen.MnistgenError as error:
        return error.code
    return "drawn"


def child(first: int, last: int, folder: Path) -> None:
    """Print the outcome of each file; a number without an outcome is the file that ended the process."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    # The bytes at either end hold nodes, shapes and metadata; those between are weights, which may be anything.
    small, vae = custom(folder / "whole.onnx", DRAW, [DENSE, SHAPE]), artifacts_folder() / "vae.onnx"
    models = [(small.read_bytes(), 150), (vae.read_bytes(), 1500)]
    for number in range(first, last):
        chance = random.Random(number)
        content, edge = chance.choice(models)
        at = chance.choice([0, len(content) - edge])
        damaged = content[:at] + mutated(content[at : at + edge], chance) + content[at + edge :]
        path = folder / "damaged.onnx"
        path.write_bytes(damaged)
        print(number, end=" ", flush=True)
        print(outcome(path), flush=True)


def storm(count: int, folder: Path) -> Counter[str]:
    """Return how often each outcome is; "crashed" if ONNX Runtime ended the process."""
    found: Counter[str] = Counter()
    number = 0
    while number < count:
        command = [sys.executable, "-m", "faults.model_storm", "--inside", str(number), str(count), str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=3600)
        lines = [line.split() for line in done.stdout.splitlines()]
        found.update(line[1] for line in lines if len(line) == 2)
        if done.returncode == 0:
            break
        if done.returncode > 0:  # an exception of Python
            raise AssertionError(f"file {lines[-1][0]}: {done.stderr}")
        found["crashed"] += 1
        number = int(lines[-1][0]) + 1
    return found


if __name__ == "__main__":
    if sys.argv[1] == "--inside":
        child(int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            results = storm(int(sys.argv[1]), Path(temporary))
        print(dict(results.most_common()))
