"""The Python API: digits for seeds and labels, the same ones however they are asked for."""

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

import mnistgen
from mnistgen.inference import engine


def test_public_names_are_those_that_are_promised():
    errors = "Artifact Device Illegible Input MissingPackage Mnistgen Output Provenance UnknownModel"
    names = ["DeviceWarning", "Generator", "__version__", "load", *(f"{name}Error" for name in errors.split())]
    assert sorted(mnistgen.__all__) == sorted(names)
    assert all(hasattr(mnistgen, name) for name in mnistgen.__all__)


def test_importing_mnistgen_imports_neither_onnxruntime_nor_pillow():
    code = "import sys, mnistgen.cli; print([m for m in ('onnxruntime', 'PIL', 'torch', 'onnx') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_images_are_bright_ink_on_black_in_uint8(generator):
    images = generator.generate(20, seed=1)
    assert images.dtype == np.uint8
    assert images.shape == (20, 28, 28)
    assert images.max() > 200  # ink
    assert np.median(images) < 30  # on background


@pytest.mark.parametrize("name", MODELS)
def test_images_are_the_golden_ones_within_a_grey_level(name):
    with Image.open(ROOT / "tests" / "golden" / f"{name}.png") as image:
        golden = np.asarray(image).astype(int)
    images = mnistgen.load(name).generate(10, seed=0)
    difference = np.abs(np.concatenate(list(images), axis=1) - golden)
    if name == "cgan-int8":  # where a rounding goes the other way, an eighth bit does, too
        assert difference.mean() <= 1
    else:
        assert difference.max() <= 1


def test_an_image_depends_on_seed_and_index_alone(generator):
    many = generator.generate(150, seed=5)
    assert len(np.unique(many, axis=0)) == 150
    np.testing.assert_array_equal(many[137:], generator.generate(13, seed=5, start=137))
    for index in (0, 1, 64, 149):
        np.testing.assert_array_equal(many[index], generator.generate(seed=5, start=index)[0])


def test_generate_is_the_rounded_decoding_of_latents(generator):
    z = generator.latents(200, seed=2, start=3)
    label = np.eye(10)[np.arange(3, 203) % 10] if generator.model.classes else None
    decoded = generator.decode(z, label)
    assert decoded.dtype == np.float32
    assert decoded.shape == (200, 28, 28)
    assert decoded.min() >= 0
    assert decoded.max() <= 1
    np.testing.assert_array_equal(generator.generate(200, seed=2, start=3), np.rint(decoded * 255))


def test_an_image_is_the_same_to_the_last_bit_whatever_the_batch_and_the_threads(generator):
    z = generator.latents(70, seed=3)
    label = np.eye(10)[np.arange(70) % 10] if generator.model.classes else None
    expected = generator.decode(z, label)
    for threads, batches in ((1, (1, 16)), (2, (1, 7)), (3, (1, 2, 3, 7, 16, 33, 70)), (4, (1,)), (6, (1,))):
        other = mnistgen.load(generator.model.name, device="cpu", threads=threads)
        for batch in batches:
            slices = [slice(first, first + batch) for first in range(0, 70, batch)]
            drawn = [other.decode(z[part], None if label is None else label[part]) for part in slices]
            np.testing.assert_array_equal(np.concatenate(drawn), expected)


def test_a_stream_is_what_generate_returns_in_blocks(cgan):
    digits = [i % 7 for i in range(1500)]
    blocks = list(cgan.stream(1500, digit=digits, seed=3, start=9))
    assert [len(block) for block in blocks] == [1024, 476]
    np.testing.assert_array_equal(np.concatenate(blocks), cgan.generate(1500, digit=digits, seed=3, start=9))
    cycled = np.concatenate(list(cgan.stream(1030, seed=1)))
    np.testing.assert_array_equal(cycled, cgan.generate(1030, seed=1))


