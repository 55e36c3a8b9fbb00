"""Verified digits: read back, drawn anew from reserve addresses until they are legible, the same ones every time."""

import hashlib
import json
import os
import pickle
import re
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from conftest import MODELS, ROOT

import mnistgen
from export import verifier as press
from export import weights
from export.artifacts import listed, manifest_bytes
from export.quality import external_classifier as witness
from mnistgen import cli, verify
from mnistgen.latents import one_hot, reserve_latents
from mnistgen.manifest import Manifest
from training import data
from training.verifier import Verifier, distort

ARTIFACTS = ROOT / "artifacts"


@pytest.fixture(scope="module")
def verifier() -> verify.Verifier:
    return verify.Verifier(Manifest(ARTIFACTS))


@pytest.fixture(scope="module")
def gan() -> mnistgen.Generator:
    return mnistgen.load("gan", device="cpu")


@pytest.fixture(scope="module", params=MODELS)
def drawn(request):
    """Each model in turn, with 20 verified digits of it, two of each."""
    generator = mnistgen.load(request.param, device="cpu")
    return generator, generator.generate_verified(20, digit=np.arange(20) % 10, seed=4)


def probabilities(verifier, images, digits):
    """Of each digit (n,) in its image (n, 28, 28)."""
    return verifier.read(images)[np.arange(len(images)), digits]


def attempt(generator, index, digit, number):
    """What a generator draws at an address of seed 4, reserve or not, as `generate` would."""
    z = reserve_latents([index], generator.model.latent_size, 4, number)
    label = one_hot(np.array([digit])) if generator.model.classes else None
    return np.rint(generator.decode(z, label) * 255).astype(np.uint8)  # (1, 28, 28)


def test_every_digit_is_read_as_asked(drawn, verifier):
    _, verified = drawn
    assert (verified.images.dtype, verified.images.shape) == (np.uint8, (20, 28, 28))
    np.testing.assert_array_equal(verified.digits, np.arange(20) % 10)
    assert (probabilities(verifier, verified.images, verified.digits) >= verify.THRESHOLD).all()
    assert verified.attempts.min() >= 1
    assert verified.attempts.max() <= verify.MOST_ATTEMPTS


def test_a_digit_is_the_first_legible_one_of_its_addresses(drawn, verifier):
    generator, verified = drawn
    longest = [int(index) for index in np.argsort(verified.attempts)[-2:]]
    for index in {0, *longest}:
        digit, attempts = verified.digits[index], verified.attempts[index]
        images = np.concatenate([attempt(generator, index, digit, number) for number in range(attempts)])
        np.testing.assert_array_equal(images[-1], verified.images[index])
        legible = probabilities(verifier, images, np.repeat(digit, attempts)) >= verify.THRESHOLD
        assert legible.tolist() == [False] * (attempts - 1) + [True]


def test_a_digit_that_is_read_at_once_is_the_one_of_generate(drawn):
    generator, verified = drawn
    at_once = verified.attempts == 1
    digits = verified.digits if generator.model.classes else None
    plain = generator.generate(20, digit=digits, seed=4)
    assert at_once.any()
    np.testing.assert_array_equal(verified.images[at_once], plain[at_once])


@pytest.mark.parametrize("threads", [1, 3])
def test_a_verified_digit_depends_on_seed_index_and_digit_alone(drawn, threads):
    generator, verified = drawn
    other = mnistgen.load(generator.model.name, device="cpu", threads=threads)
    for part in (slice(0, 1), slice(7, 8), slice(5, 20)):
        digits = verified.digits[part]
        again = other.generate_verified(len(digits), digit=digits, seed=4, start=part.start)
        np.testing.assert_array_equal(again.images, verified.images[part])
        np.testing.assert_array_equal(again.attempts, verified.attempts[part])


def test_generate_returns_the_verified_images(cgan):
    images = cgan.generate(12, seed=3, start=5, verify=True)
    verified = cgan.generate_verified(12, seed=3, start=5)
    np.testing.assert_array_equal(images, verified.images)
    np.testing.assert_array_equal(verified.digits, np.arange(5, 17) % 10)


