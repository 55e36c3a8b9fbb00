"""Build a folder with Debian's Python and PyPI's wheels for 64-bit ARM. Nothing in it runs while it is built.

apt checks Debian's packages against the signatures of Debian's archive; pip checks each wheel against its hash in
requirements/.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "requirements"
SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
DEBIAN = ("python3.11", "libstdc++6")
TOOLS = {"qemu-aarch64-static": "qemu-user-static", "mmdebstrap": "mmdebstrap"}
"""Programs, and the package of Debian that holds each."""
TESTING = ("pytest", "iniconfig", "pluggy", "pygments", "hypothesis", "sortedcontainers")
"""Packages of requirements/dev.txt that the tests need."""
PLATFORMS = tuple(f"manylinux{each}_aarch64" for each in ("_2_28", "_2_27", "_2_17", "2014"))
"""Tags of wheels that run with Debian's C library; pip takes each literally, without older ones."""
PROCESSORS = {
    "cortex-a72": ("0xd08", "fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid"),
    "cortex-a76": ("0xd0b", "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm asimddp"),
    "max": (
        "0x051",
        "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm asimddp sve i8mm bf16",
    ),
}
"""QEMU's name of each processor, its part number and its features as Linux writes them."""


def missing_packages() -> list[str]:
    """Return Debian's packages whose programs are not installed."""
    return [package for program, package in TOOLS.items() if shutil.which(program) is None]


def requirements() -> str:
    """Return the runtime's and the tests' packages, each with its version and hashes, as a file for pip."""
    cpu, dev = (_packages((REQUIREMENTS / name).read_text(encoding="utf-8")) for name in ("cpu.txt", "dev.txt"))
    return "".join([*cpu.values(), *(dev[name] for name in TESTING)])


def _packages(text: str) -> dict[str, str]:
    """Return the lines of each package in a file of requirements/."""
    parts = re.split(r"^(?=[a-z0-9-]+==)", text, flags=re.MULTILINE)[1:]
    return {part.partition("==")[0]: part for part in parts}


def build(folder: Path) -> None:
    """Download and unpack what is not yet in `folder`: `root/` with Debian, `site/` with the wheels."""
    folder.mkdir(exist_ok=True)
    _step(folder / "root", DEBIAN, _unpack_debian)
    _step(folder / "site", requirements(), _unpack_wheels)


def _step(target: Path, wanted: object, unpack) -> None:
    """Fill the folder `target`, unless a finished run did it with the same contents."""
    done = target.with_suffix(".done")
    if done.exists() and done.read_text() == str(wanted):
        return
    print(f"Downloading {target.name}/ ...", flush=True)
    done.unlink(missing_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    unpack(target)
    done.write_text(str(wanted))


def _unpack_debian(target: Path) -> None:
    # The variant `extract` unpacks packages and runs no program from them: neither root nor binfmt is needed. A file
    # of its own as the source keeps the settings of this computer's apt out.
    archive = target.with_suffix(".tar")
    source = f"deb [signed-by={KEYRING}] {MIRROR} {SUITE} main"
    options = ["--mode=chrootless", "--variant=extract", "--arch=arm64", f"--include={','.join(DEBIAN)}"]
    subprocess.run(["mmdebstrap", "--quiet", *options, SUITE, archive, source], check=True)
    target.mkdir()
    subprocess.run(["tar", "-x", "--no-same-owner", "--exclude=./dev/*", "-f", archive, "-C", target], check=True)
    archive.unlink()
    (target / "proc").mkdir(exist_ok=True)


def _unpack_wheels(target: Path) -> None:
    wanted, wheels = target.with_name("requirements.txt"), target.with_name("wheels")
    wanted.write_text(requirements())
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    tags = ["--python-version=3.11", "--implementation=cp", "--abi=cp311", "--abi=abi3", "--abi=none"]
    tags += [f"--platform={each}" for each in PLATFORMS]
    common = ["--no-deps", "--require-hashes", "--only-binary=:all:", *tags, "-r", str(wanted)]
    subprocess.run([*pip, "download", *common, "-d", str(wheels)], check=True)
    local = ["--no-index", f"--find-links={wheels}", "--no-compile", "--target", str(target)]
    subprocess.run([*pip, "install", *common, *local], check=True)


def write_cpuinfo(root: Path, processor: str) -> None:
    """Describe an emulated processor in `root`; ONNX Runtime crashes on import if it reads that of another kind."""
    part, features = PROCESSORS[processor]
    blocks = []
    for number in sorted(os.sched_getaffinity(0)):  # the count must agree with what the emulated process may use
        lines = [
            f"processor\t: {number}",
            "BogoMIPS\t: 100.00",
            f"Features\t: {features}",
            "CPU implementer\t: 0x41",
            "CPU architecture: 8",
            "CPU variant\t: 0x0",
            f"CPU part\t: {part}",
            "CPU revision\t: 0",
        ]
        blocks.append("\n".join(lines) + "\n\n")
    (root / "proc" / "cpuinfo").write_text("".join(blocks))
