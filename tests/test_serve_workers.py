"""`mnistgen serve --workers`: several processes that share a port."""

import contextlib
import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from serve_helpers import DIGIT, wait_until

from mnistgen.manifest import artifacts_folder

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
CODE = "import sys; from mnistgen.cli import main; sys.argv = ['mnistgen', *sys.argv[1:]]; main()"


def command(*options):
    """Return the command for a server with two processes."""
    return [sys.executable, "-c", CODE, "serve", "--port", "0", "--device", "cpu", "--workers", "2", *options]


def answer(port, path=DIGIT):
    """Return the body, and the part of the request's id that names the process; None if nobody listens."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.read(), response.headers["X-Request-ID"].partition("-")[0]
        except OSError:
            return None


def connections_of_each(port, count):
    """Return how many of `count` open connections each process has."""
    with contextlib.ExitStack() as stack:
        names = []
        for _ in range(count):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            stack.enter_context(contextlib.closing(connection))
            connection.request("GET", "/healthz")
            response = connection.getresponse()
            response.read()
            names.append(response.headers["X-Request-ID"].partition("-")[0])
    found = Counter(names)
    assert len(found) == 2
    return found.values()


def children_of(process):
    """Return the processes that a process has started, without Python's resource tracker."""
    found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(each) for each in found if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()]


def test_workers():
    with subprocess.Popen(
        command("--model", "cgan", "--no-access-log"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            port = int(re.search(r":(\d+)/", process.stdout.readline())[1])
            names, bodies = set(), set()

            def both_answered():
                body, name = answer(port)
                bodies.add(body)
                names.add(name)
                return len(names) == 2

            wait_until(both_answered)
            assert len(bodies) == 1
            assert min(connections_of_each(port, 8)) > 1

            first, other = children_of(process.pid)
            os.kill(first, signal.SIGKILL)  # it is replaced
            names.clear()
            wait_until(lambda: other in (found := children_of(process.pid)) and first not in found and len(found) == 2)
            wait_until(both_answered)

            process.send_signal(signal.SIGTERM)
            output, errors = process.communicate(timeout=20)
            assert (process.returncode, output, errors) == (0, "", "")
        finally:
            process.kill()
    assert answer(port) is None


def test_workers_end_with_their_parent():
    with subprocess.Popen(command("--model", "cgan"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        port = int(re.search(rb":(\d+)/", process.stdout.readline())[1])
        process.kill()
    wait_until(lambda: answer(port) is None)


def test_worker_that_cannot_start(tmp_path):
    shutil.copytree(artifacts_folder(), tmp_path / "models", ignore=shutil.ignore_patterns("weights"))
    (tmp_path / "models/cgan.onnx").write_bytes(b"damaged")
    done = subprocess.run(
        command("--artifacts", str(tmp_path / "models"), "--model", "cgan"), capture_output=True, text=True, timeout=60
    )
    lines = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert all("cgan.onnx" in line for line in lines[:-1])
    assert lines[-1].startswith("mnistgen: A process of the server ended with status 1 before it was ready.")


@pytest.mark.parametrize("option", ["--metrics", "--traces"])
def test_workers_conflict(option):
    done = subprocess.run(command(option), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert f"{option} covers one process; --workers is 2" in done.stderr
