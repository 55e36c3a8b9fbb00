"""How many images a run draws, and on how many threads."""

import pytest

from mnistgen.inference import engine
from mnistgen.inference.engine import Engine
from mnistgen.manifest import Manifest, artifacts_folder


@pytest.fixture
def manifest() -> Manifest:
    return Manifest(artifacts_folder())


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("n", [1, 3, 8, 33, 256, 1000])
def test_chunks_cover_all_images_and_give_the_threads_equal_work(manifest, n, threads):
    chunks = Engine(manifest, manifest.model("vae"), "cpu", threads)._here().chunks(n)
    assert [index for chunk in chunks for index in range(chunk.start, chunk.stop)] == list(range(n))
    sizes = [chunk.stop - chunk.start for chunk in chunks]
    assert max(sizes) <= 16
    assert max(sizes) - min(sizes) <= 1
    assert len(chunks) == 1 or min(sizes) >= 4
    assert len(chunks) % threads == 0 or min(sizes) < 8  # too few to share out evenly


@pytest.mark.parametrize(
    ("model", "threads", "shared_out"), [("cgan", 2, True), ("gan", 2, True), ("vae", 2, False), ("cgan", 1, False)]
)
def test_lone_images_of_a_large_network_are_shared_out_from_the_second_on(
    manifest, monkeypatch, model, threads, shared_out
):
    opened = []
    original = engine.open_session
    monkeypatch.setattr(engine, "open_session", lambda *given: opened.append(given[2:]) or original(*given))
    generator = Engine(manifest, manifest.model(model), "cpu", threads)._here()
    first, second, third = (generator.lone_session() for _ in range(3))
    assert first is generator.session
    assert (second is not first) == shared_out
    assert third is second
    assert opened == [(threads,)][:shared_out]
