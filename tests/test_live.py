"""The page that shows a running training (`--live`)."""

import base64
import re
from xml.etree import ElementTree

import pytest
import tiny_training

from training import vae
from training.checkpoint import Log
from training.errors import TrainingError
from training.live import LivePage

EPOCHS = [
    {"epoch": 1, "loss": 3.5, "kl": 2.0, "seconds": 30.0},
    {"epoch": 2, "loss": 1.25, "kl": 2.0, "seconds": 50.0},
]
REFRESH = '<meta http-equiv="refresh"'


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    tiny_training.shrink(monkeypatch)


def page(folder, epochs, total, **options):
    live = LivePage(folder, "vae, seed recipe", total)
    live.write(Log("revision", epochs), **options)
    return live.path.read_text(encoding="utf-8")


def test_page_shows_plots_pictures_and_time_left(tmp_path):
    (tmp_path / "samples-001.png").write_bytes(b"old")
    (tmp_path / "samples-002.png").write_bytes(b"new")
    text = page(tmp_path, EPOCHS, 5)
    assert "Epoch 2 of 5 finished, about 2 min 0 s left" in text
    assert REFRESH in text
    assert re.findall(r'src="data:image/png;base64,([^"]*)"', text) == [base64.b64encode(b"new").decode()]
    assert "<h2>loss <span>1.25</span></h2>" in text
    plots = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]
    points = [plot.find("polyline").get("points").split() for plot in plots]
    assert [len(each) for each in points] == [2, 2]
    (first, second), (level, same) = ([[float(x) for x in pair.split(",")] for pair in each] for each in points)
    assert second[0] > first[0]
    assert second[1] > first[1]  # the y-axis of SVG points down
    assert level[1] == same[1]


def test_page_loads_nothing(tmp_path):
    text = page(tmp_path, EPOCHS, 5)
    assert "<script" not in text
    assert not re.search(r'(src|href)="(?!data:)|url\(|@import', text)


def test_page_before_the_first_epoch(tmp_path):
    text = page(tmp_path, [], 3)
    assert "Epoch 1 of 3 is running" in text
    assert REFRESH in text
    assert "Stopped in epoch 1 of 3" in page(tmp_path, [], 3, running=False)


@pytest.mark.parametrize(
    ("total", "status"),
    [(2, "Finished: 2 epochs in 1 min 20 s"), (9, "Stopped after epoch 2 of 9; --resume continues")],
)
def test_page_of_an_ended_training_does_not_reload(tmp_path, total, status):
    text = page(tmp_path, EPOCHS, total, running=False)
    assert status in text
    assert REFRESH not in text


def test_names_from_a_file_are_escaped(tmp_path):
    text = page(tmp_path, [{"epoch": 1, "<script>": 1.0, "seconds": 1.0}], 2)
    assert "<script>" not in text


def test_live_training_writes_the_page_also_when_resumed(tmp_path):
    out = tmp_path / "vae"
    code, output = tiny_training.train("vae", "--epochs", "1", "--live", out=out)
    assert (code, output.count(str(out / "live.html"))) == (0, 1)
    assert "Finished: 1 epoch in" in (out / "live.html").read_text(encoding="utf-8")
    code, _ = tiny_training.train("vae", "--resume", "--epochs", "2", "--live", out=out)
    text = (out / "live.html").read_text(encoding="utf-8")
    assert (code, REFRESH in text) == (0, False)
    assert text.count("<figcaption>") == 2  # samples and reconstructions
    assert "samples, epoch 2" in text
    assert len(re.search(r'<polyline points="([^"]*)"', text).group(1).split()) == 2


def test_interrupted_training_stops_the_page(tmp_path, monkeypatch):
    tiny_training.interrupt_at(monkeypatch, vae.Trainer, 7)  # in the second epoch
    code, _ = tiny_training.train("vae", "--epochs", "3", "--live", out=tmp_path)
    assert code == 130
    text = (tmp_path / "live.html").read_text(encoding="utf-8")
    assert "Stopped after epoch 1 of 3" in text
    assert REFRESH not in text


def test_page_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "live.html").mkdir()
    with pytest.raises(TrainingError):
        page(tmp_path, [], 1)


def test_no_page_without_the_option(tmp_path):
    assert tiny_training.train("vae", "--epochs", "1", out=tmp_path)[0] == 0
    assert not (tmp_path / "live.html").exists()
