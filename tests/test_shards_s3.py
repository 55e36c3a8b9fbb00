"""Shards in an S3 bucket on a server of this computer."""

import json
import subprocess
from importlib.util import find_spec
from urllib.request import Request, urlopen

import pytest
from dataset_helpers import tree
from shard_helpers import ONE, OPTIONS, pixel_hashes
from subprocess_helpers import cli_command

from mnistgen import dataset

pytestmark = pytest.mark.skipif(
    not all(map(find_spec, ("boto3", "moto", "s3fs", "flask"))), reason="needs s3fs and moto[server]"
)
ENGINES = ["local", pytest.param("ray", marks=pytest.mark.skipif(not find_spec("ray"), reason="needs Ray"))]


@pytest.fixture
def bucket(monkeypatch):
    """A client of an empty bucket `bucket`, which the environment leads to."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()  # the process has one state
    client = boto3.client("s3")
    client.create_bucket(Bucket="bucket")
    yield client
    client.close()
    server.stop()


def write(*options):
    command = cli_command("dataset", "s3://bucket/a/digits", *OPTIONS, "--n", "200", "--workers", "2", *options)
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def objects(client):
    found = client.list_objects_v2(Bucket="bucket").get("Contents", [])
    return {each["Key"]: client.get_object(Bucket="bucket", Key=each["Key"])["Body"].read() for each in found}


@pytest.mark.parametrize("engine", ENGINES)
def test_bucket_holds_the_files_of_one_process(tmp_path, bucket, engine):
    done = write("--engine", engine, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    facts = dataset.write_shards(tmp_path, 200, 5, model="cgan-int8", kind="npz", workers=ONE)
    assert pixel_hashes(json.loads(done.stdout)) == pixel_hashes(facts)
    assert {name.removeprefix("a/digits/"): content for name, content in objects(bucket).items()} == tree(tmp_path)


def test_lost_and_damaged_objects_are_made_again(bucket):
    assert write().returncode == 0
    before = objects(bucket)
    bucket.delete_object(Bucket="bucket", Key="a/digits/train-00001-of-00005.npz")
    bucket.put_object(Bucket="bucket", Key="a/digits/train-00003-of-00005.npz", Body=b"damaged")
    assert write().returncode == 0
    assert objects(bucket) == before


def test_other_settings_are_refused(bucket):
    assert write().returncode == 0
    before = objects(bucket)
    done = write("--seed", "1")
    assert (done.returncode, "(seed is 0, not 1)" in done.stderr) == (2, True)
    assert objects(bucket) == before


@pytest.mark.parametrize("fault", ["AWS_ENDPOINT_URL", "bucket"])
def test_unreachable_bucket_is_reported(bucket, monkeypatch, fault):
    if fault == "bucket":
        bucket.delete_bucket(Bucket="bucket")
    else:
        monkeypatch.setenv(fault, "http://127.0.0.1:1")
    done = write()
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot be written to s3://bucket/a/digits" in done.stderr
    assert done.stderr.count("\n") == 1
