"""The Python API: images for seeds and labels, equal for any batch size and thread count."""

import os
import pickle
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import MODELS, ROOT
from PIL import Image
from subprocess_helpers import run_python

import mnistgen
from mnistgen.inference import engine


def test_public_names():
    errors = "Artifact Device Illegible Input MissingPackage Mnistgen Output Provenance UnknownModel"
    others = ["Animation", "DeviceWarning", "Generator", "Image", "__version__", "draw", "encode_png", "grid", "load"]
    names = [*others, *(f"{name}Error" for name in errors.split())]
    assert sorted(mnistgen.__all__) == sorted(names)
    assert all(hasattr(mnistgen, name) for name in mnistgen.__all__)


def test_import_loads_no_runtime_or_pillow():
    code = "import sys, mnistgen.cli; print([m for m in ('onnxruntime', 'PIL', 'torch', 'onnx') if m in sys.modules])"
    done = run_python(code)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_images_are_bright_ink_on_black(generator):
    images = generator.generate(20, seed=1)
    assert images.dtype == np.uint8
    assert images.shape == (20, 28, 28)
    assert images.max() > 200  # ink
    assert np.median(images) < 30  # on background


@pytest.mark.parametrize("name", MODELS)
def test_images_match_golden_files(name):
    with Image.open(ROOT / "tests" / "golden" / f"{name}.png") as image:
        golden = np.asarray(image).astype(int)
    images = mnistgen.load(name).generate(10, seed=0)
    difference = np.abs(np.concatenate(list(images), axis=1) - golden)
    if name == "cgan-int8":  # a rounding can change an int8 value
        assert difference.mean() <= 1
    else:
        assert difference.max() <= 1


def test_image_depends_on_seed_and_index(generator):
    many = generator.generate(150, seed=5)
    assert len(np.unique(many, axis=0)) == 150
    np.testing.assert_array_equal(many[137:], generator.generate(13, seed=5, start=137))
    for index in (0, 1, 64, 149):
        np.testing.assert_array_equal(many[index], generator.generate(seed=5, start=index)[0])


def test_generate_rounds_decoded_latents(generator):
    z = generator.latents(200, seed=2, start=3)
    label = np.eye(10)[np.arange(3, 203) % 10] if generator.model.classes else None
    decoded = generator.decode(z, label)
    assert decoded.dtype == np.float32
    assert decoded.shape == (200, 28, 28)
    assert decoded.min() >= 0
    assert decoded.max() <= 1
    np.testing.assert_array_equal(generator.generate(200, seed=2, start=3), np.rint(decoded * 255))


def test_bits_independent_of_batch_and_threads(generator):
    z = generator.latents(70, seed=3)
    label = np.eye(10)[np.arange(70) % 10] if generator.model.classes else None
    expected = generator.decode(z, label)
    for threads, batches in ((1, (1, 16)), (2, (1, 7)), (3, (1, 2, 3, 7, 16, 33, 70)), (4, (1,)), (6, (1,))):
        other = mnistgen.load(generator.model.name, device="cpu", threads=threads)
        for batch in batches:
            slices = [slice(first, first + batch) for first in range(0, 70, batch)]
            drawn = [other.decode(z[part], None if label is None else label[part]) for part in slices]
            np.testing.assert_array_equal(np.concatenate(drawn), expected)


def test_stream_yields_blocks_of_generate(cgan):
    digits = [i % 7 for i in range(1500)]
    blocks = list(cgan.stream(1500, digit=digits, seed=3, start=9))
    assert [len(block) for block in blocks] == [1024, 476]
    np.testing.assert_array_equal(np.concatenate(blocks), cgan.generate(1500, digit=digits, seed=3, start=9))
    cycled = np.concatenate(list(cgan.stream(1030, seed=1)))
    np.testing.assert_array_equal(cycled, cgan.generate(1030, seed=1))


def test_stream_is_lazy(generator):
    first = next(generator.stream(10**18, seed=5))
    np.testing.assert_array_equal(first[:20], generator.generate(20, seed=5))


