"""Verified digits: read back and redrawn from reserve addresses until legible, reproducibly."""

import json
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from conftest import PACKAGED, ROOT

import mnistgen
from mnistgen import verify
from mnistgen.cli import group
from mnistgen.latent_digits import MAP_LIMIT, map_cells, may_show, tells_digits
from mnistgen.latents import one_hot, reserve_latents
from mnistgen.manifest import Manifest

ARTIFACTS = ROOT / "artifacts"
SILENT = {"label_bias": [], "label_temperature": 0, "label_map": []}
"""Facts of a model whose latents do not tell the digit."""


@pytest.fixture(scope="module")
def verifier() -> verify.Verifier:
    return verify.Verifier(Manifest(ARTIFACTS))


@pytest.fixture(scope="module")
def gan() -> mnistgen.Generator:
    return mnistgen.load("gan", device="cpu")


@pytest.fixture(scope="module", params=PACKAGED)
def drawn(request):
    """Each model with 20 verified digits, two of each."""
    generator = mnistgen.load(request.param, device="cpu")
    return generator, generator.generate_verified(20, digit=np.arange(20) % 10, seed=4)


def probabilities(verifier, images, digits):
    """Return the probability of each digit (n,) in its image (n, 28, 28)."""
    return verifier.read(images)[np.arange(len(images)), digits]


def attempt(generator, index, digit, number):
    """Draw the image of an attempt at an address of seed 4."""
    z = reserve_latents([index], generator.model.latent_size, 4, number)
    label = one_hot(np.array([digit])) if generator.model.classes else None
    return np.rint(generator.decode(z, label) * 255).astype(np.uint8)  # (1, 28, 28)


def test_verified_digits_are_read_as_requested(drawn, verifier):
    _, verified = drawn
    assert (verified.images.dtype, verified.images.shape) == (np.uint8, (20, 28, 28))
    np.testing.assert_array_equal(verified.digits, np.arange(20) % 10)
    assert (probabilities(verifier, verified.images, verified.digits) >= verify.THRESHOLD).all()
    assert verified.attempts.min() >= 1
    assert verified.attempts.max() <= verify.MOST_ATTEMPTS


def test_first_legible_attempt_is_returned(drawn, verifier):
    generator, verified = drawn
    longest = [int(index) for index in np.argsort(verified.attempts)[-2:]]
    for index in {0, *longest}:
        digit, attempts = verified.digits[index], verified.attempts[index]
        images = np.concatenate([attempt(generator, index, digit, number) for number in range(attempts)])
        np.testing.assert_array_equal(images[-1], verified.images[index])
        legible = probabilities(verifier, images, np.repeat(digit, attempts)) >= verify.THRESHOLD
        assert legible.tolist() == [False] * (attempts - 1) + [True]


def test_first_attempt_equals_generate(drawn):
    generator, verified = drawn
    at_once = verified.attempts == 1
    digits = verified.digits if generator.model.classes else None
    plain = generator.generate(20, digit=digits, seed=4)
    assert at_once.any()
    np.testing.assert_array_equal(verified.images[at_once], plain[at_once])


@pytest.mark.parametrize("threads", [1, 3])
def test_verified_digit_depends_on_address_and_digit(drawn, threads):
    generator, verified = drawn
    other = mnistgen.load(generator.model.name, device="cpu", threads=threads)
    for part in (slice(0, 1), slice(7, 8), slice(5, 20)):
        digits = verified.digits[part]
        again = other.generate_verified(len(digits), digit=digits, seed=4, start=part.start)
        np.testing.assert_array_equal(again.images, verified.images[part])
        np.testing.assert_array_equal(again.attempts, verified.attempts[part])


def test_attempts_at_other_digits_are_not_drawn(drawn, monkeypatch):
    generator, verified = drawn
    if not tells_digits(generator.model):
        pytest.skip("its latents do not tell the digit")
    other, sizes = mnistgen.load(generator.model.name, device="cpu"), []
    draw = other._engine.draw
    monkeypatch.setattr(other._engine, "draw", lambda n, *functions: (sizes.append(n), draw(n, *functions)))
    again = other.generate_verified(20, digit=verified.digits, seed=4)
    assert sum(sizes) <= 2 * 20 < verified.attempts.sum()
    sizes.clear()
    other.model = replace(other.model, **SILENT)
    all_drawn = other.generate_verified(20, digit=verified.digits, seed=4)
    assert sum(sizes) == verified.attempts.sum()
    for each in (again, all_drawn):
        np.testing.assert_array_equal(each.images, verified.images)
        np.testing.assert_array_equal(each.attempts, verified.attempts)


