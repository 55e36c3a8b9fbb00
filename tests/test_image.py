"""Images and animations: what drawing returns can be shown and saved, and tells how it was drawn."""

import base64
import io
import itertools
import re

import numpy as np
import pytest
from PIL import Image, ImageSequence

import mnistgen
from mnistgen import provenance
from mnistgen.output import limits


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def test_one_line_draws_a_digit(folder):
    path = mnistgen.draw(5, seed=7).save("five.png")
    assert provenance.read(path).digits == (5,)
    expected = mnistgen.load("cgan").generate(digit=5, seed=7)[0].repeat(8, 0).repeat(8, 1)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), expected)


def test_draw_loads_a_model_once():
    from mnistgen import api

    mnistgen.draw(5)
    before = api._loaded.cache_info().misses
    mnistgen.draw([1, 2])
    assert api._loaded.cache_info().misses == before


@pytest.mark.parametrize("kind", [*limits.LAYOUT, "jpeg"])
def test_saved_file_equals_that_of_the_command(run, folder, cgan, kind):
    options = ["--columns", "2"] if kind in ("png", "jpg", "svg", "txt") else []
    assert run("--digit", "3,1,4", "--seed", "7", "--device", "cpu", "--out", f"a.{kind}", *options)[0] == 0
    columns = {"columns": 2} if options else {}
    cgan.draw([3, 1, 4], seed=7).save(f"b.{kind}", **columns)
    a, b = ((folder / f"{name}.{kind}").read_bytes() for name in "ab")
    if kind == "jpeg":
        assert opened(b).size == (3 * 28 * 8, 28 * 8)
    else:
        assert a == b


def test_image_is_an_array(cgan):
    image = cgan.draw(5, seed=7)
    digit = cgan.generate(digit=5, seed=7)[0]
    np.testing.assert_array_equal(image, digit)
    assert np.asarray(image, dtype=np.float32).dtype == np.float32
    assert cgan.draw([1, 2], n=11, seed=7).array.shape == (56, 280)


@pytest.mark.parametrize(
    ("arguments", "digits"),
    [
        ({"digit": 5}, (5,)),
        ({"digit": 5, "n": 3}, (5, 5, 5)),
        ({"digit": [3, 8]}, (3, 8)),
        ({"digit": range(3), "n": 5}, (0, 1, 2, 0, 1)),
        ({"digit": np.array([1, 2]), "n": 1}, (1,)),
        ({"n": 3, "start": 8}, (8, 9, 0)),
        ({}, (0,)),
    ],
)
def test_digits_repeat(cgan, arguments, digits):
    image = cgan.draw(**arguments, seed=7)
    assert image.digits == digits
    start = arguments.get("start", 0)
    np.testing.assert_array_equal(image.frames, cgan.generate(len(digits), digit=[*digits], seed=7, start=start))


def test_random_seed_is_told(cgan):
    image, other = cgan.draw(5, n=3), cgan.draw(5, n=3)
    assert image.seed != other.seed
    np.testing.assert_array_equal(cgan.draw(5, n=3, seed=image.seed), image)
    written = cgan.text("10")
    np.testing.assert_array_equal(cgan.text("10", seed=written.seed), written)
    walk = cgan.walk()
    assert walk.digits == tuple(range(10))
    np.testing.assert_array_equal(cgan.walk(seeds=walk.seeds, digits=walk.digits), walk)


def test_unconditional_walk_has_random_stops():
    walk = mnistgen.load("vae").walk(frames=2)
    assert (len(walk.seeds), walk.digits, len(walk)) == (4, None, 7)


def test_every_array_is_random_without_a_seed(cgan):
    for draw in (cgan.generate, cgan.latents, lambda: next(cgan.stream(1))):
        assert (draw() != draw()).any()
    verified = cgan.generate_verified()
    assert (verified.images != cgan.generate_verified().images).any()
    np.testing.assert_array_equal(cgan.generate_verified(seed=verified.seed).images, verified.images)


def test_verified_image_tells_attempts():
    image = mnistgen.load("gan", device="cpu").draw([5, 3], seed=3, verify=True)
    assert image.digits == (5, 3)
    assert len(image.attempts) == 2
    assert image.record.verified


