"""Add files to tar archives whose bytes depend on the files only."""

import io
import tarfile


def add_file(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file with a fixed time, 1970, and no owner."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
