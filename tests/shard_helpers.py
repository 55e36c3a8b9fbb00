"""Start the command that writes shards, and find, kill or limit its workers."""

import hashlib
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from dataset_helpers import tree
from subprocess_helpers import cli_command

from mnistgen import dataset

OPTIONS = ("--n", "1000", "--shards", "5", "--kind", "npz", "--model", "cgan-int8", "--device", "cpu")
WRITE = ("dataset", "digits", *OPTIONS)
ONE = dataset.Workers(count=1, device="cpu")
BEFORE = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell ignores it"


def start(*options):
    """Start the command in the current folder."""
    command = cli_command(*WRITE, *options, before=BEFORE)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def next_worker(process, after=0, folder="digits"):
    """Wait until a worker is in the middle of a shard, and `after` shards are finished; return its process."""
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        drafts = list(Path(folder).glob(".shards/train-*.part"))
        if drafts and len(list(Path(folder).glob("*.npz"))) >= after:
            return int(re.search(r"\.(\d+)-[0-9a-f]+\.part$", drafts[0].name)[1])
        time.sleep(0.002)
    process.kill()
    raise AssertionError(f"no worker is in the middle of a shard: {process.communicate()}")


def kill_worker(process, after=0):
    """Kill a worker in the middle of a shard."""
    os.kill(next_worker(process, after), signal.SIGKILL)


def limit_file_size(worker, size):
    """Let a running process write no more than `size` bytes to a file, which imitates a full disk."""
    import resource  # not available on Windows

    resource.prlimit(worker, resource.RLIMIT_FSIZE, (size, size))


def file_hashes(folder):
    """Return the SHA-256 of each file in a folder."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in tree(folder).items()}


def pixel_hashes(facts):
    """Return the hash of the pixels and labels of each shard in dataset.json."""
    return [record["sha256"] for record in facts["files"]]
