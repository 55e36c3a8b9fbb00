"""POST /v1/dataset of `mnistgen serve`: archives that are sent while they are drawn."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image
from serve_helpers import error_of, running_fixture, start_fixture, wait_until  # noqa: F401 - fixture

import mnistgen
from mnistgen.serve.settings import MOST_DATASET

PATH = "/v1/dataset"


running = running_fixture(("vae", "cgan"))


@pytest.mark.parametrize("digits", [None, [3, 1, 4]])
def test_npz(running, cgan, digits):
    given = {"n": 150, "seed": "7", "start": 5, **({"digits": digits} if digits else {})}
    status, headers, body = running.post(given, path=PATH)
    requested = np.resize(digits or np.arange(5, 155) % 10, 150)
    assert (status, headers["Content-Type"], headers["Mnistgen-Seed"]) == (200, "application/zip", "7")
    assert headers["Content-Disposition"] == 'attachment; filename="cgan-7.npz"'
    with np.load(io.BytesIO(body)) as arrays:
        assert np.array_equal(arrays["digits"], requested)
        assert np.array_equal(arrays["images"], cgan.generate(150, digit=requested.tolist(), seed=7, start=5))
    assert running.post(given, path=PATH)[2] == body


def test_tar(running, cgan):
    status, headers, body = running.post({"n": 70, "seed": 7, "format": "tar"}, path=PATH)
    assert (status, headers["Content-Type"]) == (200, "application/x-tar")
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive}
        assert {member.mtime for member in archive} == {0}
    assert list(files) == [f"{i:06}.{suffix}" for i in range(70) for suffix in ("png", "cls")]
    images = np.stack([np.asarray(Image.open(io.BytesIO(files[f"{i:06}.png"]))) for i in range(70)])
    assert np.array_equal(images, cgan.generate(70, seed=7))
    assert [int(files[f"{i:06}.cls"]) for i in range(70)] == [i % 10 for i in range(70)]


def test_unconditional_model(running):
    with np.load(io.BytesIO(running.post({"model": "vae", "n": 3, "seed": 1}, path=PATH)[2])) as arrays:
        assert arrays.files == ["images"]
    given = {"model": "vae", "n": 3, "seed": 1, "digits": 5, "verify": True}
    with np.load(io.BytesIO(running.post(given, path=PATH)[2])) as arrays:
        verified = mnistgen.load("vae", device="cpu").generate_verified(3, digit=5, seed=1)
        assert np.array_equal(arrays["images"], verified.images)
        assert arrays["digits"].tolist() == [5, 5, 5]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"n": MOST_DATASET + 1}, "invalid-count"),
        ({"n": 0}, "invalid-count"),
        ({"format": "zip"}, "unknown-choice"),
        ({"model": "vae", "digits": 5}, "model-unconditional"),
        ({"start": str(2**64 - 1), "n": 2}, "invalid-start"),
    ],
)
def test_invalid_request(running, given, code):
    assert error_of(running.post(given, path=PATH)) == (422, code)


def test_too_many_datasets(start, monkeypatch):
    one = start(("vae",))
    monkeypatch.setattr(one.service.streams, "count", 4)
    assert error_of(one.post({"model": "vae", "n": 1}, path=PATH)) == (503, "server-busy")


def test_failure_closes_the_connection(start, monkeypatch, capfd):
    one = start(("vae",))
    generator, calls = one.service._generators["vae"], []
    generate = generator.generate

    def fail_later(*args, **kwargs):
        calls.append(args)
        if len(calls) > 2:
            raise RuntimeError("no more")
        return generate(*args, **kwargs)

    monkeypatch.setattr(generator, "generate", fail_later)
    with pytest.raises(Exception, match="IncompleteRead"):
        one.post({"model": "vae", "n": 1000}, path=PATH)
    wait_until(lambda: one.service.streams.count == 0)
    wait_until(lambda: "no more" in capfd.readouterr().err)
