"""`mnistgen dataset`: exact counts, complete files, and equal bytes after any interruption."""

import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from subprocess_helpers import (
    cli_command,
    needs_file_size_limit,
    needs_terminal,
    run_in_terminal,
    run_with_file_size_limit,
)

import mnistgen
from mnistgen import cli, dataset
from mnistgen.dataset import draft, kinds
from mnistgen.dataset.labels import Labels, apportion

KINDS = list(kinds.KINDS)


class Painter:
    """A fast generator: an image is filled with a number that depends on its address and digit."""

    model = SimpleNamespace(name="painter", classes=10, latent_size=1, sha256="0" * 64)
    provider = "CPUExecutionProvider"

    def __init__(self):
        self.painted = 0

    def generate(self, n, *, digit, seed, start):
        self.painted += n
        numbers = (np.arange(start, start + n) * 10 + digit + seed) % 251
        return np.broadcast_to(numbers.astype(np.uint8)[:, None, None], (n, 28, 28)).copy()


@pytest.fixture(scope="module")
def quick():
    return mnistgen.load("cgan-int8", device="cpu")


def tree(folder):
    """Return the bytes of every file in `folder` by relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


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


# Labels


@pytest.mark.parametrize(
    ("total", "shares", "counts"),
    [
        (60_000, [1] * 10, [6000] * 10),
        (13, [1] * 10, [2, 2, 2, 1, 1, 1, 1, 1, 1, 1]),
        (10, [1, 1, 1], [4, 3, 3]),
        (7, [0, 2, 0, 1], [0, 5, 0, 2]),
        (100, [0.2, 0.05, 0.75], [20, 5, 75]),
        (3, [6, 3, 1], [2, 1, 0]),
        (0, [1, 2], [0, 0]),
    ],
)
def test_counts_use_largest_remainder(total, shares, counts):
    assert apportion(total, shares) == counts


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 15, 16, 17, 64, 65, 1000, 5003])
def test_order_has_exact_counts(n):
    counts = apportion(n, [3, 1, 0, 2])
    labels = Labels(counts, seed=7, stream=1)
    order = labels(0, n)
    assert np.bincount(order, minlength=4).tolist() == counts
    np.testing.assert_array_equal(np.concatenate([labels(i, i + 1) for i in range(min(n, 70))]), order[:70])
    np.testing.assert_array_equal(labels(n // 3, n), order[n // 3 :])


def test_order_is_shuffled_evenly():
    order = Labels([2000] * 10, seed=0, stream=1)(0, 20_000)
    for lag in (1, 2, 141, 10_000):  # 141 is about the width of the network's halves
        pairs = np.histogram2d(order[:-lag], order[lag:], bins=10)[0]
        expected = (20_000 - lag) / 100
        assert 40 < ((pairs - expected) ** 2 / expected).sum() < 160  # chi-square of 81 degrees: 81 ± 13
    parts = np.stack([np.bincount(part, minlength=10) for part in np.split(order, 20)])
    assert 110 < ((parts - 100.0) ** 2 / 100).sum() < 260  # 171 degrees


def test_order_depends_on_seed_and_set():
    orders = [Labels([10] * 10, seed, stream)(0, 100) for seed, stream in ((0, 1), (1, 1), (0, 2), (2**64 - 1, 1))]
    assert len({order.tobytes() for order in orders}) == 4
    assert orders[0][:20].tolist() == [9, 3, 4, 7, 2, 3, 1, 7, 4, 8, 9, 0, 5, 1, 9, 3, 2, 5, 2, 2]


# Contents


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_holds_images_and_labels(quick, tmp_path, kind):
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    facts = dataset.write(quick, tmp_path / "digits", 50, test=20, seed=3, kind=kind)
    (images, labels), (test_images, test_labels) = contents(tmp_path / "digits", kind)
    np.testing.assert_array_equal(images, quick.generate(30, digit=np.array(labels), seed=3))
    np.testing.assert_array_equal(test_images, quick.generate(20, digit=np.array(test_labels), seed=3, start=30))
    assert np.bincount(labels).tolist() == facts["splits"]["train"]["digits"] == [3] * 10
    assert np.bincount(test_labels).tolist() == facts["splits"]["test"]["digits"] == [2] * 10
    assert json.loads((tmp_path / "digits" / "dataset.json").read_text()) == facts
    assert sorted(os.listdir(tmp_path / "digits")) == sorted([*kinds.KINDS[kind].entries, "dataset.json"])


def test_torchvision_loads_idx(quick, tmp_path):
    pytest.importorskip("torch")
    from torch.utils.data import DataLoader
    from torchvision.transforms import ToTensor

    from training.vision import MNIST

    dataset.write(quick, tmp_path, 24, test=8)
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
    code, out, err = run("dataset", "first", *options, command=cli.mnistgen)
    assert (code, out, err) == (0, "first  32 training, 8 test images  seed 9  CPUExecutionProvider\n", "")
    command = json.loads(Path("first/dataset.json").read_text())["command"]
    _, *words = shlex.split(command.replace("OUT", "second"))
    assert run(*words, "--json", command=cli.mnistgen)[0] == 0
    assert tree("first") == tree("second")


def test_json_output(run, folder):
    _, out, _ = run("dataset", "digits", "--n", "12", "--model", "cgan-int8", "--json", command=cli.mnistgen)
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


# Interruptions

SMALL = "from mnistgen.dataset import split; split.BLOCK = 16"
WRITE = ("dataset", "digits", "--n", "400", "--model", "cgan-int8", "--device", "cpu")


DAWDLE = """
import signal, time
from mnistgen import Generator
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell ignores it
generate, blocks = Generator.generate, iter(range(3))
def dawdle(*arguments, **options):
    if next(blocks, None) is None:
        time.sleep(60)
    return generate(*arguments, **options)
