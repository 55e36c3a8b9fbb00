"""Write images and labels as Parquet."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnistgen.output.images import encode_png


def write_parquet(path: Path, classes: int, blocks: Iterable[tuple[NDArray[np.uint8], NDArray[np.uint8]]]) -> None:
    """Write a table of PNG files and labels that Hugging Face's datasets recognises as images and class labels.

    Args:
        path: The file.
        classes: Number of labels.
        blocks: Images (b, 28, 28) and labels (b,); each block becomes a row group.
    """
    import pyarrow
    from pyarrow import parquet

    label = {"_type": "ClassLabel", "names": [str(digit) for digit in range(classes)]}
    features = {"image": {"_type": "Image"}, "label": label}
    schema = pyarrow.schema(
        {"image": pyarrow.struct({"bytes": pyarrow.binary(), "path": pyarrow.string()}), "label": pyarrow.int64()},
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    with parquet.ParquetWriter(path, schema) as writer:
        for images, labels in blocks:
            files = [{"bytes": encode_png(image), "path": None} for image in images]
            columns = {"image": files, "label": labels.astype(np.int64)}
            writer.write_table(pyarrow.table(columns, schema), row_group_size=len(images))
