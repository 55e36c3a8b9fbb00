"""Shards: the same pixels as in one set, whole files, and clear refusals, on a disk and in an object store."""

import errno
import io
import json
import os
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from dataset_helpers import Painter, flip, tree
from PIL import Image

import mnistgen
from mnistgen import dataset
from mnistgen.dataset.shards import formats, making
from mnistgen.errors import install_command

KINDS = list(formats.FORMATS)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr("mnistgen.dataset.shards.making.BLOCK", 4)


@pytest.fixture
def memory():
    """An object store in memory, empty before and after."""
    fs = pytest.importorskip("fsspec").filesystem("memory")
    fs.store.clear()
    yield fs
    fs.store.clear()


def contents(path, kind):
    """Return images (n, 28, 28) and labels (n,) of a shard, read as users of the kind do."""
    if kind == "idx":
        labels = Path(str(path).replace("-images-idx3-", "-labels-idx1-")).read_bytes()
        assert labels[:4] == bytes([0, 0, 8, 1])
        return np.frombuffer(path.read_bytes()[16:], np.uint8).reshape(-1, 28, 28), [*labels[8:]]
    if kind == "npz":
        with np.load(path) as arrays:
            return arrays["x_train"], arrays["y_train"].tolist()
    if kind == "webdataset":
        with tarfile.open(path) as archive:
            members = [(member.name, member.mtime, archive.extractfile(member).read()) for member in archive]
        assert {time for _, time, _ in members} == {0}
        assert [name[-4:] for name, _, _ in members] == [".png", ".cls"] * (len(members) // 2)
        assert len({name for name, _, _ in members}) == len(members)
        return np.stack([opened(png) for _, _, png in members[::2]]), [int(digit) for _, _, digit in members[1::2]]
    table = pytest.importorskip("pyarrow.parquet").read_table(path).to_pydict()
    return np.stack([opened(row["bytes"]) for row in table["image"]]), table["label"]


def opened(content):
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image)


def write_all(out, n=26, of=3, **options):
    for k in reversed(range(of)):
        dataset.write_shard(Painter(), out, n, k, of=of, **options)
    return dataset.write_manifest(out)


@pytest.mark.parametrize("kind", KINDS)
def test_shards_hold_the_images_of_one_set(tmp_path, kind):
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    facts = write_all(tmp_path / "shards", seed=3, kind=kind, shares=[1, 2, 1, 1, 1, 1, 1, 1, 1, 1])
    dataset.write(Painter(), tmp_path / "one", 26, test=0, seed=3, kind="npz", shares=[1, 2, 1, 1, 1, 1, 1, 1, 1, 1])
    read = [contents(tmp_path / "shards" / next(iter(record["files"])), kind) for record in facts["files"]]
    with np.load(tmp_path / "one" / "mnist.npz") as arrays:
        np.testing.assert_array_equal(np.concatenate([images for images, _ in read]), arrays["x_train"])
        assert [label for _, labels in read for label in labels] == arrays["y_train"].tolist()
    assert [(record["start"], record["n"]) for record in facts["files"]] == [(0, 8), (8, 9), (17, 9)]


def test_pixel_hash_does_not_depend_on_kind(tmp_path):
    assert len({write_all(tmp_path / kind, kind=kind)["sha256"] for kind in ("idx", "npz", "webdataset")}) == 1
    assert write_all(tmp_path / "other", seed=1)["sha256"] != write_all(tmp_path / "idx")["sha256"]


@pytest.mark.parametrize("kind", KINDS)
def test_writing_twice_gives_equal_bytes(tmp_path, kind):
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    write_all(tmp_path / "first", kind=kind)
    write_all(tmp_path / "second", kind=kind)
    assert tree(tmp_path / "first") == tree(tmp_path / "second")


