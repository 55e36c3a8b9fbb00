"""Mutated and random input gives a typed error or a result, never another exception.

The suite runs a fixed number of fixed examples. `make fuzz` runs many random ones.
"""

import contextlib
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from record_helpers import FACTS, MANIFOLD, WALK

import mnistgen
from mnistgen import provenance
from mnistgen.cli import shared
from mnistgen.cli.run import command as run_command
from mnistgen.inference.onnx_scan import check_self_contained
from mnistgen.manifest import Manifest
from mnistgen.output import animation, formats, images
from mnistgen.output.formats import Layout
from mnistgen.provenance import container
from mnistgen.provenance.checks import shape_of
from mnistgen.validation import integers, matrix

settings.register_profile(
    "suite", max_examples=150, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
settings.register_profile("fuzz", max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile(os.environ.get("MNISTGEN_FUZZ", "suite"))

DIGITS = np.arange(3 * 784, dtype=np.uint32).astype(np.uint8).reshape(3, 28, 28)
PATH = Path("fuzzed")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


def carriers() -> list[bytes]:
    """Return a valid file of each format that carries a record."""
    text = json.dumps(FACTS)
    npz = formats.encode(DIGITS, Layout("npz"), digits=(5, 5, 5), metadata=text)
    moving = [animation.encode(DIGITS, kind, 40, metadata=text) for kind in animation.FORMATS]
    return [images.encode_png(DIGITS[0], text), npz, *moving]


def mutated(content: bytes) -> st.SearchStrategy[bytes]:
    """Flip bytes of `content`, cut a piece out, and insert another."""
    position = st.integers(0, len(content))

    def mutate(flips, cut, length, place, extra):
        damaged = bytearray(content)
        for at, value in flips:
            damaged[at % len(content)] = value
        del damaged[cut : cut + length]
        damaged[place:place] = extra
        return bytes(damaged)

    flips = st.lists(st.tuples(position, st.integers(0, 255)), max_size=8)
    return st.builds(mutate, flips, position, st.sampled_from([0, 0, 1, 9, 500]), position, st.binary(max_size=9))


@pytest.mark.parametrize("carrier", carriers(), ids=["png", "npz", "gif", "webp"])
@given(data=st.data())
def test_damaged_pictures(carrier, data):
    content = data.draw(mutated(carrier) | st.binary(max_size=200))
    for read in (container.metadata, lambda *given: container.pixels(*given, (3, 28, 28))):
        with contextlib.suppress(mnistgen.ProvenanceError):
            read(content, PATH)


@given(
    base=st.sampled_from([FACTS, WALK, MANIFOLD]),
    changes=st.dictionaries(st.text(max_size=9), JSON, max_size=2),
    data=st.data(),
)
def test_hostile_records(tmp_path_factory, base, changes, data):
    for key in data.draw(st.lists(st.sampled_from(sorted(base)), max_size=3)):
        changes[key] = data.draw(JSON)
    path = tmp_path_factory.getbasetemp() / "fuzzed.png"
    path.write_bytes(images.encode_png(DIGITS[0], json.dumps(base | changes)))
    try:
        record = provenance.read(path)
    except mnistgen.ProvenanceError:
        return
    assert np.prod([float(size) for size in shape_of(record)]) <= 89_000_000
    assert json.loads(record.to_json())["mnistgen"] == record.mnistgen


MANIFEST = json.loads((ROOT / "artifacts" / "manifest.json").read_text(encoding="utf-8"))


@given(data=st.data())
def test_hostile_manifests(tmp_path_factory, data):
    manifest = json.loads(json.dumps(MANIFEST))
    for part in (manifest, manifest["models"], manifest["models"]["vae"], manifest["verifier"]):
        for key in data.draw(st.lists(st.sampled_from(sorted(part)), max_size=2)):
            part[key] = data.draw(JSON)
    folder = tmp_path_factory.getbasetemp() / "fuzzed"
    folder.mkdir(exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with contextlib.suppress(mnistgen.ArtifactError):
        Manifest(folder)


VAE = (ROOT / "artifacts" / "vae.onnx").read_bytes()


@given(content=mutated(VAE) | st.binary(max_size=300))
def test_scan_of_damaged_models(content):
    with contextlib.suppress(mnistgen.ArtifactError):
        check_self_contained(content)


OPTIONS = [option for parameter in run_command.params for option in parameter.opts if parameter.name != "help"]
JUNK = st.sampled_from(
    ["5", "0-9", "-1", "", "x.png", "x/y.gif", "-", "cgan", "vae", "1e9", "png", "red", "cpu", "\x1b[2J"]
)
WORD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
"""What a shell can pass."""


@given(arguments=st.lists(st.sampled_from(OPTIONS) | JUNK | WORD, max_size=6))
def test_random_command_lines(tmp_path_factory, arguments):
    folder = tmp_path_factory.getbasetemp() / "fuzzed-commands"
    folder.mkdir(exist_ok=True)
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())),
        contextlib.redirect_stderr(io.StringIO()) as err,
    ):
        code = shared.call(run_command, "mnistgen-run", [*arguments, "--quiet"])
    assert code in (0, 1, 2)
    assert err.getvalue().count("\n") == (code != 0)
    for file in folder.iterdir():
        assert file.stat().st_size > 0
        file.unlink()


@given(values=JSON, end=st.integers(1, 2**70))
def test_integer_arguments(values, end):
    with contextlib.suppress(mnistgen.InputError):
        assert all(0 <= value < end for value in integers("values", values, end, code="invalid-seed"))


@given(value=JSON | st.binary(max_size=9) | st.complex_numbers())
def test_array_arguments(value):
    try:
        array = matrix("z", value, 2, code="invalid-latent")
    except mnistgen.InputError:
        return
    assert array.dtype == np.float32
    assert np.isfinite(array).all()
    assert array.shape[1] == 2


@pytest.mark.parametrize("content", carriers(), ids=lambda content: io.BytesIO(content).read(4).hex())
def test_carriers_are_valid(content):
    assert json.loads(str(container.metadata(content, PATH))) == FACTS
