"""Models, threads and cache of a server: everything that its routes share."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from mnistgen.errors import InputError
from mnistgen.generator import Generator, import_pool
from mnistgen.manifest import Manifest, Model
from mnistgen.serve.batches import Batches
from mnistgen.serve.cache import Body, Cache
from mnistgen.serve.drawing import Drawing
from mnistgen.serve.limits import Gate, Streams
from mnistgen.serve.settings import MOST_STREAMS, Settings
from mnistgen.validation import matches, shown

T = TypeVar("T")
_is_prefix = matches(r"[0-9a-f]{8,64}")


class Service:
    """Loaded models and the means to draw with them.

    Args:
        manifest: The models' manifest.
        names: Models to load.
        settings: Limits.

    Raises:
        MnistgenError: A model cannot be loaded.
    """

    def __init__(self, manifest: Manifest, names: Iterable[str], settings: Settings):
        import_pool()
        self.settings = settings
        # One thread each: requests run side by side, which draws more digits per second than threads that share one.
        self._generators = {name: Generator(manifest, name, settings.device, 1) for name in names}
        self.cache = Cache(settings.cache_bytes)
        self.gate = Gate(settings.threads, settings.queue, settings.deadline)
        self.streams = Streams(MOST_STREAMS)
        self._batches = Batches(self.gate)
        self.ready = False
        """Whether each model has drawn a digit."""

    @property
    def models(self) -> list[Model]:
        """The loaded models."""
        return [generator.model for generator in self._generators.values()]

    def warm_up(self) -> None:
        """Draw a digit with each model."""
        for generator in self._generators.values():
            generator.generate(seed=0)
        self.ready = True

    def close(self) -> None:
        """Wait for the threads, and release the models."""
        self.ready = False
        self.gate.close()
        for generator in self._generators.values():
            generator.close()

    def generator(self, address: str) -> tuple[Generator, bool]:
        """Return the generator for a model's address, and whether the address names the version.

        Args:
            address: A name such as "cgan", or with the start of the SHA-256 of its file, such as "cgan@1234abcd".

        Raises:
            InputError: No such model, or version of it, is loaded.
        """
        name, at, prefix = address.partition("@")
        generator = self._generators.get(name)
        if generator is None:
            known = ", ".join(self._generators)
            raise InputError(f"model is {shown(name)}; expected one of {known}", code="unknown-model")
        if at and not (_is_prefix(prefix) and generator.model.sha256.startswith(prefix)):
            raise InputError(
                f"The version of the {name} is {shown(prefix)}; expected at least 8 characters of the SHA-256",
                code="unknown-version",
                remedy="See /v1/models",
            )
        return generator, bool(at)

    async def encoded(self, generator: Generator, drawing: Drawing) -> Body:
        """Return the encoded picture, from memory or drawn.

        Raises:
            InputError: The drawing is invalid.
            BusyError: The queue is full, or the deadline has passed.
        """
        cached = self.cache.get(drawing)
        if cached:
            return cached
        request = drawing.check(generator.model)
        if drawing.is_digit:
            body = await self._batches.encoded(generator, drawing, request)
        else:
            body = await self.gate.run(partial(drawing.body, generator))
        self.cache.put(drawing, body)
        return body

    async def run(self, work: Callable[[], T]) -> T:
        """Call `work` in a thread; raise BusyError if none is free in time."""
        return await self.gate.run(work)
