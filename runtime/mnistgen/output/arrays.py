"""Write arrays of bytes in NumPy's format without holding them in memory."""

from typing import IO

import numpy as np


def write_header(file: IO[bytes], shape: tuple[int, ...]) -> None:
    """Write the header of an npy file of uint8; the caller writes the values after it."""
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
