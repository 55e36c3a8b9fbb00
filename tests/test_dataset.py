"""`mnistgen dataset`: exact counts, complete files, and equal bytes after any interruption."""

import io
import json
import os
import shlex
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from dataset_helpers import SMALL, WRITE, Painter, tree
from PIL import Image
from subprocess_helpers import (
    needs_terminal,
    run_in_terminal,
)

import mnistgen
from mnistgen import dataset
from mnistgen.cli import group
from mnistgen.dataset import kinds
from mnistgen.dataset.labels import apportion
from mnistgen.errors import install_command

KINDS = list(kinds.KINDS)


def contents(out, kind):
    """Return images and labels of both sets, read as users of the kind do."""
    if kind == "idx":
        pytest.importorskip("torch")
        from training.vision import MNIST  # a slow import

        sets = [MNIST(str(out), train=train) for train in (True, False)]
        return [(read.data.numpy(), read.targets.numpy()) for read in sets]
    if kind == "npz":
        with np.load(out / "mnist.npz") as arrays:
            return [(arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])]
    if kind == "png":
        sets = []
        for split in ("train", "test"):
            files = sorted((out / split).glob("?/*.png"), key=lambda path: path.name)
            assert [path.name for path in files] == [f"{i:06}.png" for i in range(len(files))]
            sets.append((np.stack([opened(path) for path in files]), [int(path.parent.name) for path in files]))
        return sets
    parquet = pytest.importorskip("pyarrow.parquet")
    tables = [parquet.read_table(out / f"{split}.parquet").to_pydict() for split in ("train", "test")]
    return [
        (np.stack([opened(io.BytesIO(row["bytes"])) for row in table["image"]]), table["label"]) for table in tables
    ]


def opened(file):
    with Image.open(file) as image:
        return np.asarray(image)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_holds_images_and_labels(cgan_int8, tmp_path, kind):
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    facts = dataset.write(cgan_int8, tmp_path / "digits", 50, test=20, seed=3, kind=kind)
    (images, labels), (test_images, test_labels) = contents(tmp_path / "digits", kind)
    np.testing.assert_array_equal(images, cgan_int8.generate(30, digit=np.array(labels), seed=3))
    np.testing.assert_array_equal(test_images, cgan_int8.generate(20, digit=np.array(test_labels), seed=3, start=30))
    assert np.bincount(labels).tolist() == facts["splits"]["train"]["digits"] == [3] * 10
    assert np.bincount(test_labels).tolist() == facts["splits"]["test"]["digits"] == [2] * 10
    assert json.loads((tmp_path / "digits" / "dataset.json").read_text()) == facts
    assert sorted(os.listdir(tmp_path / "digits")) == sorted([*kinds.KINDS[kind].entries, "dataset.json"])


def test_torchvision_loads_idx(cgan_int8, tmp_path):
    pytest.importorskip("torch")
    from torch.utils.data import DataLoader
    from torchvision.transforms import ToTensor

    from training.vision import MNIST

    dataset.write(cgan_int8, tmp_path, 24, test=8)
    for train, n in ((True, 16), (False, 8)):
        images, labels = next(iter(DataLoader(MNIST(str(tmp_path), train=train, transform=ToTensor()), batch_size=32)))
        assert images.shape == (n, 1, 28, 28)
        assert 0.5 < images.max() <= 1
        assert len(labels) == n


def test_dataset_without_test_set(tmp_path):
    pytest.importorskip("torch")
    from training.vision import MNIST

    for kind in ("idx", "npz", "png"):
        dataset.write(Painter(), tmp_path / kind, 12, test=0, kind=kind)
    assert len(MNIST(str(tmp_path / "idx"), train=True)) == 12
    with np.load(tmp_path / "npz" / "mnist.npz") as arrays:
        assert arrays["x_test"].shape == (0, 28, 28)
    assert len(list(tmp_path.glob("png/train/*/*.png"))) == 12


