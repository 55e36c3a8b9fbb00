"""Test the runtime on emulated 64-bit ARM processors: `python -m arm.emulate`.

Arguments are the processors, by default all. Needs Debian or Ubuntu. Downloads are kept in .arm/.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from arm.root import PROCESSORS, ROOT, build, missing_packages, write_cpuinfo

FOLDER = ROOT / ".arm"
TESTS = ("test_errors.py", "test_images.py", "test_labels.py", "test_model_file.py")
"""Tests without pictures of whole models, which `arm.pictures` draws once, and with few processes.

Emulation is 10 to 50 times slower. Left out: the Philox vectors of test_latents.py (a minute for each processor),
test_formats.py (two minutes), the hundreds of images of test_interpolation.py, the thousands of test_engine.py,
datasets, the server, and everything that starts dozens of processes.
"""


def chosen(names: list[str]) -> list[str]:
    """Return the processors to emulate; exit with one line if a name is unknown or a package is missing."""
    if unknown := [name for name in names if name not in PROCESSORS]:
        sys.exit(f"The processor is {unknown[0]}; expected one of {', '.join(PROCESSORS)}.")
    if packages := missing_packages():
        sys.exit(f"Programs are missing. Run apt-get install {' '.join(packages)} (Debian, Ubuntu).")
    return names or list(PROCESSORS)


def emulator(processor: str, folder: Path = FOLDER) -> list[str]:
    """Return the command line that runs the ARM Python on an emulated processor.

    `python` in `folder` starts the same emulator, so that tests can start processes with sys.executable.
    """
    root, python = folder / "root", folder / "python"
    command = ["qemu-aarch64-static", "-cpu", processor, "-L", str(root), "-0", str(python)]
    command += [str(root / "usr" / "bin" / "python3.11"), "-S"]
    python.write_text("#!/bin/sh\nexec " + " ".join(f"'{part}'" for part in command) + ' "$@"\n')
    python.chmod(0o755)
    return command


def check(processor: str, steps: dict[str, list[str]]) -> bool:
    """Run the steps on one processor; return whether all pass."""
    write_cpuinfo(FOLDER / "root", processor)
    paths = [FOLDER / "site", ROOT / "runtime", ROOT / "tests"]
    # -L looks up every path below the root first, so that /usr is the root's folder.
    settings = {"PYTHONHOME": "/usr", "PYTHONPATH": os.pathsep.join(map(str, paths)), "ORT_DISABLE_TELEMETRY": "1"}
    passed = True
    for name, arguments in steps.items():
        print(f"{processor}: {name}", flush=True)
        started = time.monotonic()
        done = subprocess.run([*emulator(processor), *arguments], cwd=ROOT, env={**os.environ, **settings}, check=False)
        passed &= done.returncode == 0
        print(f"  exit code {done.returncode}, {time.monotonic() - started:.0f} s", flush=True)
    return passed


def main() -> None:
    """Build the root, then draw the pictures and run the tests on each processor."""
    processors = chosen(sys.argv[1:])
    build(FOLDER)
    tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *(f"tests/{name}" for name in TESTS)]
    steps = {"pictures of all models": ["-m", "arm.pictures"], "tests": tests}
    failed = [each for each in processors if not check(each, steps)]
    sys.exit(f"Failed on {', '.join(failed)}." if failed else 0)


if __name__ == "__main__":
    main()
