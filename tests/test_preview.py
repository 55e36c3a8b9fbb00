"""What a training shows in a terminal: one progress bar, and digits after each epoch."""

import io
from pathlib import Path

import tiny_training
import torch

from training.checkpoint import Log
from training.preview import BLOCKS, preview, terminal_preview
from training.progress import Progress
from training.trainer import train


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    encoding = "utf-8"

    def isatty(self):
        return True


def open_terminals(monkeypatch):
    """Replace stdout and stderr by terminals with 80 columns; not in a fixture, because pytest replaces them later."""
    streams = Terminal(), Terminal()
    monkeypatch.setattr("sys.stdout", streams[0])
    monkeypatch.setattr("sys.stderr", streams[1])
    monkeypatch.setenv("COLUMNS", "80")
    return streams


def test_progress_shows_epoch_losses_and_time_left(monkeypatch):
    terminals = open_terminals(monkeypatch)
    with Progress(epochs=2, epoch_size=8, epochs_done=0) as bar:
        bar._bar.mininterval = bar._bar.miniters = 0  # draw every step
        for epoch in (1, 2):
            bar.start_epoch(epoch)
            for _ in range(2):
                bar.update(4, {"g_loss": torch.tensor(0.5), "accuracy": torch.tensor(0.9)})
            bar.print(f"line {epoch}")
    out, err = (stream.getvalue() for stream in terminals)
    assert "epoch 2/2:  75%|" in err
    assert "left, g_loss=0.50" in err
    assert "accuracy" not in err
    assert "\n" not in err  # a single bar
    assert err.split("\r")[-2:] == [" " * len(err.split("\r")[-2]), ""]  # erased at the end
    assert out == "line 1\nline 2\n"


def test_no_progress_without_terminal(capsys):
    with Progress(epochs=1, epoch_size=4, epochs_done=0) as bar:
        bar.start_epoch(1)
        bar.update(4, {"loss": torch.tensor(0.5)})
        bar.print("line")
    assert capsys.readouterr() == ("line\n", "")


def test_preview_fits_the_terminal():
    images = torch.zeros(100, 1, 28, 28)
    images[:, :, 4, 4] = images[:, :, 7, 5] = images[:, :, 8:10, 6] = 1
    for columns, digits in ((80, 4), (99, 4), (20, 1), (1000, 10)):
        lines = preview(images, columns).split("\n")
        assert len(lines) == 10
        assert [len(line.replace(" ", "")) for line in lines] == [digits] * 3 + [0] * 7
        assert max(map(len, lines)) <= columns
        assert set("".join(lines)) <= set(BLOCKS)
    assert preview(images, 19) == ""


def test_preview_shows_faint_digits():
    images = torch.zeros(4, 1, 28, 28)
    assert preview(images, 80).strip() == ""
    images[:, :, 10:20, 14] = 0.2
    assert preview(images, 80).count("█") == 4 * 5


def test_terminal_shows_digits_after_each_epoch(monkeypatch):
    terminals = open_terminals(monkeypatch)
    tiny_training.shrink(monkeypatch)
    trainer = tiny_training.new_trainer("vae", epochs=2, batch_size=4)
    digits = tiny_training.digits()
    shown = []
    monkeypatch.setattr("training.trainer.terminal_preview", lambda images: shown.append(images.shape) or "digits")
    monkeypatch.setattr("training.checkpoint.save", lambda *arguments: None)
    train(trainer, digits, digits.images.float() / 255, Path(), Log("unknown"))
    assert shown == [(10, 1, 28, 28)] * 2
    assert terminals[0].getvalue().count("\ndigits\n") == 2


def test_terminal_without_blocks_shows_no_digits(monkeypatch):
    terminals = open_terminals(monkeypatch)
    images = torch.ones(10, 1, 28, 28)
    assert terminal_preview(images)
    terminals[0].encoding = "ascii"
    assert terminal_preview(images) == ""