def test_map_shows_digits_of_the_plane():
    model = mnistgen.load("vae", device="cpu").model
    label_map = ["-" * 128] * 64 + ["-" * 100 + "7" + "-" * 27] + ["-" * 128] * 63
    model = replace(model, label_map=label_map)
    z = (
        np.array([[36.5, 0.5], [37.9, 1.9], [35.1, -0.9], [38.1, 0.5], [36.5, 2.1], [-64.5, 0], [0, 99]], np.float32)
        / 16
    )
    for digit, expected in ((7, [1, 1, 1, 0, 0, 1, 1]), (1, [0, 0, 0, 0, 0, 1, 1])):
        assert may_show(model, z, np.full(len(z), digit, np.uint8)).tolist() == expected
    corners = np.array([[-MAP_LIMIT, MAP_LIMIT - 1e-3], [-9, 9]], np.float32)
    assert map_cells(corners, 128).tolist() == [[0, 127], [-1, 128]]


def test_generate_returns_verified_images(cgan):
    images = cgan.generate(12, seed=3, start=5, verify=True)
    verified = cgan.generate_verified(12, seed=3, start=5)
    np.testing.assert_array_equal(images, verified.images)
    np.testing.assert_array_equal(verified.digits, np.arange(5, 17) % 10)


def test_unconditional_model_accepts_any_legible_digit(gan, verifier):
    verified = gan.generate_verified(40, seed=2)
    read = verifier.read(verified.images)
    np.testing.assert_array_equal(verified.digits, read.argmax(1))
    assert (read.max(1) >= verify.THRESHOLD).all()
    assert len(np.unique(verified.digits)) > 5
    assert verified.attempts.mean() < 2


def test_one_verified_digit_for_all_images(gan):
    verified = gan.generate_verified(5, digit=3, seed=1)
    assert verified.digits.tolist() == [3] * 5
    assert len(np.unique(verified.images, axis=0)) == 5


def test_largest_addresses_can_be_verified(gan):
    assert gan.generate_verified(2, digit=1, seed=2**64 - 1, start=2**63 - 2).digits.tolist() == [1, 1]


def test_unconditional_digit_needs_verification(gan):
    with pytest.raises(mnistgen.InputError, match="verify=True") as caught:
        gan.generate(digit=5)
    assert caught.value.code == "model-unconditional"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"n": 0}, "invalid-count"),
        ({"digit": 10}, "invalid-digit"),
        ({"digit": [1, 2]}, "digit-count-mismatch"),
        ({"seed": -1}, "invalid-seed"),
        ({"start": 2**63}, "invalid-start"),
        ({"n": 10**15}, "out-of-memory"),
    ],
)
def test_verified_rejects_invalid_arguments(gan, arguments, code):
    with pytest.raises(mnistgen.InputError) as caught:
        gan.generate_verified(**arguments)
    assert caught.value.code == code


def test_illegible_image_is_an_error(gan, monkeypatch):
    monkeypatch.setattr(verify, "THRESHOLD", 1.1)
    monkeypatch.setattr(verify, "MOST_ATTEMPTS", 3)
    monkeypatch.setattr(gan, "model", replace(gan.model, **SILENT))
    runs = []
    original = gan._engine.draw
    monkeypatch.setattr(gan._engine, "draw", lambda n, *others: runs.append(n) or original(n, *others))
    with pytest.raises(mnistgen.IllegibleError, match="Image 7 of seed 6 was not read as 2 in 3 attempts by the gan"):
        gan.generate_verified(4, digit=2, seed=6, start=7)
    assert runs == [4, 4, 4]
    with pytest.raises(mnistgen.IllegibleError, match="any digit in 3 attempts") as caught:
        gan.generate(verify=True)
    assert caught.value.code == "illegible"


def test_missing_verifier_only_prevents_verification(artifacts):
    manifest = json.loads((artifacts / "manifest.json").read_text())
    del manifest["verifier"]
    (artifacts / "manifest.json").write_text(json.dumps(manifest))
    generator = mnistgen.load("vae", device="cpu", artifacts=artifacts)
    assert generator.generate().shape == (1, 28, 28)
    with pytest.raises(mnistgen.ArtifactError) as caught:
        generator.generate(verify=True)
    assert caught.value.code == "verifier-missing"


def test_damaged_verifier_is_rejected(artifacts):
    path = artifacts / "verifier.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(mnistgen.ArtifactError, match=r"verifier.onnx") as caught:
        mnistgen.load("vae", device="cpu", artifacts=artifacts).generate(verify=True)
    assert caught.value.code == "model-hash-mismatch"


@pytest.mark.parametrize("facts", [[], {}, None, {"file": 1}])
def test_malformed_verifier_facts_are_rejected(artifacts, facts):
    manifest = json.loads((artifacts / "manifest.json").read_text())
    manifest["verifier"] = facts
    (artifacts / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(mnistgen.ArtifactError) as caught:
        mnistgen.load("vae", artifacts=artifacts)
    assert caught.value.code == "manifest-damaged"


def test_threads_share_verifier(gan):
    def draw(start):
        return gan.generate(4, seed=8, start=start, verify=True)

    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(draw, range(0, 16, 4)))
    np.testing.assert_array_equal(np.concatenate(parts), gan.generate(16, seed=8, verify=True))


