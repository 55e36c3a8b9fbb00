"""Compare `mnistgen serve` with LitServe and FastAPI: `python tests/serve_compare.py`.

It needs wrk and `pip install -e '.[cpu,serve]' litserve fastapi`. All serve cgan.onnx as PNGs of distinct digits, on
loopback, one after the other in several rounds. LitServe and FastAPI call ONNX Runtime and Pillow alone: no metadata,
no tag, no checks.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager

from serve_load import server, wrk

from mnistgen.inference.cpu import usable_cores

DRAW = f"""
import io, os
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import numpy as np, onnxruntime
from PIL import Image

class Drawing:
    def __init__(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession("artifacts/cgan.onnx", options, providers=["CPUExecutionProvider"])

    def images(self, seeds, digits):
        z = np.stack([np.random.default_rng(seed).standard_normal(128, np.float32) for seed in seeds])
        label = np.eye(10, dtype=np.float32)[digits]
        return self.session.run(None, {{"z": z, "label": label}})[0]

    def png(self, image):
        levels = np.rint(image[0] * 255).astype(np.uint8).repeat(8, 0).repeat(8, 1)
        file = io.BytesIO()
        Image.fromarray(levels).save(file, "PNG")
        return file.getvalue()

PORT, CORES = PORT_NUMBER, {usable_cores()}
"""
FASTAPI = """
import anyio, fastapi, uvicorn
app, drawing = fastapi.FastAPI(), Drawing()

@app.get("/digit/{seed}")
def digit(seed: int, digit: int = 5):
    return fastapi.Response(drawing.png(drawing.images([seed], [digit])[0]), media_type="image/png")

@app.on_event("startup")
async def limit():
    anyio.to_thread.current_default_thread_limiter().total_tokens = CORES

uvicorn.run(app, port=PORT, log_level="error", access_log=False)
"""
LITSERVE = """
import fastapi, litserve

class Digits(litserve.LitAPI):
    def setup(self, device):
        self.drawing = Drawing()

    def decode_request(self, request):
        return request["seed"], request["digit"]

    def predict(self, given):
        return self.drawing.images([given[0]], [given[1]])[0]

    def encode_response(self, image):
        return fastapi.Response(self.drawing.png(image), media_type="image/png")

if __name__ == "__main__":
    litserve.LitServer(Digits(), accelerator="cpu", workers_per_device=CORES, timeout=30).run(
        host="127.0.0.1", port=PORT, log_level="error", access_log=False, generate_client_file=False
    )
"""
GET = """
local n = BASE
function request() n = n + 1; return wrk.format("GET", string.format("PATH", n)) end
"""
POST = """
local n = BASE
function request()
  n = n + 1
  local headers = {["Content-Type"] = "application/json"}
  return wrk.format("POST", "/predict", headers, string.format('{"seed": %d, "digit": 5}', n))
end
"""


@contextmanager
def program(text: str, port: int):
    """Run a server that is written in `text`; yield its address."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(DRAW.replace("PORT_NUMBER", str(port)) + text)
        file.flush()
        command, quiet = [sys.executable, file.name], subprocess.DEVNULL
        with subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True) as process:
            try:
                yield wait(f"http://127.0.0.1:{port}")
            finally:
                os.killpg(process.pid, signal.SIGKILL)  # LitServe's workers outlive their parent


def wait(address: str) -> str:
    """Wait until a server answers; return its address."""
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{address}/docs", timeout=1).close()
            return address
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{address} does not answer")


def rate(address: str | tuple[str, int], script: str, seconds: int, connections: int) -> float:
    """Return successful requests per second."""
    address = address if isinstance(address, str) else address[0]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script.replace("BASE", str(time.time_ns() // 1000)))
        file.flush()
        figures, _, failures = wrk(address, seconds, connections, "-s", file.name)
    return 0.0 if failures else figures


def main() -> None:
    """Read the options, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=5, help="Whole seconds of each measurement.")
    parser.add_argument("--rounds", type=int, default=3, help="Rounds; the median counts.")
    parser.add_argument("--connections", type=int, default=8, help="Simultaneous requests.")
    options = parser.parse_args()
    runs = {
        "mnistgen": (lambda: server("--model", "cgan"), GET.replace("PATH", "/v1/cgan/%d/0.png?digit=5")),
        "FastAPI": (lambda: program(FASTAPI, 8041), GET.replace("PATH", "/digit/%d?digit=5")),
        "LitServe": (lambda: program(LITSERVE, 8042), POST),
    }
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.rounds):
        for name, (start, script) in runs.items():
            with start() as address:
                rate(address, script, 1, options.connections)
                found[name].append(rate(address, script, options.seconds, options.connections))
    medians = {name: statistics.median(rates) for name, rates in found.items()}
    for name, median in medians.items():
        print(f"{name:10} {median:7.0f} requests/s  {median / medians['mnistgen']:.2f}")


if __name__ == "__main__":
    main()
