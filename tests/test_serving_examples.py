"""PyTriton and KServe answer the client of docs/scale-serving.md with the digits of `generate`.

A test is skipped without its package; `make serving` installs both, in an environment for each.
"""

import re
import socket
import subprocess
import sys
import time
from importlib.util import find_spec

import numpy as np
import pytest
from conftest import ROOT

pytest.importorskip("tritonclient", reason="needs tritonclient[all]: `make serving`")

PAGE = (ROOT / "docs" / "scale-serving.md").read_text(encoding="utf-8")
(CLIENT,) = re.findall(r"```py\n(.*?)```", PAGE, re.DOTALL)
SECONDS = 90
SERVERS = {
    "pytriton": ("examples/pytriton_app.py", "--http-port", "--grpc-port"),
    "kserve": ("examples/kserve_app.py", "--http_port", "--grpc_port"),
}


def free_ports(n):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture(scope="module", params=[pytest.param(name, id=name) for name in SERVERS])
def ports(request, tmp_path_factory):
    """Start an example; return its ports of HTTP and gRPC."""
    if not find_spec(request.param):
        pytest.skip(f"needs {request.param}: `make serving`")
    script, *options = SERVERS[request.param]
    found = free_ports(2)
    command = [sys.executable, ROOT / script]
    for option, port in zip(options, found, strict=True):
        command += [option, str(port)]
    log = tmp_path_factory.mktemp("serving") / "log.txt"
    with log.open("w") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        wait_until_ready(server, found, log)
        yield found
    finally:
        server.terminate()
        server.wait(SECONDS)


def wait_until_ready(server, ports, log):
    import tritonclient.http as http

    client, until = http.InferenceServerClient(f"127.0.0.1:{ports[0]}"), time.monotonic() + SECONDS
    while server.poll() is None and time.monotonic() < until:
        try:
            if client.is_model_ready("digits"):
                return
        except OSError:  # it does not listen yet
            pass
        time.sleep(0.2)
    pytest.fail(f"The server is not ready.\n{log.read_text(errors='replace')[-4000:]}")


def client_of(page, ports, protocol):
    """Return the names that the code of the page defines."""
    port = ports[protocol == "grpc"]
    code = page.replace("tritonclient.http", f"tritonclient.{protocol}").replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    names = {}
    exec(compile(code, "docs/scale-serving.md", "exec"), names)
    return names


@pytest.fixture(params=["http", "grpc"])
def protocol(request):
    pytest.importorskip(f"tritonclient.{request.param}")
    return request.param


def test_client_of_page_gets_digits_of_generate(ports, protocol, cgan, capsys):
    names = client_of(CLIENT, ports, protocol)
    assert (names["images"].dtype, names["images"].shape) == (np.uint8, (20, 28, 28))
    np.testing.assert_array_equal(names["images"], cgan.generate(20, seed=7))
    np.testing.assert_array_equal(names["fives"], cgan.generate(2, seed=7, start=3, digit=5))
    assert f"```text\n{capsys.readouterr().out}```" in PAGE


@pytest.mark.parametrize(
    "given", [{"seed": 2**64 - 1, "start": 2**63 - 3, "n": 3}, {"seed": 1}, {"seed": 1, "n": 2, "digit": [3, 4]}]
)
def test_other_calls(ports, protocol, cgan, given):
    names = client_of(CLIENT, ports, protocol)
    np.testing.assert_array_equal(names["generate"](names["client"], **given), cgan.generate(**given))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"n": 1}, "seed is missing"),
        ({"seed": 1, "n": 401}, "n is 401; expected at most 400"),
        ({"seed": 1, "digit": 10}, "digit is 10"),
        ({"seed": [1, 2]}, "seed"),
    ],
)
def test_invalid_calls(ports, protocol, given, words):
    from tritonclient.utils import InferenceServerException

    names = client_of(CLIENT, ports, protocol)
    with pytest.raises(InferenceServerException, match=words):
        names["generate"](names["client"], **given)
    assert names["generate"](names["client"], seed=1).shape == (1, 28, 28)