def test_data_uri(cgan):
    image = cgan.draw(5, seed=7)
    for kind, uri in (("png", image.data_uri()), ("svg+xml", image.data_uri("svg", scale=2))):
        begin, _, content = uri.partition(",")
        assert begin == f"data:image/{kind};base64"
        assert base64.b64decode(content) == image.encode(kind[:3], scale=2 if kind == "svg+xml" else 8)
    assert cgan.walk(seeds=1, digits=[3, 8], frames=2).data_uri().startswith("data:image/gif;base64,R0lG")


def test_notebooks_show_images(cgan):
    assert opened(cgan.draw(5)._repr_png_()).size == (112, 112)
    shown = cgan.walk(seeds=1, digits=[3, 8], frames=2)._repr_mimebundle_()
    assert opened(shown["image/gif"]).n_frames == 3


@pytest.mark.parametrize(("kind", "more"), [("gif", {}), ("webp", {"milliseconds": 33}), ("png", {"scale": 1})])
def test_walk_is_saved_as_by_the_command(call, folder, cgan, kind, more):
    options = [*itertools.chain(*((f"--{name}", str(value)) for name, value in more.items()))]
    arguments = ("--seeds", "7", "--digits", "3,8", "--frames", "4", "--device", "cpu")
    assert call("walk", *arguments, "--out", f"a.{kind}", *options)[0] == 0
    cgan.walk(seeds=7, digits=[3, 8], frames=4).save(f"b.{kind}", **more)
    assert (folder / f"a.{kind}").read_bytes() == (folder / f"b.{kind}").read_bytes()


def test_colors_and_transparency(cgan):
    image = cgan.draw(5, seed=7)
    ink = image.array / 255  # (28, 28)
    painted = np.asarray(opened(image.png(scale=1, color="#ff0000", paper="blue")).convert("RGB"))
    expected = ink[..., None] * [255, 0, 0] + (1 - ink)[..., None] * [0, 0, 255]
    assert np.abs(painted - expected).max() <= 1
    clear = np.asarray(opened(image.png(scale=1, color="navy", paper="none")))
    np.testing.assert_array_equal(clear[..., 3], image.array)
    assert (clear[..., :3] == [0, 0, 128]).all()


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_animations_in_color(cgan, kind):
    image = cgan.draw(n=3, seed=7)
    content = image.encode(kind, scale=2, color="#ff0000", paper="blue")
    assert content == image.encode(kind, scale=2, color="#ff0000", paper="blue")
    ink = image.frames.repeat(2, 1).repeat(2, 2)[..., None] / 255
    expected = ink * [255, 0, 0] + (1 - ink) * [0, 0, 255]
    shown = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(opened(content))]
    assert np.abs(shown - expected).max() <= 1


def test_transparent_webp(cgan):
    image = cgan.draw(n=2, seed=7)
    file = opened(image.encode("webp", scale=1, color="navy", paper="none"))
    alpha = [np.asarray(frame.convert("RGBA"))[..., 3] for frame in ImageSequence.Iterator(file)]
    np.testing.assert_array_equal(alpha, image.frames)


def test_svg_in_color(cgan):
    image = cgan.draw(5, seed=7)
    painted = image.encode("svg", color="#ff0000", paper="blue").decode()
    assert re.findall(r'<rect width="28" height="28" (.*)/>', painted) == ['fill="#0000ff"']
    assert {shade[3:5] for shade in re.findall('fill="(.*?)"', painted)} == {"00"}
    clear = image.encode("svg", color="navy", paper="none").decode()
    assert set(re.findall('fill="(.*?)"', clear)) == {"#000080"}
    assert re.findall('fill-opacity="(.*?)"', clear)[0] == "0"
    levels = np.unique(image.array[image.array > 0])
    assert re.findall('<g .*fill-opacity="(.*?)"', clear) == [f"{level / 255:.4g}" for level in levels]


def test_smooth_enlargement_has_soft_edges(cgan):
    image = cgan.draw(5, seed=7)
    squares, smooth = (np.asarray(opened(image.png(scale=8, resample=how))) for how in ("nearest", "smooth"))
    np.testing.assert_array_equal(squares, image.array.repeat(8, 0).repeat(8, 1))
    assert squares.shape == smooth.shape
    assert len(np.unique(smooth)) > len(np.unique(squares))


def test_jpeg_is_close_to_the_digits(cgan):
    image = cgan.draw(n=10, seed=7)
    shown = np.asarray(opened(image.encode("jpg", scale=2, invert=True)).convert("L"))
    wanted = 255 - image.array.repeat(2, 0).repeat(2, 1)
    assert np.abs(shown.astype(int) - wanted).mean() < 3