def test_without_a_digit_any_will_do_of_a_model_without_labels(gan, verifier):
    verified = gan.generate_verified(40, seed=2)
    read = verifier.read(verified.images)
    np.testing.assert_array_equal(verified.digits, read.argmax(1))
    assert (read.max(1) >= verify.THRESHOLD).all()
    assert len(np.unique(verified.digits)) > 5
    assert verified.attempts.mean() < 2


def test_one_digit_may_be_asked_for_all_images(gan):
    verified = gan.generate_verified(5, digit=3, seed=1)
    assert verified.digits.tolist() == [3] * 5
    assert len(np.unique(verified.images, axis=0)) == 5


def test_the_last_addresses_can_be_verified(gan):
    assert gan.generate_verified(2, digit=1, seed=2**64 - 1, start=2**63 - 2).digits.tolist() == [1, 1]


def test_a_digit_of_a_model_without_labels_needs_verification(gan):
    with pytest.raises(mnistgen.InputError, match=r"draws whatever comes.*verify=True"):
        gan.generate(digit=5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n": 0}, "0 is not the count n"),
        ({"digit": 10}, "10 is not a digit: that is a whole number from 0 to 9"),
        ({"digit": [1, 2]}, "names 2 digits for 1 images"),
        ({"seed": -1}, "-1 is not a seed"),
        ({"start": 2**63}, "is not start"),
        ({"n": 10**15}, "do not fit into memory"),
    ],
)
def test_impossible_values_are_told_as_without_verification(gan, arguments, words):
    with pytest.raises(mnistgen.InputError, match=words):
        gan.generate_verified(**arguments)


def test_what_is_illegible_to_the_last_attempt_is_an_error_and_nothing_is_returned(gan, monkeypatch):
    monkeypatch.setattr(verify, "THRESHOLD", 1.1)
    monkeypatch.setattr(verify, "MOST_ATTEMPTS", 3)
    runs = []
    original = gan._engine.draw
    monkeypatch.setattr(gan._engine, "draw", lambda n, *others: runs.append(n) or original(n, *others))
    words = "Image 7 of seed 6 was not read as 2 in 3 draws of the gan: take another seed, or draw without verify."
    with pytest.raises(mnistgen.IllegibleError, match=words):
        gan.generate_verified(4, digit=2, seed=6, start=7)
    assert runs == [4, 4, 4]
    with pytest.raises(mnistgen.IllegibleError, match="was not read as any digit in 3 draws"):
        gan.generate(verify=True)


def test_artifacts_without_a_verifier_draw_but_do_not_verify(artifacts):
    manifest = json.loads((artifacts / "manifest.json").read_text())
    del manifest["verifier"]
    (artifacts / "manifest.json").write_text(json.dumps(manifest))
    generator = mnistgen.load("vae", device="cpu", artifacts=artifacts)
    assert generator.generate().shape == (1, 28, 28)
    with pytest.raises(mnistgen.ArtifactError, match=r"manifest.json lists no verifier: draw without verify"):
        generator.generate(verify=True)


def test_a_damaged_verifier_is_refused_before_it_is_opened(artifacts):
    path = artifacts / "verifier.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(mnistgen.ArtifactError, match=r"verifier.onnx is damaged .* install mnistgen anew"):
        mnistgen.load("vae", device="cpu", artifacts=artifacts).generate(verify=True)


@pytest.mark.parametrize("facts", [[], {}, None, {"file": 1}])
def test_a_manifest_with_another_verifier_is_refused(artifacts, facts):
    manifest = json.loads((artifacts / "manifest.json").read_text())
    manifest["verifier"] = facts
    (artifacts / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(mnistgen.ArtifactError, match="no manifest of mnistgen"):
        mnistgen.load("vae", artifacts=artifacts)


def test_threads_share_a_generator_that_verifies(gan):
    def draw(start):
        return gan.generate(4, seed=8, start=start, verify=True)

    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(draw, range(0, 16, 4)))
    np.testing.assert_array_equal(np.concatenate(parts), gan.generate(16, seed=8, verify=True))


