"""Damaged drafts, as after a power failure, are drawn again; files are synced before dataset.json is written."""

import os
import sys

import pytest
from dataset_helpers import Painter, cut_after, flip, tree, zero_tail

import mnistgen
from mnistgen import dataset
from mnistgen.dataset import draft, kinds

DAMAGES = {
    "none": (lambda images, labels, hashes: None, 20),
    "zeros in pixels": (lambda images, labels, hashes: zero_tail(images, 5000), 12),
    "zeros in labels": (lambda images, labels, hashes: zero_tail(labels, 1), 16),
    "zeros in hashes": (lambda images, labels, hashes: zero_tail(hashes, 40), 12),
    "zeros everywhere": (lambda *files: [zero_tail(file, file.stat().st_size) for file in files], 0),
    "flipped pixel": (lambda images, labels, hashes: flip(images, 16 + 9 * 784), 8),
    "flipped label": (lambda images, labels, hashes: flip(labels, 8 + 5), 4),
    "flipped hash": (lambda images, labels, hashes: flip(hashes, 36 + 7), 4),
    "flipped size": (lambda images, labels, hashes: flip(hashes, 36 * 2 + 2), 8),
    "flipped header": (lambda images, labels, hashes: flip(images, 7), 20),
    "shorter pixels": (lambda images, labels, hashes: os.truncate(images, 16 + 10 * 784 + 3), 8),
    "longer labels": (lambda images, labels, hashes: labels.write_bytes(labels.read_bytes() + b"xyz"), 20),
    "no labels": (lambda images, labels, hashes: labels.unlink(), 0),
    "no hashes": (lambda images, labels, hashes: hashes.unlink(), 0),
}
"""What happens to the files of 20 images, and how many of the images are kept."""


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_draft_is_drawn_again(tmp_path, monkeypatch, damage):
    monkeypatch.setattr("mnistgen.dataset.split.BLOCK", 4)
    files = cut_after(20, tmp_path / "cut", Painter())
    spoil, kept = DAMAGES[damage]
    spoil(*files)
    painter = Painter()
    facts = dataset.write(painter, tmp_path / "cut", 32, test=8)
    assert painter.painted == 32 - kept
    assert facts == dataset.write(Painter(), tmp_path / "whole", 32, test=8)
    assert tree(tmp_path / "cut") == tree(tmp_path / "whole")


def test_block_of_other_size_resumes(tmp_path, monkeypatch):
    monkeypatch.setattr("mnistgen.dataset.split.BLOCK", 10)
    cut_after(20, tmp_path / "cut", Painter())
    monkeypatch.setattr("mnistgen.dataset.split.BLOCK", 3)
    painter = Painter()
    dataset.write(painter, tmp_path / "cut", 32, test=8)
    assert painter.painted == 12
    dataset.write(Painter(), tmp_path / "whole", 32, test=8)
    assert tree(tmp_path / "cut") == tree(tmp_path / "whole")


@pytest.mark.parametrize("kind", ["idx", "npz"])
def test_damage_while_writing_is_found(tmp_path, monkeypatch, kind):
    monkeypatch.setattr("mnistgen.dataset.split.BLOCK", 4)
    out = tmp_path / "out"

    def damage(what, done, n):
        if (what, done) == ("Drawing", n):
            flip(out / ".unfinished" / "idx" / "MNIST" / "raw" / "train-images-idx3-ubyte", 5000)

    with pytest.raises(mnistgen.OutputError) as caught:
        dataset.write(Painter(), out, 32, test=8, kind=kind, progress=damage)
    assert (caught.value.code, os.listdir(out)) == ("dataset-damaged", [".unfinished"])
    dataset.write(Painter(), out, 32, test=8, kind=kind)
    dataset.write(Painter(), tmp_path / "whole", 32, test=8, kind=kind)
    assert tree(out) == tree(tmp_path / "whole")


@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")
@pytest.mark.parametrize("index", [0, 1, 2])
def test_linked_files_are_not_followed(tmp_path, index):
    (tmp_path / "victim").write_text("mine")
    file = cut_after(24, tmp_path / "out", Painter())[index]
    file.unlink()
    file.symlink_to(tmp_path / "victim")
    with pytest.raises(mnistgen.OutputError, match="symbolic links"):
        dataset.write(Painter(), tmp_path / "out", 32, test=8)
    assert (tmp_path / "victim").read_text() == "mine"


@pytest.mark.parametrize("kind", ["idx", "npz", "png"])
def test_files_are_synced_before_facts(tmp_path, monkeypatch, kind):
    synced, replace_file, fsync = set(), draft.replace_file, os.fsync

    def record(descriptor):
        synced.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def check(path, content):
        if path.name == "dataset.json":
            files = [file for name in kinds.KINDS[kind].entries for file in path.parent.glob(f"{name}/**/*")]
            files += [path.parent / name for name in kinds.KINDS[kind].entries]
            assert {file.stat().st_ino for file in files if os.name != "nt" or file.is_file()} <= synced
            assert files
        replace_file(path, content)

    monkeypatch.setattr(os, "fsync", record)
    monkeypatch.setattr(draft, "replace_file", check)
    dataset.write(Painter(), tmp_path / "out", 32, test=8, kind=kind)


@pytest.mark.skipif(not hasattr(os, "sync"), reason="needs a sync of all files")
def test_many_files_are_synced_at_once(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(os, "sync", lambda: calls.append(1))
    dataset.write(Painter(), tmp_path / "out", 120, kind="png")
    assert calls == [1]