def test_both_sets_have_exact_counts(tmp_path):
    facts = dataset.write(
        Painter(), tmp_path, 1003, test=0.25, shares=[0.2, 0.05, 0, 1.5, 0.01, 0.1, 0.1, 0.1, 0.1, 0.1]
    )
    assert facts["digits"] == apportion(1003, [20, 5, 0, 150, 1, 10, 10, 10, 10, 10])
    train, test = (facts["splits"][name]["digits"] for name in ("train", "test"))
    assert sum(test) == facts["test"] == 251
    assert [a + b for a, b in zip(train, test, strict=True)] == facts["digits"]
    assert test == apportion(251, facts["digits"])
    (_, labels), (_, test_labels) = contents(tmp_path, "idx")
    assert (np.bincount(labels, minlength=10).tolist(), np.bincount(test_labels, minlength=10).tolist()) == (
        train,
        test,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_recorded_command_gives_equal_bytes(run, folder, kind):
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    options = ("--n", "40", "--test", "0.2", "--digits", "3,1,4", "--seed", "9", "--kind", kind, "--model", "cgan-int8")
    code, out, err = run("dataset", "first", *options, command=group.mnistgen)
    assert (code, out, err) == (0, "first  32 training, 8 test images  seed 9  CPUExecutionProvider\n", "")
    command = json.loads(Path("first/dataset.json").read_text())["command"]
    _, *words = shlex.split(command.replace("OUT", "second"))
    assert run(*words, "--json", command=group.mnistgen)[0] == 0
    assert tree("first") == tree("second")


def test_json_output(run, folder):
    _, out, _ = run("dataset", "digits", "--n", "12", "--model", "cgan-int8", "--json", command=group.mnistgen)
    facts = json.loads(out)
    assert facts.pop("path") == "digits"
    assert facts == json.loads(Path("digits/dataset.json").read_text())
    assert (facts["n"], facts["test"], facts["seed"], facts["model"]) == (12, 2, 0, "cgan-int8")


def test_memory_does_not_grow(tmp_path):
    def peak(n):
        tracemalloc.start()
        dataset.write(Painter(), tmp_path / str(n), n, kind="npz")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak(2_000)  # imports
    assert peak(40_000) < 1.1 * peak(4_000)


def test_finished_dataset_needs_overwrite(run, folder):
    words = ("dataset", "digits", "--n", "12", "--model", "cgan-int8")
    run(*words, "--kind", "png", command=group.mnistgen)
    before = tree("digits")
    code, out, err = run(*words, "--kind", "npz", command=group.mnistgen)
    assert (code, out) == (1, "")
    assert "--overwrite" in err
    assert tree("digits") == before
    Path("digits/notes.txt").write_text("mine")
    assert run(*words, "--kind", "npz", "--overwrite", command=group.mnistgen)[0] == 0
    assert sorted(os.listdir("digits")) == ["dataset.json", "mnist.npz", "notes.txt"]


@pytest.mark.parametrize(("kind", "name"), [("idx", "MNIST"), ("png", "test"), ("npz", "dataset.json")])
def test_foreign_files_are_never_replaced(tmp_path, kind, name):
    (tmp_path / name).mkdir() if name != "dataset.json" else (tmp_path / name).write_text('{"kind": "mine"}')
    for overwrite in (False, True):
        with pytest.raises(mnistgen.OutputError, match=name) as caught:
            dataset.write(Painter(), tmp_path, 12, kind=kind, overwrite=overwrite)
        assert caught.value.code == "output-exists"
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["x", "--n", "0"], 2, "0 is not in the range 1<=x<=2147483647"),
        (["x", "--n", "-1"], 2, "-1 is not in the range"),
        (["x", "--n", "1e4"], 2, "'1e4' is not a valid integer"),
        (["x", "--n", str(2**31)], 2, "is not in the range"),
        (["x", "--n", "10", "--test", "10"], 2, "test is 10; expected a count from 0 to 9"),
        (["x", "--test", "1.5"], 2, "test is 1.5;"),
        (["x", "--test", "-1"], 2, "test is -1.0;"),
        (["x", "--test", "nan"], 2, "test is nan;"),
        (["x", "--test", "half"], 2, "'half' is neither a count such as 10000 nor a share such as 0.1"),
        (["x", "--shares", "1,2"], 2, "[1.0, 2.0]; expected 10 numbers"),
        (["x", "--shares", "0,0,0,0,0,0,0,0,0,0"], 2, "not all 0"),
        (["x", "--shares", "1,1,1,1,1,1,1,1,1,-1"], 2, "none negative"),
        (["x", "--shares", "1,1,1,1,1,1,1,1,1,inf"], 2, "expected 10 numbers"),
        (["x", "--shares", "much"], 2, "'much' is not a list of ten numbers"),
        (["x", "--digits", "10"], 2, "'10' is not a digit"),
        (["x", "--digits", "1", "--shares", "1"], 2, "--digits and --shares"),
        (["x", "--seed", "-1"], 2, "-1 is not in the range"),
        (["x", "--seed", str(2**64)], 2, "is not in the range"),
        (["x", "--kind", "csv"], 2, "'csv'; expected one of idx, npz, png, parquet"),
        (["x", "--model", "gan"], 2, "The gan is unconditional"),
        (["x", "--model", "vae"], 2, "The vae is unconditional"),
        (["x", "--model", "dcgan"], 2, "'dcgan'; expected one of"),
        (["x", "--device", "tpu"], 2, "'tpu'"),
        ([], 2, "Missing argument 'OUT'"),
        (["file"], 2, "Directory 'file' is a file."),
        (["file/x"], 1, "The dataset cannot be written to file/x (Not a directory)"),
        (["x" * 300], 1, "(File name too long)"),
    ],
)
def test_invalid_options_leave_no_file(run, folder, arguments, code, words):
    Path("file").write_text("mine")
    got, out, err = run("dataset", *arguments, command=group.mnistgen)
    assert (got, out) == (code, "")
    assert words in err
    assert err.count("\n") == 1
    assert os.listdir() == ["file"]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"n": 2.5}, "invalid-count"),
        ({"n": 2**31}, "too-large"),
        ({"n": 10, "test": 1.0}, "invalid-test-size"),
        ({"n": 10, "test": "2"}, "invalid-test-size"),
        ({"n": 10, "shares": ["a"] * 10}, "invalid-shares"),
        ({"n": 10, "shares": 3}, "invalid-shares"),
        ({"n": 10, "seed": 0.5}, "invalid-seed"),
        ({"n": 10, "kind": "hdf5"}, "unknown-kind"),
    ],
)
def test_write_rejects_invalid_arguments(tmp_path, options, code):
    with pytest.raises(mnistgen.InputError) as caught:
        dataset.write(Painter(), tmp_path / "x", **options)
    assert caught.value.code == code
    assert os.listdir(tmp_path) == []


def test_missing_extra_names_install_command(run, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    code, _, err = run("dataset", "x", "--n", "10", "--kind", "parquet", command=group.mnistgen)
    assert code == 1
    assert "pyarrow" in err
    assert install_command("parquet") in err
    assert os.listdir() == []


@pytest.mark.skipif(sys.platform == "win32" or not os.getuid(), reason="needs a user who may not do everything")
def test_read_only_folder_is_reported(run, folder):
    Path("closed").mkdir(mode=0o500)
    code, _, err = run("dataset", "closed", "--n", "10", command=group.mnistgen)
    assert code == 1
    assert "The dataset cannot be written to closed (Permission denied)" in err


@needs_terminal
@pytest.mark.parametrize("no_color", ["", "1"])
def test_terminal_shows_progress(folder, no_color):
    code, shown = run_in_terminal(*WRITE, before=SMALL, NO_COLOR=no_color)
    assert code == 0
    assert "Drawing 400" in shown
    assert "100%" in shown


def test_help_shows_options_and_examples(run):
    _, out, _ = run("dataset", "--help", command=group.mnistgen)
    assert "mnistgen dataset digits" in out
    for option in group.mnistgen.get_command(None, "dataset").params[1:]:
        assert option.opts[0] in out
        assert option.help