def spoil(path):
    flip(path, path.stat().st_size // 2)


@pytest.mark.parametrize(
    "damage", [spoil, Path.unlink, lambda path: os.truncate(path, 100), lambda path: path.write_bytes(b"")]
)
@pytest.mark.parametrize("name", ["train-00001-of-00003.npz", ".shards/00001-of-00003.json"])
def test_only_damaged_shards_are_made_again(tmp_path, damage, name):
    write_all(tmp_path, kind="npz")
    before, painter = tree(tmp_path), Painter()
    damage(tmp_path / name)
    for k in range(3):
        dataset.write_shard(painter, tmp_path, 26, k, of=3, kind="npz")
    assert painter.painted in ((9, 0) if damage is spoil and name.endswith("json") else (9,))
    assert tree(tmp_path) == before


def test_missing_shards_are_listed(tmp_path):
    with pytest.raises(mnistgen.OutputError) as caught:
        dataset.write_manifest(tmp_path)
    assert caught.value.code == "dataset-incomplete"
    dataset.write_shard(Painter(), tmp_path, 26, 1, of=3)
    with pytest.raises(mnistgen.OutputError, match=r"lacks 2 of 3 shards \(0, 2\)"):
        dataset.write_manifest(tmp_path)
    assert not (tmp_path / "dataset.json").exists()


def test_other_settings_are_refused(tmp_path):
    dataset.write_shard(Painter(), tmp_path, 26, 1, of=3)
    before = tree(tmp_path)
    with pytest.raises(mnistgen.InputError, match=r"\(shards is 3, not 4; seed is 0, not 1\)") as caught:
        dataset.write_shard(Painter(), tmp_path, 26, 1, of=4, seed=1)
    assert caught.value.code == "dataset-settings-mismatch"
    assert tree(tmp_path) == before


def test_foreign_files_are_never_replaced(tmp_path):
    (tmp_path / "train-00001-of-00003.npz").write_text("mine")
    with pytest.raises(mnistgen.OutputError) as caught:
        dataset.write_shard(Painter(), tmp_path, 26, 0, of=3, kind="npz")
    assert caught.value.code == "output-exists"
    assert (tmp_path / "train-00001-of-00003.npz").read_text() == "mine"


def test_both_commands_refuse_the_folder_of_the_other(tmp_path):
    write_all(tmp_path / "shards")
    with pytest.raises(mnistgen.OutputError) as caught:
        dataset.write(Painter(), tmp_path / "shards", 12, overwrite=True)
    assert caught.value.code == "dataset-exists"
    dataset.write(Painter(), tmp_path / "one", 12)
    with pytest.raises(mnistgen.OutputError) as caught:
        write_all(tmp_path / "one")
    assert caught.value.code == "output-exists"


class FullDisk:
    """A fault: writing fails after some calls, as on a full disk."""

    def __init__(self, original, calls):
        self.original, self.calls = original, calls

    def __call__(self, *arguments, **options):
        self.calls -= 1
        if self.calls < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.original(*arguments, **options)


@pytest.mark.parametrize(
    ("module", "function", "calls"), [(formats, "add_file", 7), (formats, "encode_png", 3), (making, "file_sha256", 0)]
)
def test_full_disk_leaves_no_shard(tmp_path, monkeypatch, module, function, calls):
    monkeypatch.setattr(module, function, FullDisk(getattr(module, function), calls))
    with pytest.raises(mnistgen.OutputError, match="No space left on device") as caught:
        dataset.write_shard(Painter(), tmp_path, 26, 1, of=3, kind="webdataset")
    assert caught.value.code == "output-not-writable"
    assert set(tree(tmp_path)) == {".shards/settings.json"}


def test_object_store_holds_the_same_files(tmp_path, memory):
    facts = write_all("memory://bucket/digits", kind="npz")
    assert facts == write_all(tmp_path, kind="npz")
    stored = {name.removeprefix("/bucket/digits/"): file.getvalue() for name, file in memory.store.items()}
    assert stored == tree(tmp_path)


def test_damaged_object_is_made_again(memory):
    write_all("memory://digits", kind="npz")
    before = {name: file.getvalue() for name, file in memory.store.items()}
    memory.pipe_file("/digits/train-00002-of-00003.npz", b"short")
    painter = Painter()
    for k in range(3):
        dataset.write_shard(painter, "memory://digits", 26, k, of=3, kind="npz")
    assert painter.painted == 9
    assert {name: file.getvalue() for name, file in memory.store.items()} == before


def test_failing_upload_leaves_no_object(memory, monkeypatch):
    monkeypatch.setattr(type(memory), "put_file", FullDisk(None, 0))
    with pytest.raises(mnistgen.OutputError, match="memory://digits") as caught:
        dataset.write_shard(Painter(), "memory://digits", 26, 1, of=3, kind="npz")
    assert caught.value.code == "output-not-writable"
    assert not memory.exists("/digits/train-00001-of-00003.npz")


def test_file_system_without_whole_uploads_renames(tmp_path):
    pytest.importorskip("fsspec")
    write_all(f"file://{tmp_path}/remote", kind="npz")
    write_all(tmp_path / "local", kind="npz")
    assert tree(tmp_path / "remote") == tree(tmp_path / "local")


@pytest.mark.parametrize(
    ("out", "error", "code"),
    [
        ("nowhere://bucket/digits", mnistgen.InputError, "invalid-path"),
        ("dropbox://bucket/digits", mnistgen.MissingPackageError, "package-missing"),
        (5, mnistgen.InputError, "invalid-path"),
    ],
)
def test_unusable_address_is_refused(out, error, code):
    pytest.importorskip("fsspec")
    with pytest.raises(error) as caught:
        dataset.write_shard(Painter(), out, 26, 1, of=3)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["x", "--n", "10", "--shards", "11"], 2, "shards is 11; expected at most n, which is 10"),
        (["x", "--n", "10", "--shards", "0"], 2, "shards is 0; expected an integer from 1 to 100000"),
        (["x", "--n", "10", "--shards", "-1"], 2, "shards is -1;"),
        (["x", "--shards", str(10**30)], 2, "expected an integer from 1 to 100000"),
        (["x", "--shards", "many"], 2, "'many' is not a valid integer"),
        (["x", "--shards", "2", "--workers", "0"], 2, "workers is 0; expected an integer from 1"),
        (["x", "--shards", "2", "--engine", "dask"], 2, "engine is 'dask'; expected one of local, ray"),
        (["x", "--shards", "2", "--address", "auto"], 2, "address has no effect on the engine local"),
        (["x", "--shards", "2", "--test", "5"], 2, "--test has no effect with --shards"),
        (["x", "--shards", "2", "--kind", "png"], 2, "'png'; expected one of idx, npz, parquet, webdataset"),
        (["x", "--shards", "2", "--model", "gan"], 2, "The gan is unconditional"),
        (["x", "--engine", "local"], 2, "--engine has no effect without --shards"),
        (["x", "--workers", "2"], 2, "--workers has no effect without --shards"),
        (["s3://bucket/x"], 2, "s3://bucket/x is an address; expected a folder"),
        (["file", "--shards", "2"], 2, "Directory 'file' is a file."),
        (["file/x", "--shards", "2"], 1, "cannot be written to file/x"),
    ],
)
def test_invalid_options_leave_no_file(call, folder, arguments, code, words):
    Path("file").write_text("mine")
    got, out, err = call("dataset", *arguments)
    assert (got, out) == (code, "")
    assert words in err
    assert err.count("\n") == 1
    assert os.listdir() == ["file"]


