"""Chunks of a run, and the session that draws a chunk."""

import numpy as np
import pytest
from fakes import Runtime

from mnistgen.inference import engine
from mnistgen.inference.engine import Engine
from mnistgen.manifest import Manifest, artifacts_folder


@pytest.fixture
def manifest() -> Manifest:
    return Manifest(artifacts_folder())


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("n", [1, 3, 8, 33, 256, 1000])
def test_chunks_give_threads_equal_work(manifest, n, threads):
    chunks = Engine(manifest, manifest.model("vae"), "cpu", threads)._state().chunks(n)
    assert [index for chunk in chunks for index in range(chunk.start, chunk.stop)] == list(range(n))
    sizes = [chunk.stop - chunk.start for chunk in chunks]
    assert max(sizes) <= 16
    assert max(sizes) - min(sizes) <= 1
    assert len(chunks) == 1 or min(sizes) >= 4
    assert len(chunks) % threads == 0 or min(sizes) < 8  # too few to split evenly


@pytest.mark.parametrize(
    ("model", "threads", "split"), [("cgan", 2, True), ("gan", 2, True), ("vae", 2, False), ("cgan", 1, False)]
)
def test_second_single_image_uses_all_threads(manifest, monkeypatch, model, threads, split):
    opened = []
    original = engine.open_session
    monkeypatch.setattr(engine, "open_session", lambda *given: opened.append(given[2:]) or original(*given))
    state = Engine(manifest, manifest.model(model), "cpu", threads)._state()
    first, second, third = (state.single_run_session() for _ in range(3))
    assert first is state.session
    assert (second is not first) == split
    assert third is second
    assert opened == [(threads,)][:split]


def test_gpu_runs_have_one_shape(manifest, system, monkeypatch):
    """On a GPU the shape chooses the algorithm, so each run must have the same (contract C4)."""
    rows = []
    original = engine.run_bound
    monkeypatch.setattr(engine, "run_bound", lambda *given: rows.append(len(given[1]["z"])) or original(*given))
    system(Runtime(starts=True))
    on_gpu, on_cpu = (Engine(manifest, manifest.model("vae"), device) for device in ("gpu", "cpu"))
    z = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
    for n in (1, 5, 300):
        images = [
            each.draw_into(np.zeros((n, 28, 28), np.uint8), lambda chunk: {"z": z[chunk]}) for each in (on_gpu, on_cpu)
        ]
        np.testing.assert_array_equal(*images)
    assert set(rows) == {engine.GPU_CHUNK}
    assert len(rows) == 4
