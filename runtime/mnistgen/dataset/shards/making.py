"""Make one shard: draw its images, write its files, and record their hashes."""

import hashlib
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from mnistgen.dataset.settings import SHARDS, json_bytes, parse_object
from mnistgen.dataset.shards.formats import FORMATS, Block, Contents
from mnistgen.dataset.shards.plan import ShardPlan
from mnistgen.dataset.shards.storage import Storage, file_sha256
from mnistgen.dataset.split import BLOCK
from mnistgen.generator import Generator
from mnistgen.inference.cpu import processor

Record = dict[str, Any]
"""What is in a shard: the number of its first image, the number of images, hashes."""


def make_shard(generator: Generator, planned: ShardPlan, k: int, storage: Storage) -> Record:
    """Write shard `k` if it is missing or damaged; return its record.

    The record is written before the files are renamed. So a file without a record is not from this function.
    """
    former = read_record(planned, k, storage.read(record_name(planned, k)))
    if former and all(storage.sha256(name) == facts["sha256"] for name, facts in former["files"].items()):
        return former
    names = planned.files(k)
    first, stop = planned.bounds(k)
    digest = hashlib.sha256()
    with storage.drafts(names) as drafts:
        blocks = _drawn(generator, planned, first, stop, digest)
        FORMATS[planned.kind].write(drafts, Contents(stop - first, len(planned.counts), blocks))
        record: Record = {"shard": k, "start": first, "n": stop - first, "sha256": digest.hexdigest(), "files": {}}
        for name, draft in zip(names, drafts, strict=True):
            with draft.open("rb") as file:
                record["files"][name] = {"bytes": draft.stat().st_size, "sha256": file_sha256(file)}
        record["processor"] = processor()
        storage.write(record_name(planned, k), json_bytes(record))
        for name, draft in zip(names, drafts, strict=True):
            storage.put(draft, name)
    return record


def record_name(planned: ShardPlan, k: int) -> str:
    """Return the name of the record of shard `k`."""
    return f"{SHARDS}/{planned.id(k)}.json"


def read_record(planned: ShardPlan, k: int, content: bytes | None) -> Record | None:
    """Return the record of shard `k`; None if it is missing, or is not such a record."""
    record = parse_object(content or b"")
    files = record.get("files")
    first, stop = planned.bounds(k)
    is_valid = (
        (record.get("shard"), record.get("start"), record.get("n")) == (k, first, stop - first)
        and isinstance(record.get("sha256"), str)
        and isinstance(files, dict)
        and list(files) == planned.files(k)
        and all(isinstance(facts, dict) and {"bytes", "sha256"} <= set(facts) for facts in files.values())
    )
    return record if is_valid else None


def _drawn(generator: Generator, planned: ShardPlan, first: int, stop: int, digest: Any) -> Iterator[Block]:
    """Yield the images of a shard; add the pixels, and at the end the labels, to the digest."""
    order, drawn = planned.labels(), []
    for begin, end in pairwise([*range(first, stop, BLOCK), stop]):
        labels = order(begin, end)  # (b,)
        images = generator.generate(end - begin, digit=labels, seed=planned.seed, start=begin)  # (b, 28, 28)
        digest.update(images.tobytes())
        drawn.append(labels)
        yield Block(begin, images, labels)
    digest.update(np.concatenate(drawn).tobytes())