def test_a_stream_of_any_length_is_drawn_as_it_is_read(generator):
    first = next(generator.stream(10**18, seed=5))
    np.testing.assert_array_equal(first[:20], generator.generate(20, seed=5))


def test_a_stream_refuses_impossible_values_before_it_is_read(cgan):
    for wrong in ({"n": 0}, {"n": 5, "digit": 11}, {"n": 5, "seed": -1}, {"n": 5, "digit": [1, 2]}):
        with pytest.raises(mnistgen.InputError):
            cgan.stream(**wrong)


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", 10**6])
def test_an_impossible_count_of_threads_is_refused(threads):
    with pytest.raises(mnistgen.InputError, match="not a count of threads: that is a whole number from 1 to 1024"):
        mnistgen.load("vae", threads=threads)


def test_the_cgan_cycles_through_the_digits_by_index(cgan):
    asked = cgan.generate(25, digit=[i % 10 for i in range(8, 33)], seed=4, start=8)
    np.testing.assert_array_equal(cgan.generate(25, seed=4, start=8), asked)


def test_one_digit_is_asked_for_all_images(cgan):
    np.testing.assert_array_equal(cgan.generate(3, digit=5), cgan.generate(3, digit=[5, 5, 5]))
    np.testing.assert_array_equal(cgan.generate(3, digit=5), cgan.generate(3, digit=np.array([5, 5, 5])))
    np.testing.assert_array_equal(cgan.generate(3, digit=5), cgan.generate(3, digit=np.array(5)))
    assert (cgan.generate(3, digit=5) != cgan.generate(3, digit=6)).any()


def test_the_largest_addresses_can_be_asked_for(generator):
    assert generator.generate(seed=2**64 - 1, start=2**63 - 1).shape == (1, 28, 28)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n": 0}, "0 is not the count n"),
        ({"n": -3}, "-3 is not the count n"),
        ({"n": 2.5}, "2.5 is not the count n"),
        ({"n": 10**15}, "do not fit into memory"),
        ({"seed": -1}, "-1 is not a seed"),
        ({"seed": 2**64}, "is not a seed: that is a whole number from 0 to 18446744073709551615"),
        ({"seed": "7"}, "'7' is not a seed"),
        ({"seed": 10**5000}, "So large a number is not a seed"),
        ({"start": -1}, "-1 is not start"),
        ({"n": 2, "start": 2**63 - 1}, "go beyond"),
        ({"digit": 10}, "10 is not a digit: that is a whole number from 0 to 9"),
        ({"digit": "5"}, "'5' is not a digit"),
        ({"n": 2, "digit": [1, 2, 3]}, "names 3 digits for 2 images"),
        ({"n": 2, "digit": [[1], [2, 3]]}, r"\[1\] is not a digit"),
        ({"digit": []}, "An empty list does not hold a digit"),
    ],
)
def test_impossible_values_are_refused_in_a_sentence(cgan, arguments, words):
    with pytest.raises(mnistgen.InputError, match=words) as caught:
        cgan.generate(**arguments)
    assert isinstance(caught.value, ValueError)


def test_more_latents_than_fit_into_memory_are_refused(cgan):
    with pytest.raises(mnistgen.InputError, match="do not fit into memory"):
        cgan.latents(10**15)


def test_a_failing_runtime_is_told(cgan, monkeypatch):
    def fail(session, feed):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(engine, "run_session", fail)
    for n in (1, 100):
        with pytest.raises(mnistgen.DeviceError, match=r"failed to run the cgan \(CPUExec\w+\): out of memory"):
            cgan.generate(n)


@pytest.mark.parametrize("name", ["vae", "gan"])
def test_a_digit_is_refused_by_models_that_take_none(name):
    model = mnistgen.load(name)
    with pytest.raises(mnistgen.InputError, match="the cgan does"):
        model.generate(digit=5)
    with pytest.raises(mnistgen.InputError, match="the cgan does"):
        model.decode(model.latents(), np.eye(10)[:1])


