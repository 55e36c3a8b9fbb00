"""How a file was drawn: a record that the file carries, and from which it can be drawn again."""

from mnistgen.provenance.reader import read
from mnistgen.provenance.records import AnyRecord, Manifold, Record, Walk

__all__ = ["AnyRecord", "Manifold", "Record", "Walk", "read"]
