"""Check a model repository with the Triton server of PyTriton: `python tests/triton_server.py REPOSITORY` (Linux).

It needs an environment with `pip install -e '.[cpu]' nvidia-pytriton==0.7.0 'numpy<2'`, and a repository that
`python -m export.triton` wrote for the CPU; `make serving` does all of this. The server has Triton's Python backend but
not the one of ONNX Runtime. So it must report that backend as missing, and nothing else, for each ONNX file. The model
`digits` must load, and draw the digits of `generate`. To show that the server reads the files, copies with a mistake
must be refused. Warm-ups run in the backend, so only that of `digits` is checked here.
"""

import argparse
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tritonclient.http as http
from pytriton.utils import distribution

import mnistgen

MISSING = "unable to find backend library for backend 'onnxruntime'"
STATUS = re.compile(r"^\| (\S+) +\| (?:1|-) +\| (.*?) *\|$", re.MULTILINE)
"""A row of the table of models: name, version, and the status or its first line."""
MISTAKES = {
    "a negative batch": ("max_batch_size: 16", "max_batch_size: -1"),
    "an empty shape": ("dims: [1, 28, 28]", "dims: []"),
    "an unknown field": ("dynamic_batching", "dynamic_batches"),
}
SECONDS = 90


@contextlib.contextmanager
def running(repository: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """Start the server; yield its log and the address of its HTTP service."""
    root = distribution.get_root_module_path() / "tritonserver"
    backends = folder / "backends"
    if not backends.exists():  # the backend, next to the program for this version of Python
        shutil.copytree(root / "backends", backends)
        shutil.copy(distribution.get_stub_path(sysconfig.get_python_version()), backends / "python")
    port, log = free_port(), folder / "log.txt"
    libraries = [sysconfig.get_config_var("LIBDIR"), str(distribution.get_libs_path())]
    path = [str(Path(sys.executable).parent), os.environ["PATH"]]
    command = [root / "bin" / "tritonserver", "--model-repository", repository, "--backend-directory", backends]
    command += ["--http-address", "127.0.0.1", "--http-port", str(port), "--allow-grpc", "false", "--allow-metrics"]
    command += ["false", "--exit-on-error", "false", "--disable-auto-complete-config"]
    environment = {**os.environ, "PATH": os.pathsep.join(path), "LD_LIBRARY_PATH": os.pathsep.join(libraries)}
    with log.open("w") as out:
        server = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    try:
        yield wait_for(server, log), f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(SECONDS)


def wait_for(server: subprocess.Popen, log: Path) -> str:
    until = time.monotonic() + SECONDS
    while "Started HTTPService" not in (text := log.read_text(errors="replace")):
        if server.poll() is not None or time.monotonic() > until:
            sys.exit(f"{text}\nThe server did not start.")
        time.sleep(0.1)
    return text


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def check_models(repository: Path, text: str) -> list[str]:
    """Return what the server says about the models that is not expected."""
    names = {path.parent.name for path in repository.glob("*/config.pbtxt")}
    found = dict(STATUS.findall(text))
    faults = [f"{name}: not in the server's table" for name in sorted(names - found.keys())]
    for name, status in sorted(found.items()):
        is_expected = status == "READY" if name == "digits" else MISSING in status
        print(f"{name}: {status}")
        if not is_expected:
            faults.append(f"{name}: {status}")
    return faults


def check_digits(address: str) -> list[str]:
    """Return in which calls `digits` differs from `generate`."""
    client, generator = http.InferenceServerClient(address), mnistgen.load("cgan", device="cpu")
    faults = []
    for call in ({"seed": 7, "n": 20}, {"seed": 2**64 - 1, "start": 2**63 - 5, "n": 3, "digit": 5}, {"seed": 1}):
        images = client.infer("digits", [tensor(*each) for each in call.items()]).as_numpy("image")
        is_same = np.array_equal(images, generator.generate(**call))
        print(f"digits {call}: {'equal to generate' if is_same else 'DIFFERENT'}")
        faults += [] if is_same else [f"digits {call}"]
    return faults


def tensor(name: str, value: int) -> http.InferInput:
    kind = {"n": np.uint32, "digit": np.int32}.get(name, np.uint64)
    found = http.InferInput(name, [1], np.dtype(kind).name.upper())
    found.set_data_from_numpy(np.array([value], kind))
    return found


def check_mistake(repository: Path, folder: Path, name: str) -> list[str]:
    """Return whether the server accepts a configuration with a mistake."""
    right, wrong = MISTAKES[name]
    (folder / "wrong" / "cgan").mkdir(parents=True)
    shutil.copytree(repository / "cgan" / "1", folder / "wrong" / "cgan" / "1")
    config = (repository / "cgan" / "config.pbtxt").read_text()
    assert right in config, right
    (folder / "wrong" / "cgan" / "config.pbtxt").write_text(config.replace(right, wrong))
    with running(folder / "wrong", folder) as (text, _):
        reasons = [
            line for line in text.splitlines() if line.startswith("E") and "cgan" in line and MISSING not in line
        ]
    shutil.rmtree(folder / "wrong")
    print(f"{name}: {'refused' if reasons else 'ACCEPTED'} {reasons[:1]}")
    return [] if reasons else [f"{name} was accepted"]


def main() -> None:
    parser = argparse.ArgumentParser(description="Check a model repository with the Triton server of PyTriton.")
    parser.add_argument("repository", type=Path, help="Folder that python -m export.triton wrote.")
    repository = parser.parse_args().repository.resolve()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with running(repository, folder) as (text, address):
            faults = check_models(repository, text) + check_digits(address)
        for name in MISTAKES:
            faults += check_mistake(repository, folder, name)
    sys.exit("\n".join(["Wrong:", *faults]) if faults else 0)


if __name__ == "__main__":
    main()