def test_generator_with_verifier_can_be_pickled(gan):
    expected = gan.generate(3, digit=4, seed=1, verify=True)
    again = pickle.loads(pickle.dumps(gan))
    np.testing.assert_array_equal(again.generate(3, digit=4, seed=1, verify=True), expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_verifier_works_in_forked_child(gan):
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


def test_verifier_bits_independent_of_batch(verifier, gan):
    images = gan.generate(33, seed=1)
    together = verifier.read(images)
    assert (together.dtype, together.shape) == (np.float32, (33, 10))
    np.testing.assert_allclose(together.sum(1), 1, rtol=1e-6)
    for batch in (1, 2, 5, 16):
        parts = [verifier.read(images[first : first + batch]) for first in range(0, 33, batch)]
        np.testing.assert_array_equal(np.concatenate(parts), together)


def test_mixtures_are_seldom_accepted(cgan, verifier):
    z = cgan.latents(60, seed=1)
    pairs = [(3, 8), (4, 9), (1, 7), (5, 6), (0, 6), (2, 3)] * 10
    halves = sum(one_hot(np.array(digits)) for digits in zip(*pairs, strict=True)) / 2  # (60, 10)
    for label, least, most in ((halves, 0, 0.2), (one_hot(np.arange(60) % 10), 0.5, 1)):
        read = verifier.read(np.rint(cgan.decode(z, label) * 255).astype(np.uint8))
        assert least <= (read.max(1) >= verify.THRESHOLD).mean() <= most


@pytest.mark.parametrize(
    ("arguments", "name", "digits"),
    [
        (["--digit", "5", "--n", "3"], "cgan-digit5-n3-seed7-verified.png", [5, 5, 5]),
        (["--model", "vae", "--digit", "3,1"], "vae-digits31-seed7-verified.png", [3, 1]),
        (["--text", "7.2"], "cgan-text7.2-seed7-verified.png", [7, 2]),
        (["--model", "gan", "--text", "41"], "gan-text41-seed7-verified.png", [4, 1]),
    ],
)
def test_command_draws_and_replays_verified_digits(run, folder, arguments, name, digits):
    code, out, err = run(*arguments, "--seed", "7", "--verify", "--json")
    facts = json.loads(out)
    assert (code, err, facts["path"], facts["digits"]) == (0, "", name, digits)
    assert len(facts["attempts"]) == len(digits)
    assert min(facts["attempts"]) >= 1
    assert json.loads(run("info", name, "--json", command=group.mnistgen)[1])["verified"] is True
    assert run("replay", name, command=group.mnistgen)[0] == 0


def test_command_reports_attempts(run, folder, gan):
    verified = gan.generate_verified(3, seed=7)
    code, out, _ = run("--model", "gan", "--n", "3", "--seed", "7", "--verify", "--out", "x.npz")
    assert (code, out.split("  ")[2]) == (0, f"3 verified in {verified.attempts.sum()} attempts")
    with np.load(folder / "x.npz") as arrays:
        np.testing.assert_array_equal(arrays["images"], verified.images)
        np.testing.assert_array_equal(arrays["digits"], verified.digits)


def test_illegible_digit_leaves_no_file(run, folder, monkeypatch):
    monkeypatch.setattr(verify, "THRESHOLD", 1.1)
    monkeypatch.setattr(verify, "MOST_ATTEMPTS", 2)
    code, out, err = run("--digit", "5", "--seed", "7", "--verify")
    assert (code, out) == (1, "")
    assert "Image 0 of seed 7 was not read as 5 in 2 attempts by the cgan" in err
    assert not list(folder.iterdir())


def test_command_explains_unconditional_model(run, folder):
    code, _, err = run("--model", "gan", "--digit", "5")
    assert (code, err.count("\n")) == (2, 1)
    assert "--model cgan" in err
    assert "--verify" in err


def test_own_model_uses_shipped_verifier(gan):
    mine = mnistgen.Generator.from_file(ARTIFACTS / "gan.onnx", device="cpu")
    np.testing.assert_array_equal(
        mine.generate(2, digit=[3, 4], seed=1, verify=True), gan.generate(2, digit=[3, 4], seed=1, verify=True)
    )


def test_closed_generator_does_not_verify():
    generator = mnistgen.load("vae", device="cpu")
    generator.generate(verify=True)
    generator.close()
    with pytest.raises(mnistgen.InputError) as caught:
        generator.generate(verify=True)
    assert caught.value.code == "generator-closed"


def test_map_contains_all_accepted_digits(verifier):
    vae = mnistgen.load("vae", device="cpu")
    z = vae.latents(2000, seed=11)
    probabilities = verifier.read(np.rint(vae.decode(z) * 255).astype(np.uint8))  # (2000, 10)
    accepted = probabilities.max(1) >= verify.THRESHOLD
    digits = probabilities.argmax(1).astype(np.uint8)
    assert accepted.mean() > 0.7
    assert may_show(vae.model, z[accepted], digits[accepted]).all()
    assert may_show(vae.model, z, (digits + 1) % 10).mean() < 0.1