Generator.generate = dawdle
"""
"""Code to run before the command, which then draws three blocks and sleeps."""


def start(folder):
    """Start the command in a process that draws some images and does not finish."""
    images = folder / "digits" / ".unfinished" / "idx" / "MNIST" / "raw" / "train-images-idx3-ubyte"
    before = images.stat().st_size if images.exists() else 16
    slow = cli_command(*WRITE, before=SMALL + DAWDLE)
    process = subprocess.Popen(slow, cwd=folder, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (images.exists() and images.stat().st_size > before):
        time.sleep(0.001)
    return process


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals of POSIX")
def test_killed_process_resumes_to_equal_bytes(quick, folder):
    process = start(folder)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process.stderr.close()
    assert os.listdir("digits") == [".unfinished"]
    process = start(folder)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err.endswith("mnistgen: Interrupted. Repeat the command to resume.\n")
    reported = []
    dataset.write(quick, "digits", 400, progress=lambda *facts: reported.append(facts))
    assert 0 < reported[0][1] < 400
    assert reported[0][2] == 400
    dataset.write(quick, "uninterrupted", 400)
    assert tree("digits") == tree("uninterrupted")


@needs_file_size_limit
@pytest.mark.parametrize(("kind", "limit"), [("idx", 50_000), ("npz", 300_000)])  # while drawing, and while building
def test_full_disk_resumes_to_equal_bytes(quick, folder, kind, limit):
    done = run_with_file_size_limit(limit, *WRITE, "--kind", kind, before=SMALL)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("mnistgen: The dataset cannot be written to digits (File too large).")
    assert done.stderr.count("\n") == 1
    assert os.listdir("digits") == [".unfinished"]
    dataset.write(quick, "digits", 400, kind=kind)
    dataset.write(quick, "uninterrupted", 400, kind=kind)
    assert tree("digits") == tree("uninterrupted")


class Cut(BaseException):
    """An exception that nothing catches, like a power cut."""


@pytest.fixture
def cut_at(monkeypatch):
    """Raise Cut instead of the n-th file operation from now on: a rename, a removal, or the end of a block."""
    operations = SimpleNamespace(left=0)

    def count(*arguments):
        operations.left -= 1
        if operations.left == 0:
            raise Cut

    def counted(original):
        def call(*arguments, **options):
            count()
            return original(*arguments, **options)

        return call

    monkeypatch.setattr(Path, "replace", counted(Path.replace))
    monkeypatch.setattr(shutil, "rmtree", counted(shutil.rmtree))

    def set_to(operation):
        operations.left = operation
        return count

    return set_to


@pytest.mark.parametrize("kind", ["idx", "png"])
@pytest.mark.parametrize("former", [None, "idx", "png"])
def test_cut_anywhere_resumes_to_equal_bytes(tmp_path, cut_at, monkeypatch, former, kind):
    monkeypatch.setattr("mnistgen.dataset.split.BLOCK", 4)
    dataset.write(Painter(), tmp_path / "uninterrupted", 13, kind=kind)
    wanted = tree(tmp_path / "uninterrupted")
    for operation in range(1, 100):
        out = tmp_path / str(operation)
        if former:
            dataset.write(Painter(), out, 9, kind=former)
        painter, overwrite = Painter(), former is not None
        try:
            dataset.write(painter, out, 13, kind=kind, overwrite=overwrite, progress=cut_at(operation))
            break
        except Cut:
            cut_at(0)
        try:
            dataset.write(painter, out, 13, kind=kind, overwrite=overwrite)
        except mnistgen.OutputError as error:
            assert error.code == "dataset-exists"  # noqa: PT017  # cut during the final clean-up
        assert tree(out) == wanted
    assert operation > 8


def test_resume_does_not_redraw(tmp_path, monkeypatch):
    monkeypatch.setattr("mnistgen.dataset.split.BLOCK", 4)
    painter = Painter()

    def stop(what, done, n):
        if done == 12:
            raise Cut

    with pytest.raises(Cut):
        dataset.write(painter, tmp_path, 24, test=8, progress=stop)
    dataset.write(painter, tmp_path, 24, test=8)
    assert painter.painted == 24


# Existing files


def test_finished_dataset_needs_overwrite(run, folder):
    words = ("dataset", "digits", "--n", "12", "--model", "cgan-int8")
    run(*words, "--kind", "png", command=cli.mnistgen)
    before = tree("digits")
    code, out, err = run(*words, "--kind", "npz", command=cli.mnistgen)
    assert (code, out) == (1, "")
    assert "--overwrite" in err
    assert tree("digits") == before
    Path("digits/notes.txt").write_text("mine")
    assert run(*words, "--kind", "npz", "--overwrite", command=cli.mnistgen)[0] == 0
    assert sorted(os.listdir("digits")) == ["dataset.json", "mnist.npz", "notes.txt"]


def test_other_settings_cannot_resume(tmp_path, monkeypatch):
    def stop(what, done, n):
        raise Cut

    with pytest.raises(Cut):
        dataset.write(Painter(), tmp_path, 12, seed=1, progress=stop)
    with pytest.raises(mnistgen.InputError, match=r"\(n is 12, not 24; test is 2, not 4; "):
        dataset.write(Painter(), tmp_path, 24, seed=1)
    with pytest.raises(mnistgen.InputError, match=r"\(seed is 1, not 2\)") as caught:
        dataset.write(Painter(), tmp_path, 12, seed=2)
    assert caught.value.code == "dataset-settings-mismatch"
    dataset.write(Painter(), tmp_path, 12, seed=2, overwrite=True)
    dataset.write(Painter(), tmp_path / "fresh", 12, seed=2)
    assert tree(tmp_path / "fresh") == {name: file for name, file in tree(tmp_path).items() if "fresh" not in name}


def test_overwrite_during_move_leaves_nothing(tmp_path, cut_at, monkeypatch):
    dataset.write(Painter(), tmp_path / "fresh", 12, kind="npz")
    for operation in range(1, 20):
        out = tmp_path / str(operation)
        cut_at(operation)
        try:
            dataset.write(Painter(), out, 9, kind="png")
            break
        except Cut:
            cut_at(0)
        dataset.write(Painter(), out, 12, kind="npz", overwrite=True)
        assert tree(out) == tree(tmp_path / "fresh")
    assert operation > 5


@pytest.mark.parametrize(("kind", "name"), [("idx", "MNIST"), ("png", "test"), ("npz", "dataset.json")])
def test_foreign_files_are_never_replaced(tmp_path, kind, name):
    (tmp_path / name).mkdir() if name != "dataset.json" else (tmp_path / name).write_text('{"kind": "mine"}')
    for overwrite in (False, True):
        with pytest.raises(mnistgen.OutputError, match=name) as caught:
            dataset.write(Painter(), tmp_path, 12, kind=kind, overwrite=overwrite)
        assert caught.value.code == "output-exists"
    assert os.listdir(tmp_path) == [name]


@pytest.mark.skipif(sys.platform == "win32", reason="needs locks of POSIX")
def test_only_one_process_writes(tmp_path):
    (tmp_path / ".unfinished").mkdir()
    other = draft._lock(tmp_path / ".unfinished" / "lock", tmp_path)
    with other, pytest.raises(mnistgen.OutputError) as caught:
        dataset.write(Painter(), tmp_path, 12)
    assert caught.value.code == "dataset-locked"
    dataset.write(Painter(), tmp_path, 12)


# Errors


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
    got, out, err = run("dataset", *arguments, command=cli.mnistgen)
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
    code, _, err = run("dataset", "x", "--n", "10", "--kind", "parquet", command=cli.mnistgen)
    assert code == 1
    assert "pyarrow" in err
    assert "pip install 'mnistgen[parquet]'" in err
    assert os.listdir() == []


@pytest.mark.skipif(sys.platform == "win32" or not os.getuid(), reason="needs a user who may not do everything")
def test_read_only_folder_is_reported(run, folder):
    Path("closed").mkdir(mode=0o500)
    code, _, err = run("dataset", "closed", "--n", "10", command=cli.mnistgen)
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
    _, out, _ = run("dataset", "--help", command=cli.mnistgen)
    assert "mnistgen dataset digits" in out
    for option in cli.mnistgen.get_command(None, "dataset").params[1:]:
        assert option.opts[0] in out
        assert option.help
