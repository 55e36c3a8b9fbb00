"""Measure `mnistgen serve` under load: `python tests/serve_load.py`, with wrk and the extra `serve` installed.

It starts a server on loopback, and prints requests per second beside the digits and PNGs per second of the models
alone, in a thread per core. Close other programs first.
"""

import argparse
import itertools
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import mnistgen
from mnistgen.inference.cpu import usable_cores

DISTINCT = """
local threads = 0
function setup(thread) thread:set("id", threads); threads = threads + 1 end
function init() n = BASE + id * 100000000 end
function request() n = n + 1; return wrk.format("GET", string.format("PATH", n)) end
"""
"""Requests for another seed each; BASE differs in each run, so that no response is in the cache."""
DELAY = "function delay() return math.random(0, MOST) end\n"
"""Pauses of random lengths, in milliseconds, before each request of a connection."""
MODELS = {"cgan": "?digit=5", "cgan-int8": "?digit=5", "vae": "", "gan": ""}
START = "from mnistgen.cli import main; main()"
_bases = itertools.count(1_000_000_000, 1_000_000_000)


@contextmanager
def server(*options: str) -> Iterator[tuple[str, int]]:
    """Start a server; yield its address and process."""
    command = [sys.executable, "-c", START, "serve", "--port", "0", "--device", "cpu", "--no-access-log", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().split()[0].rstrip("/"), process.pid
        finally:
            process.terminate()


def wrk(address: str, seconds: int, connections: int, *options: str) -> tuple[float, str, str]:
    """Run wrk; return requests per second, the 99th percentile of the latency, and failures."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "20s", *options, address]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    failures = " ".join(re.findall(r"(?:Non-2xx|Socket errors).*", text))
    return float(re.search(r"Requests/sec: +([\d.]+)", text)[1]), re.search(r"99% +(\S+)", text)[1], failures


def distinct(
    address: str, model: str, seconds: int, connections: int, query: str = "", pause: float = 0
) -> tuple[float, str, str]:
    """Request a digit of another seed each time, each connection after `pause` seconds on average."""
    path = f"/v1/{model}/%d/0.png{query or MODELS[model]}"
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(DISTINCT.replace("BASE", str(next(_bases))).replace("PATH", path))
        script.write(DELAY.replace("MOST", str(round(2000 * pause))) if pause else "")
        script.flush()
        return wrk(address, seconds, connections, "-s", script.name)


def alone(model: str, seconds: int, as_png: bool) -> float:
    """Return the digits or PNGs per second that the model draws one by one, in a thread per core, without a server."""
    generator, end = mnistgen.load(model, device="cpu", threads=1), time.perf_counter() + seconds

    def draw(thread: int) -> int:
        count = 0
        while time.perf_counter() < end:
            seed = thread * 2**32 + count
            generator.draw(seed=seed).png() if as_png else generator.generate(seed=seed)
            count += 1
        return count

    with ThreadPoolExecutor(usable_cores()) as pool:
        return sum(pool.map(draw, range(usable_cores()))) / seconds


def memory(process: int) -> int:
    """Return the resident memory of a process and those that it has started, in MiB."""
    own = int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())[1]) // 1024
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return own + sum(memory(int(child)) for child in children)


def show(name: str, figures: tuple[float, str, str], more: str = "") -> None:
    """Print one line of the results."""
    rate, latency, failures = figures
    print(f"{name:28} {rate:8.0f} requests/s  p99 {latency:>9}  {more}  {failures}".rstrip(), flush=True)


def measure(seconds: int, requests: int, workers: int, connections: int) -> None:
    """Print all figures."""
    with server("--queue", "1000", "--workers", str(workers)) as (address, process):
        for model in MODELS:
            figures = distinct(address, model, seconds, connections)
            digits, pngs = (alone(model, seconds, as_png) for as_png in (False, True))
            show(f"{model}, distinct", figures, f"alone {digits:.0f} digits/s, {pngs:.0f} PNGs/s")
            half = distinct(address, model, seconds, connections, pause=connections / figures[0])
            show(f"{model}, half the load", half)
        show("vae, distinct, scale 1", distinct(address, "vae", seconds, connections, "?scale=1"))
        digit = f"{address}/v1/cgan/7/0.png?digit=5"
        show("cached", wrk(digit, seconds, connections))
        show("not modified (304)", wrk(digit, seconds, connections, "-H", "If-None-Match: *"))
        show("400 connections", distinct(address, "cgan", seconds, 400), f"{memory(process)} MiB")
        done = 0.0
        while done < requests:
            done += seconds * distinct(address, "vae", seconds, connections)[0]
            print(f"memory {memory(process)} MiB after {done:.0f} more requests", flush=True)


def main() -> None:
    """Read the options, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=10, help="Whole seconds of each measurement.")
    parser.add_argument("--requests", type=int, default=100_000, help="Requests during which memory is measured.")
    parser.add_argument("--workers", type=int, default=usable_cores(), help="Processes of the server.")
    parser.add_argument("--connections", type=int, default=8, help="Connections of the client.")
    options = parser.parse_args()
    measure(options.seconds, options.requests, options.workers, options.connections)


if __name__ == "__main__":
    main()
