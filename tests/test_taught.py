"""What a dataset teaches a network about real digits."""

from click.testing import CliRunner

import mnistgen
from export.quality import cas as taught
from mnistgen import dataset
from training import data


def test_a_network_is_taught_by_a_dataset_and_reads_real_digits(mnist, tmp_path, monkeypatch):
    few = data.load(mnist, "test").first(500)
    monkeypatch.setattr(data, "load", lambda folder, split: few)
    dataset.write(mnistgen.load("cgan-int8", device="cpu"), tmp_path, 360)
    done = CliRunner().invoke(taught.main, [str(tmp_path), "--data", str(mnist)])
    assert done.exit_code == 1  # so few teach too little
    assert f"Taught by the 300 digits of {tmp_path}: " in done.output
    assert 0.3 < float(done.output.split(": ")[1].split("%")[0]) / 100 < 0.97
    assert "The mark is 97%" in done.output


def test_a_folder_that_holds_no_dataset_teaches_nothing(tmp_path):
    done = CliRunner().invoke(taught.main, [str(tmp_path)])
    assert done.exit_code == 1
    assert f"write it with mnistgen dataset {tmp_path}" in done.output