@pytest.mark.parametrize("k", [-1, 3, 1.5])
def test_unknown_shard_is_refused(tmp_path, k):
    with pytest.raises(mnistgen.InputError) as caught:
        dataset.write_shard(Painter(), tmp_path / "x", 26, k, of=3)
    assert caught.value.code == "invalid-shards"
    assert os.listdir(tmp_path) == []


def test_missing_ray_names_install_command(call, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, err = call("dataset", "x", "--n", "10", "--shards", "2", "--engine", "ray", "--model", "cgan-int8")
    assert code == 1
    assert install_command("ray") in err


def test_recorded_command_gives_the_same_pixels(call, folder):
    options = ("--n", "30", "--shards", "4", "--seed", "9", "--digits", "3,1", "--model", "cgan-int8", "--workers", "1")
    code, out, err = call("dataset", "first", *options)
    assert (code, err) == (0, "")
    facts = json.loads(Path("first/dataset.json").read_text())
    assert out == f"first  30 images in 4 shards  sha256 {facts['sha256'][:16]}  seed 9  CPUExecutionProvider\n"
    _, *words = facts["command"].replace("OUT", "second").split()
    assert call(*words, "--workers", "1")[0] == 0
    assert tree("first") == tree("second")


def test_repeating_the_command_repairs(call, folder):
    words = ("dataset", "digits", "--n", "30", "--shards", "4", "--model", "cgan-int8", "--workers", "1")
    call(*words, "--kind", "npz")
    before = tree("digits")
    Path("digits/train-00002-of-00004.npz").unlink()
    Path("digits/.shards/x.npz.1-2.part").write_bytes(b"left by a killed worker")
    assert call(*words, "--kind", "npz")[0] == 0
    assert tree("digits") == before


def test_overwrite_deletes_former_shards_only(call, folder):
    words = ("dataset", "digits", "--n", "30", "--model", "cgan-int8", "--workers", "1")
    call(*words, "--shards", "4")
    Path("digits/notes.txt").write_text("mine")
    code, _, err = call(*words, "--shards", "2", "--kind", "npz")
    assert (code, "--overwrite" in err) == (2, True)
    assert call(*words, "--shards", "2", "--kind", "npz", "--overwrite")[0] == 0
    assert sorted(tree("digits")) == [
        ".shards/00000-of-00002.json",
        ".shards/00001-of-00002.json",
        ".shards/settings.json",
        "dataset.json",
        "notes.txt",
        "train-00000-of-00002.npz",
        "train-00001-of-00002.npz",
    ]


def test_shards_need_their_own_command(call, folder):
    call("dataset", "digits", "--n", "30", "--shards", "2", "--model", "cgan-int8", "--workers", "1")
    code, _, err = call("dataset", "digits", "--n", "30", "--model", "cgan-int8")
    assert (code, err) == (1, "mnistgen-run: digits holds a dataset in shards. Name another folder.\n")