def test_a_generator_that_has_verified_can_be_pickled(gan):
    expected = gan.generate(3, digit=4, seed=1, verify=True)
    again = pickle.loads(pickle.dumps(gan))
    np.testing.assert_array_equal(again.generate(3, digit=4, seed=1, verify=True), expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_verifies_as_its_parent_does(gan):
    expected = gan.generate(3, digit=4, seed=1, verify=True)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(writing, gan.generate(3, digit=4, seed=1, verify=True).tobytes())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == expected.tobytes()
    os.waitpid(child, 0)


def test_an_image_is_read_alike_to_the_last_bit_whatever_it_is_read_with(verifier, gan):
    images = gan.generate(33, seed=1)
    together = verifier.read(images)
    assert (together.dtype, together.shape) == (np.float32, (33, 10))
    np.testing.assert_allclose(together.sum(1), 1, rtol=1e-6)
    for batch in (1, 2, 5, 16):
        parts = [verifier.read(images[first : first + batch]) for first in range(0, 33, batch)]
        np.testing.assert_array_equal(np.concatenate(parts), together)


def test_what_lies_between_two_digits_is_seldom_accepted(cgan, verifier):
    z = cgan.latents(60, seed=1)
    pairs = [(3, 8), (4, 9), (1, 7), (5, 6), (0, 6), (2, 3)] * 10
    halves = sum(one_hot(np.array(digits)) for digits in zip(*pairs, strict=True)) / 2  # (60, 10)
    for label, least, most in ((halves, 0, 0.2), (one_hot(np.arange(60) % 10), 0.5, 1)):
        read = verifier.read(np.rint(cgan.decode(z, label) * 255).astype(np.uint8))
        assert least <= (read.max(1) >= verify.THRESHOLD).mean() <= most


def test_it_reads_the_test_set_as_the_manifest_says(mnist, verifier):
    test = data.load(mnist, "test")
    read = np.concatenate([verifier.read(images[:, 0].numpy()) for images in test.images.split(500)])
    accuracy = (read.argmax(1) == test.labels.numpy()).mean()
    assert accuracy == Manifest(ARTIFACTS).verifier.test_accuracy
    assert accuracy >= 0.994


def test_the_manifest_is_true_of_the_file_that_ships():
    listed_verifier = Manifest(ARTIFACTS).verifier
    content = (ARTIFACTS / "verifier.onnx").read_bytes()
    found = weights.read("verifier", ARTIFACTS / "weights" / "verifier.safetensors")
    assert (len(content), hashlib.sha256(content).hexdigest()) == (listed_verifier.bytes, listed_verifier.sha256)
    assert len(content) < 400_000
    assert found.sha256 == listed_verifier.weights_sha256
    assert listed_verifier.verification["largest_difference"] <= 1e-5
    assert (listed_verifier.training_data, len(listed_verifier.git_revision)) == ("MNIST, training set", 40)
    assert manifest_bytes(listed(ARTIFACTS), listed_verifier) == (ARTIFACTS / "manifest.json").read_bytes()


def test_exporting_the_committed_weights_gives_the_committed_verifier_byte_for_byte():
    found = weights.read("verifier", ARTIFACTS / "weights" / "verifier.safetensors")
    content = press.press(found)
    assert content == (ARTIFACTS / "verifier.onnx").read_bytes()
    model = onnx.load_from_string(content)
    assert (model.ir_version, [(o.domain, o.version) for o in model.opset_import]) == (8, [("", 18)])
    for trace in (b".py", b"/home", b"site-packages", b"Traceback"):
        assert trace not in content


def test_it_is_read_by_another_network_than_digits_are_scored_with():
    network = Verifier()
    assert 50_000 < sum(parameter.numel() for parameter in network.parameters()) < 150_000
    source = (ROOT / "training" / "verifier.py").read_text(encoding="utf-8")
    assert not re.findall(r"^\s*(?:from|import) .*\breader\b", source, re.MULTILINE)
    assert network(torch.zeros(3, 1, 28, 28)).shape == (3, 10)


def test_distortion_moves_the_ink_a_little_and_keeps_it_ink():
    torch.manual_seed(0)
    images = torch.zeros(100, 1, 28, 28)
    images[..., 12:16, 12:16] = 1
    distorted = distort(images)
    assert distorted.shape == images.shape
    assert 0 <= distorted.min() <= distorted.max() <= 1
    assert len(distorted.unique(dim=0)) == 100
    assert distorted[..., 8:20, 8:20].sum() == pytest.approx(distorted.sum().item(), rel=0.02)


def test_without_the_strangers_package_its_command_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "digit_recognizer", None)
    done = CliRunner().invoke(witness.main, [])
    assert done.exit_code == 1
    assert "pip install --no-deps digit-recognizer-py==0.1.0" in done.output


