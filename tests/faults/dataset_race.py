"""Let two processes write datasets into one folder at the same time: `python -m faults.dataset_race 250`."""

import hashlib
import json
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from dataset_helpers import Painter

import mnistgen
from mnistgen import dataset

N = 40


def race(folder: Path, rounds: int) -> Counter[str]:
    """Let two processes race for a new folder in each round.

    The second starts up to 2 ms later than the time that a dataset takes, so that it looks while the first moves files
    and deletes its draft.

    Returns:
        How often each pair of results occurred, such as "dataset-exists, written".

    Raises:
        AssertionError: A dataset.json does not match its pixels, or both have written.
    """
    start = time.perf_counter()
    dataset.write(Painter(), folder / "timed", N)
    seconds = time.perf_counter() - start + 0.002
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    delays = [[0.0] * rounds, [seconds * i / rounds for i in range(rounds)]]
    processes = [context.Process(target=_write, args=(folder, barrier, results, i, delays[i])) for i in range(2)]
    for process in processes:
        process.start()
    found: list[dict[int, str]] = [{} for _ in range(rounds)]
    for _ in range(2 * rounds):
        number, writer, result = results.get(timeout=60)
        found[number][writer] = result
    for process in processes:
        process.join()
    for number, by_writer in enumerate(found):
        written = [writer for writer, result in by_writer.items() if result == "written"]
        assert len(written) == 1, by_writer
        _check(folder / str(number), seed=written[0])
    return Counter(", ".join(sorted(by_writer.values())) for by_writer in found)


def _write(folder: Path, barrier, results, writer: int, delays: list[float]) -> None:
    """Write a dataset of the seed `writer` in each round; report "written" or the error's code."""
    for number, delay in enumerate(delays):
        barrier.wait(60)
        time.sleep(delay)
        try:
            dataset.write(Painter(), folder / str(number), N, seed=writer)
            result = "written"
        except mnistgen.MnistgenError as error:
            result = error.code
        results.put((number, writer, result))


def _check(out: Path, seed: int) -> None:
    assert [path.name for path in sorted(out.iterdir())] == ["MNIST", "dataset.json"]
    facts = json.loads((out / "dataset.json").read_bytes())
    assert facts["seed"] == seed
    raw = out / "MNIST" / "raw"
    for prefix, name in (("train", "train"), ("t10k", "test")):
        pixels = (raw / f"{prefix}-images-idx3-ubyte").read_bytes()[16:]
        labels = (raw / f"{prefix}-labels-idx1-ubyte").read_bytes()[8:]
        assert hashlib.sha256(pixels + labels).hexdigest() == facts["splits"][name]["sha256"]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        print(dict(race(Path(temporary), int(sys.argv[1]))))
