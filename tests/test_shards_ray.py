"""Ray's workers write the same shards as one process, whatever happens to them."""

import json
import os
import signal
from importlib.util import find_spec
from pathlib import Path

import pytest
from shard_helpers import ONE, file_hashes, kill_worker, limit_file_size, next_worker, pixel_hashes, start

from mnistgen import dataset

pytestmark = pytest.mark.skipif(not find_spec("ray"), reason="needs Ray: pip install -e '.[ray]'")
RAY = ("--engine", "ray", "--address", "local")


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The pixel hashes of one process without Ray."""
    out = tmp_path_factory.mktemp("one")
    facts = dataset.write_shards(out, 1000, 5, model="cgan-int8", kind="npz", workers=ONE)
    return pixel_hashes(facts), file_hashes(out)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_ray_gives_the_pixels_of_one_process(folder, expected, workers):
    out, err = start(*RAY, "--workers", str(workers), "--json").communicate(timeout=120)
    assert err == ""
    assert pixel_hashes(json.loads(out)) == expected[0]
    assert file_hashes("digits") == expected[1]


def test_killed_worker_is_replaced(folder, expected):
    process = start(*RAY, "--workers", "2")
    kill_worker(process)
    _, err = process.communicate(timeout=120)
    assert (process.returncode, "died. Another one makes the shard again.\n" in err) == (0, True)  # Ray may add a line
    assert file_hashes("digits") == expected[1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_command_resumes(folder, expected, number):
    process = start(*RAY, "--workers", "2")
    next_worker(process, after=1)
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
    if number == signal.SIGINT:
        assert process.returncode == 130, err
        assert err.endswith("mnistgen: Interrupted. Repeat the command to resume.\n")
    kept = {path: path.stat().st_mtime_ns for path in Path("digits").glob("*.npz")}
    assert kept
    assert not Path("digits/dataset.json").exists()
    assert start(*RAY, "--workers", "2").communicate(timeout=120)[1] == ""
    assert file_hashes("digits") == expected[1]
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_full_disk_of_one_worker_is_reported(folder, expected):
    process = start(*RAY, "--workers", "2")
    limit_file_size(next_worker(process), 50_000)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (1, "")
    assert "(File too large). Fix the cause and repeat the command; finished shards are kept." in err
    assert err.count("\n") == 1
    found = {name: digest for name, digest in file_hashes("digits").items() if name.endswith(".npz")}
    assert found.items() <= expected[1].items()


def test_missing_cluster_is_reported(folder):
    process = start("--engine", "ray", "--address", "127.0.0.1:1")
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (1, "")
    assert err.startswith("mnistgen: Ray's cluster at 127.0.0.1:1 cannot be used (")
    assert err.count("\n") == 1


def test_usage_statistics_are_off(folder, monkeypatch):
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    from mnistgen.dataset.shards import ray_engine

    ray_engine._import_ray()
    from ray._common.usage.usage_lib import usage_stats_enabled

    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert not usage_stats_enabled()