def test_stream_rejects_invalid_arguments_at_once(cgan):
    for wrong in ({"n": 0}, {"n": 5, "digit": 11}, {"n": 5, "seed": -1}, {"n": 5, "digit": [1, 2]}):
        with pytest.raises(mnistgen.InputError):
            cgan.stream(**wrong)


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", 10**6])
def test_load_rejects_invalid_threads(threads):
    with pytest.raises(mnistgen.InputError, match="from 1 to 1024") as caught:
        mnistgen.load("vae", threads=threads)
    assert caught.value.code == "invalid-threads"


def test_default_digits_cycle_by_index(cgan):
    asked = cgan.generate(25, digit=[i % 10 for i in range(8, 33)], seed=4, start=8)
    np.testing.assert_array_equal(cgan.generate(25, seed=4, start=8), asked)


def test_one_digit_for_all_images(cgan):
    fives = cgan.generate(3, digit=5, seed=1)
    for same in ([5, 5, 5], np.array([5, 5, 5]), np.array(5)):
        np.testing.assert_array_equal(cgan.generate(3, digit=same, seed=1), fives)
    assert (cgan.generate(3, digit=6, seed=1) != fives).any()


def test_largest_seed_and_index(generator):
    assert generator.generate(seed=2**64 - 1, start=2**63 - 1).shape == (1, 28, 28)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ({"n": 0}, "invalid-count", "n is 0;"),
        ({"n": -3}, "invalid-count", "n is -3;"),
        ({"n": 2.5}, "invalid-count", "n is 2.5;"),
        ({"n": 10**15}, "out-of-memory", str(10**15)),
        ({"seed": -1}, "invalid-seed", "seed is -1;"),
        ({"seed": 2**64}, "invalid-seed", "from 0 to 18446744073709551615"),
        ({"seed": "7"}, "invalid-seed", "seed is '7';"),
        ({"seed": 10**5000}, "invalid-seed", "too large"),
        ({"start": -1}, "invalid-start", "start is -1;"),
        ({"n": 2, "start": 2**63 - 1}, "invalid-start", str(2**63)),
        ({"digit": 10}, "invalid-digit", "digit is 10; expected an integer from 0 to 9"),
        ({"digit": "5"}, "invalid-digit", "digit is '5';"),
        ({"n": 2, "digit": [1, 2, 3]}, "digit-count-mismatch", "3 values for 2 images"),
        ({"n": 2, "digit": [[1], [2, 3]]}, "invalid-digit", "[1]"),
        ({"digit": []}, "invalid-digit", "empty"),
    ],
)
def test_generate_rejects_invalid_arguments(cgan, arguments, code, words):
    with pytest.raises(mnistgen.InputError) as caught:
        cgan.generate(**arguments)
    assert isinstance(caught.value, ValueError)
    assert caught.value.code == code
    assert words in str(caught.value)


def test_latents_reject_too_large_count(cgan):
    with pytest.raises(mnistgen.InputError) as caught:
        cgan.latents(10**15)
    assert caught.value.code == "out-of-memory"


def test_runtime_failure_is_device_error(cgan, monkeypatch):
    def fail(session, inputs):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(engine, "run_session", fail)
    for n in (1, 100):
        with pytest.raises(mnistgen.DeviceError, match=r"cgan \(CPUExec\w+\): out of memory") as caught:
            cgan.generate(n)
        assert caught.value.code == "run-failed"


@pytest.mark.parametrize("name", ["vae", "gan"])
def test_unconditional_models_reject_digits(name):
    model = mnistgen.load(name)
    for call in (lambda: model.generate(digit=5), lambda: model.decode(model.latents(), np.eye(10)[:1])):
        with pytest.raises(mnistgen.InputError, match=f"The {name} is unconditional") as caught:
            call()
        assert caught.value.code == "model-unconditional"


@pytest.mark.parametrize(
    ("z", "label", "words"),
    [
        (np.zeros(128), np.eye(10)[:1], "z has shape (128,)"),
        (np.zeros((0, 128)), np.eye(10)[:0], "z has shape (0, 128)"),
        (np.zeros((1, 100)), np.eye(10)[:1], "(n, 128)"),
        (np.full((1, 128), np.nan), np.eye(10)[:1], "not finite"),
        (np.full((1, 128), 1e300), np.eye(10)[:1], "±1,000,000"),
        ("digits", np.eye(10)[:1], "z has dtype <U6"),
        (np.full((1, 128), 1j), np.eye(10)[:1], "z has dtype complex128"),
        ([[10**400] * 128], np.eye(10)[:1], "z has dtype object"),
        ([[0], [0, 0]], np.eye(10)[:1], "z is ragged"),
        (np.zeros((1, 128)), None, "label is missing"),
        (np.zeros((1, 128)), np.eye(10)[:2], "label has shape (2, 10)"),
    ],
)
def test_decode_rejects_invalid_arrays(cgan, z, label, words):
    with pytest.raises(mnistgen.InputError) as caught:
        cgan.decode(z, label)
    assert caught.value.code == ("invalid-label" if words.startswith("label") else "invalid-latent")
    assert words in str(caught.value)