@pytest.mark.parametrize(
    ("arguments", "name", "digits"),
    [
        (["--digit", "5", "--n", "3"], "cgan-digit5-n3-seed7-verified.png", [5, 5, 5]),
        (["--model", "vae", "--digit", "3,1"], "vae-digits31-seed7-verified.png", [3, 1]),
        (["--text", "7.2"], "cgan-text7.2-seed7-verified.png", [7, 2]),
        (["--model", "gan", "--text", "41"], "gan-text41-seed7-verified.png", [4, 1]),
    ],
)
def test_the_command_draws_verified_digits_and_they_are_replayed(run, folder, arguments, name, digits):
    code, out, err = run(*arguments, "--seed", "7", "--verify", "--json")
    facts = json.loads(out)
    assert (code, err, facts["path"], facts["digits"]) == (0, "", name, digits)
    assert len(facts["attempts"]) == len(digits)
    assert min(facts["attempts"]) >= 1
    assert json.loads(run("info", name, "--json", command=cli.mnistgen)[1])["verified"] is True
    assert run("replay", name, command=cli.mnistgen)[0] == 0


def test_the_command_tells_what_was_read_and_in_how_many_draws(run, folder, gan):
    verified = gan.generate_verified(3, seed=7)
    code, out, _ = run("--model", "gan", "--n", "3", "--seed", "7", "--verify", "--out", "x.npz")
    assert (code, out.split("  ")[2]) == (0, f"3 verified in {verified.attempts.sum()} draws")
    with np.load(folder / "x.npz") as arrays:
        np.testing.assert_array_equal(arrays["images"], verified.images)
        np.testing.assert_array_equal(arrays["digits"], verified.digits)


def test_the_command_writes_nothing_where_a_digit_is_illegible(run, folder, monkeypatch):
    monkeypatch.setattr(verify, "THRESHOLD", 1.1)
    monkeypatch.setattr(verify, "MOST_ATTEMPTS", 2)
    code, out, err = run("--digit", "5", "--seed", "7", "--verify")
    assert (code, out) == (1, "")
    assert err.startswith("mnistgen-run: Image 0 of seed 7 was not read as 5 in 2 draws of the cgan: ")
    assert not list(folder.iterdir())


def test_without_verify_a_digit_of_a_model_without_labels_is_refused_with_both_ways_out(run, folder):
    code, _, err = run("--model", "gan", "--digit", "5")
    assert (code, err.count("\n")) == (2, 1)
    assert "take --model cgan, cgan-int8, or add --verify" in err


def test_a_model_file_of_ones_own_is_verified_by_the_verifier_that_ships(gan):
    mine = mnistgen.Generator.from_file(ARTIFACTS / "gan.onnx", device="cpu")
    np.testing.assert_array_equal(
        mine.generate(2, digit=[3, 4], seed=1, verify=True), gan.generate(2, digit=[3, 4], seed=1, verify=True)
    )


def test_a_closed_generator_does_not_verify():
    generator = mnistgen.load("vae", device="cpu")
    generator.generate(verify=True)
    generator.close()
    with pytest.raises(mnistgen.InputError, match="closed"):
        generator.generate(verify=True)