@pytest.mark.parametrize(
    ("z", "label", "words"),
    [
        (np.zeros(128), np.eye(10)[:1], r"z has shape \(128,\)"),
        (np.zeros((0, 128)), np.eye(10)[:0], "n at least 1"),
        (np.zeros((1, 100)), np.eye(10)[:1], r"give one of shape \(n, 128\)"),
        (np.full((1, 128), np.nan), np.eye(10)[:1], "not finite"),
        (np.full((1, 128), 1e300), np.eye(10)[:1], "beyond ±1,000,000"),
        ("digits", np.eye(10)[:1], "no array of real numbers"),
        (np.full((1, 128), 1j), np.eye(10)[:1], "no array of real numbers"),
        ([[10**400] * 128], np.eye(10)[:1], "no array of real numbers"),
        ([[0], [0, 0]], np.eye(10)[:1], "z is no array"),
        (np.zeros((1, 128)), None, "needs a label"),
        (np.zeros((1, 128)), np.eye(10)[:2], "1 rows and label 2"),
    ],
)
def test_decode_refuses_what_is_no_latent_or_label(cgan, z, label, words):
    with pytest.raises(mnistgen.InputError, match=words):
        cgan.decode(z, label)


def test_a_mixture_of_labels_lies_between_digits(cgan):
    z = np.repeat(cgan.latents(), 3, axis=0)
    label = np.array([np.eye(10)[3], (np.eye(10)[3] + np.eye(10)[8]) / 2, np.eye(10)[8]])
    three, between, eight = cgan.decode(z, label)
    assert (between != three).any()
    assert (between != eight).any()


def test_threads_share_a_generator(generator):
    expected = generator.generate(40, seed=9)
    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(lambda i: generator.generate(seed=9, start=i)[0], range(40)))
    np.testing.assert_array_equal(drawn, expected)


def test_a_pickled_generator_draws_the_same(generator):
    copy = pickle.loads(pickle.dumps(generator))
    assert repr(copy) == repr(generator)
    np.testing.assert_array_equal(copy.generate(3, seed=6), generator.generate(3, seed=6))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_generator_works_in_a_forked_child_that_ends_normally(generator):
    code = f"""
import os, sys
import numpy as np, mnistgen
generator = mnistgen.load({generator.model.name!r}, device="cpu")
expected = generator.generate(50, seed=8)
for _ in range(3):
    generator.generate()  # by threads of its own
child = os.fork()
same = np.array_equal(generator.generate(50, seed=8), expected)
same &= all(np.array_equal(generator.generate(seed=8), expected[:1]) for _ in range(3))
if not child:
    sys.exit(0 if same else 1)  # an ordinary end, which also takes down what the child inherited
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or not same)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_closed_generator_lets_go_of_threads_and_sessions_and_refuses_in_a_sentence():
    with mnistgen.load("cgan", device="cpu", threads=2) as generator:
        generator.generate(64)
        generator.generate()  # twice alone, so that the session with threads of its own is open, too
        generator.generate()
        stream = generator.stream(2000)
        next(stream)
        opened = generator._engine._here()
        sessions = [weakref.ref(opened.session), weakref.ref(opened._wide_session)]
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
        with pytest.raises(mnistgen.InputError, match=r"of the cgan is closed: load another with mnistgen\.load\."):
            use()


def test_closing_a_generator_spoils_nothing_that_other_threads_draw():
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
def test_a_forked_child_that_closes_its_generator_leaves_the_parent_its_own():
    code = """
import os, sys, mnistgen
generator = mnistgen.load("cgan", device="cpu", threads=2)
expected = generator.generate(50).tobytes()
child = os.fork()
same = generator.generate(50).tobytes() == expected
if not child:
    generator.close()
    sys.exit(0 if same else 1)
failed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.exit(failed or generator.generate(50).tobytes() != expected)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