def test_label_mixture_lies_between_digits(cgan):
    z = np.repeat(cgan.latents(), 3, axis=0)
    label = np.array([np.eye(10)[3], (np.eye(10)[3] + np.eye(10)[8]) / 2, np.eye(10)[8]])
    three, between, eight = cgan.decode(z, label)
    assert (between != three).any()
    assert (between != eight).any()


def test_threads_share_generator(generator):
    expected = generator.generate(40, seed=9)
    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(lambda i: generator.generate(seed=9, start=i)[0], range(40)))
    np.testing.assert_array_equal(drawn, expected)


def test_pickled_generator_draws_equal_images(generator):
    copy = pickle.loads(pickle.dumps(generator))
    assert repr(copy) == repr(generator)
    np.testing.assert_array_equal(copy.generate(3, seed=6), generator.generate(3, seed=6))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_generator_works_in_forked_child(generator):
    code = f"""
import os, sys
import numpy as np, mnistgen
generator = mnistgen.load({generator.model.name!r}, device="cpu")
expected = generator.generate(50, seed=8)
for _ in range(3):
    generator.generate()  # in a session with threads
child = os.fork()
same = np.array_equal(generator.generate(50, seed=8), expected)
same &= all(np.array_equal(generator.generate(seed=8), expected[:1]) for _ in range(3))
if not child:
    sys.exit(0 if same else 1)  # a normal exit, which destroys what the child inherited
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or not same)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_closed_generator_releases_and_rejects():
    with mnistgen.load("cgan", device="cpu", threads=2) as generator:
        generator.generate(64)
        generator.generate()  # twice, which opens the session with threads
        generator.generate()
        stream = generator.stream(2000)
        next(stream)
        opened = generator._engine._state()
        sessions = [weakref.ref(opened.session), weakref.ref(opened._lazy["session"])]
        threads = list(opened.pool._threads)
        del opened
    generator.close()
    assert [session() for session in sessions] == [None, None]
    assert not [thread for thread in threads if thread.is_alive()]
    refused = [
        lambda: generator.generate(),
        lambda: generator.decode(generator.latents(), np.eye(10)[:1]),
        lambda: generator.stream(5),
        lambda: next(stream),
        lambda: generator.provider,
        lambda: pickle.loads(pickle.dumps(generator)).generate(),
    ]
    for use in refused:
        with pytest.raises(mnistgen.InputError, match="cgan") as caught:
            use()
        assert caught.value.code == "generator-closed"


def test_close_waits_for_running_threads():
    expected = mnistgen.load("vae", device="cpu").generate(64, seed=1)
    generator = mnistgen.load("vae", device="cpu", threads=2)
    drawn, refusals = [], []

    def draw_until_refused():
        try:
            while True:
                drawn.append(generator.generate(64, seed=1))
        except mnistgen.InputError as error:
            refusals.append(error)

    threads = [threading.Thread(target=draw_until_refused) for _ in range(3)]
    for thread in threads:
        thread.start()
    while len(drawn) < 3:
        time.sleep(0.001)
    generator.close()
    for thread in threads:
        thread.join()
    assert len(refusals) == 3
    assert all(np.array_equal(images, expected) for images in drawn)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_closing_in_child_keeps_parent_open():
    code = """
import os, sys, mnistgen
generator = mnistgen.load("cgan", device="cpu", threads=2)
expected = generator.generate(50, seed=1).tobytes()
child = os.fork()
same = generator.generate(50, seed=1).tobytes() == expected
if not child:
    generator.close()
    sys.exit(0 if same else 1)
failed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.exit(failed or generator.generate(50, seed=1).tobytes() != expected)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