def test_styled_picture_carries_no_record(run, folder):
    assert run("--digit", "5", "--color", "red", "--out", "x.png")[0] == 0
    with pytest.raises(mnistgen.ProvenanceError) as caught:
        provenance.read(folder / "x.png")
    assert caught.value.code == "provenance-missing"


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("unknown-format", {"format": "bmp"}),
        ("unknown-format", {"format": ["png"]}),
        ("invalid-layout", {"scale": 0}),
        ("invalid-layout", {"scale": 2.5}),
        ("invalid-layout", {"columns": "2"}),
        ("option-conflict", {"format": "npy", "scale": 2}),
        ("option-conflict", {"format": "gif", "columns": 2}),
        ("option-conflict", {"format": "txt", "color": "red"}),
        ("option-conflict", {"format": "gif", "paper": "none"}),
        ("invalid-style", {"format": "svg", "color": "reddish"}),
        ("invalid-style", {"format": "gif", "paper": "reddish"}),
        ("option-conflict", {"format": "svg", "resample": "smooth"}),
        ("option-conflict", {"format": "jpg", "paper": "none"}),
        ("invalid-style", {"color": "reddish"}),
        ("invalid-style", {"color": "none"}),
        ("invalid-style", {"paper": 5}),
        ("invalid-style", {"resample": "cubic"}),
    ],
)
def test_invalid_layouts(cgan, code, arguments):
    with pytest.raises(mnistgen.InputError) as caught:
        cgan.draw(5).encode(**arguments)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("invalid-count", {"n": 1001}),
        ("invalid-count", {"digit": [5, 3], "n": 10**12}),
        ("invalid-count", {"n": 0}),
        ("invalid-count", {"digit": [5] * 1001}),
        ("invalid-digit", {"digit": [10]}),
        ("invalid-digit", {"digit": []}),
        ("invalid-seed", {"seed": -1}),
        ("invalid-start", {"start": -1}),
    ],
    ids=str,
)
def test_invalid_drawings(cgan, code, arguments):
    with pytest.raises(mnistgen.InputError) as caught:
        cgan.draw(**arguments)
    assert caught.value.code == code
    if "start" not in arguments and "seed" not in arguments:
        with pytest.raises(mnistgen.InputError):
            mnistgen.draw(**arguments)


def test_long_text_is_not_saved(cgan):
    image = cgan.text("12" * 501)
    with pytest.raises(mnistgen.InputError) as caught:
        image.png(scale=1)
    assert caught.value.code == "too-large"


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("unknown-format", {"format": "mp4"}),
        ("invalid-time", {"milliseconds": 5}),
        ("invalid-time", {"milliseconds": 33}),
        ("invalid-layout", {"scale": 65}),
        ("option-conflict", {"format": "png", "milliseconds": 40}),
    ],
)
def test_invalid_animations(cgan, code, arguments):
    with pytest.raises(mnistgen.InputError) as caught:
        cgan.walk(seeds=1, digits=[3, 8], frames=2).encode(**arguments)
    assert caught.value.code == code


def test_save_rejects_unknown_suffixes_and_folders(folder, cgan):
    for path, code in (("x.bmp", "unknown-format"), ("x", "unknown-format"), (5, "invalid-path")):
        with pytest.raises(mnistgen.InputError) as caught:
            cgan.draw(5).save(path)
        assert caught.value.code == code
    with pytest.raises(mnistgen.OutputError):
        cgan.draw(5).save("missing/x.png")
    assert not list(folder.iterdir())


def test_numbers_are_texts(cgan):
    np.testing.assert_array_equal(cgan.text(2026, seed=1), cgan.text("2026", seed=1))
    np.testing.assert_array_equal(cgan.text(np.int64(-5), seed=1), cgan.text("-5", seed=1))


def test_load_takes_a_path(tmp_path):
    from conftest import ROOT

    path = ROOT / "artifacts" / "vae.onnx"
    for name in (path, str(path)):
        gen = mnistgen.load(name, device="cpu", timeout=5)
        np.testing.assert_array_equal(gen.generate(2, seed=1), mnistgen.load("vae").generate(2, seed=1))
    for arguments in ({"model": path, "artifacts": ROOT / "artifacts"}, {"model": "vae", "timeout": 5}):
        with pytest.raises(mnistgen.InputError) as caught:
            mnistgen.load(**arguments)
        assert caught.value.code == "option-conflict"
