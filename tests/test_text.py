"""Numbers and dates in handwriting, and the boxes of their digits."""

import json
import os

import numpy as np
import pytest
from PIL import Image

import mnistgen
from mnistgen import text as layout

DATE = "2026-11-22"


def test_each_digit_is_another_image(cgan):
    written = cgan.text("77", seed=4, start=9)
    drawn = cgan.generate(2, digit=[7, 7], seed=4, start=9)
    assert (written.array.dtype, written.array.shape) == (np.uint8, (28, 50))
    np.testing.assert_array_equal(written.array[:, :22], drawn[0][:, :22])
    np.testing.assert_array_equal(written.array[:, 28:], drawn[1][:, 6:])
    np.testing.assert_array_equal(written.array[:, 22:28], np.maximum(drawn[0][:, 22:], drawn[1][:, :6]))
    assert (drawn[0] != drawn[1]).any()


def test_boxes_enclose_ink_exactly(cgan):
    written = cgan.text(DATE, seed=1)
    drawn = iter(cgan.generate(8, digit=[2, 0, 2, 6, 1, 1, 2, 2], seed=1))
    assert [box.digit for box in written.boxes] == [2, 0, 2, 6, 1, 1, 2, 2]
    left = 0
    boxes = iter(written.boxes)
    for character in DATE:
        if character == "-":
            left += 16
            continue
        box, ink = next(boxes), next(drawn) >= 64
        rows, columns = slice(box.y, box.y + box.height), slice(box.x - left, box.x - left + box.width)
        assert ink[rows, columns].sum() == ink.sum()
        for side in (ink[rows, columns][0], ink[rows, columns][-1], ink[rows, columns].T[0], ink[rows, columns].T[-1]):
            assert side.any()
        left += 22


def test_boxes_lie_within_picture(cgan):
    written = cgan.text("3-8", seed=2)
    for box in written.boxes:
        inside = written.array[box.y : box.y + box.height, box.x : box.x + box.width]
        assert inside.shape == (box.height, box.width)
        assert inside.max() > 200


def test_blank_digit_has_whole_cell_box():
    assert layout._box(np.zeros((28, 28), dtype=np.uint8), 5, 44) == layout.Box(5, 44, 0, 28, 28)


@pytest.mark.parametrize("character", "-.:/,+")
def test_punctuation_is_drawn_between_digits(cgan, character):
    plain = cgan.text("1 1", seed=3)
    drawn = cgan.text(f"1{character}1", seed=3)
    first, second = drawn.boxes
    between = drawn.array[:, 25 : drawn.array.shape[1] - 25]
    assert between.max() == 255
    assert first == plain.boxes[0]
    assert second.width == plain.boxes[1].width
    one, other = cgan.generate(2, digit=1, seed=3)
    np.testing.assert_array_equal(drawn.array[:, :22], one[:, :22])
    np.testing.assert_array_equal(drawn.array[:, -22:], other[:, -22:])


def test_strokes_of_characters_differ():
    drawn = {character: layout._draw(character) for character in layout._STROKES}
    assert not drawn[" "].any()
    sizes = {character: int((ink > 127).sum()) for character, ink in drawn.items() if character != " "}
    assert all(sizes.values())
    assert sizes["."] < sizes[":"] < sizes["-"] < sizes["+"]
    comma, dot = drawn[","], drawn["."]
    assert np.flatnonzero(comma.any(1))[-1] > np.flatnonzero(dot.any(1))[-1]  # below the line
    assert all((ink[:, 0] == 0).all() and (ink[:, -1] == 0).all() for ink in drawn.values())  # nothing is cut off


@pytest.mark.parametrize(
    "wrong", ["", " ", "-", "12a", "1\n2", "５", "−1", "1\t2", "\x1b[2J1", 1.5, True, 10**101, None]
)
def test_text_rejects_invalid_characters(cgan, wrong):
    with pytest.raises(mnistgen.InputError) as caught:
        cgan.text(wrong)
    assert caught.value.code == "invalid-text"


def test_unconditional_model_rejects_text():
    with pytest.raises(mnistgen.InputError) as caught:
        mnistgen.load("vae").text("1")
    assert caught.value.code == "model-unconditional"


@pytest.mark.parametrize(("kind", "scale"), [("png", 3), ("gif", 3), ("webp", 3), ("npy", 1), ("npz", 1)])
def test_command_writes_picture_and_boxes(run, folder, cgan, kind, scale):
    enlarged = ["--scale", "3"] if scale == 3 else []
    code, out, _ = run(
        "--text", DATE, "--seed", "1", "--format", kind, "--boxes", "boxes.json", *enlarged, "--device", "cpu"
    )
    name = f"cgan-text{DATE}-seed1.{kind}"
    assert (code, out) == (0, f"{name}  seed 1  CPUExecutionProvider\n")
    written = cgan.text(DATE, seed=1)
    picture = written.array.repeat(scale, 0).repeat(scale, 1)
    if kind.startswith("np"):
        loaded = np.load(name)
        found = (loaded["images"] if kind == "npz" else loaded)[0]
    else:
        with Image.open(name) as file:
            found = np.asarray(file.convert("L"))
    np.testing.assert_array_equal(found, picture)
    truth = json.loads((folder / "boxes.json").read_text())
    assert (truth["text"], truth["width"], truth["height"]) == (DATE, *picture.shape[::-1])
    assert truth["digits"] == [
        {"digit": box.digit, "box": [scale * box.x, scale * box.y, scale * box.width, scale * box.height]}
        for box in written.boxes
    ]


def test_json_lists_digits_of_text(run, folder):
    _, out, _ = run("--text", "10:45", "--seed", "1", "--json")
    facts = json.loads(out)
    assert (facts["n"], facts["digits"], facts["path"]) == (4, [1, 0, 4, 5], "cgan-text10_45-seed1.png")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--text", "12a"], 2, "'12a'"),
        (["--text", "12", "--model", "gan"], 2, "--model cgan"),
        (["--text", "12", "--digit", "3"], 2, "--digit"),
        (["--text", "12", "--n", "3"], 2, "--n"),
        (["--text", "12", "--columns", "3"], 2, "--columns"),
        (["--text", "1" * 1001], 2, "digits is 1001"),
        (["--text", "1" + " " * 1000], 2, "characters is 1001"),
        (["--text", "1" * 1000, "--scale", "64"], 2, "at most 89000000"),
        (["--text", "1" * 200, "--format", "webp"], 2, "16383"),
        (["--boxes", "x.json"], 2, "--text"),
        (["--text", "1", "--boxes", "x.txt"], 2, "x.txt"),
        (["--text", "1", "--boxes", "no/x.json"], 1, "--boxes"),
    ],
)
def test_invalid_options_leave_no_file(run, folder, arguments, code, words):
    got, out, err = run(*arguments)
    assert (got, out, err.count("\n")) == (code, "", 1)
    assert words in err
    assert os.listdir() == []
