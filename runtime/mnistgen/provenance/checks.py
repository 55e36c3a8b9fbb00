"""Check that the facts of a record fit together, and that its file is not too large."""

from mnistgen.errors import InputError
from mnistgen.output.limits import MOST_DIGITS, MOST_PIXELS
from mnistgen.provenance.records import LONGEST_MS, MOST_FRAMES, AnyRecord, Manifold, Record, Walk


def check(record: AnyRecord) -> None:
    """Raise InputError if facts contradict each other, or the file would be larger or longer than allowed."""
    if isinstance(record, Record):
        _check_picture(record)
    elif isinstance(record, Walk):
        _check_walk(record)
    else:
        _check_manifold(record)


def shape_of(record: AnyRecord) -> tuple[int, int, int]:
    """Return the frames, height and width of the record's file, in pixels."""
    if isinstance(record, Manifold):
        side = 28 * record.side * record.scale
        return 1, side, side
    if isinstance(record, Walk):
        frames = frames_of(record)
        if record.format != "png":
            return frames, 28 * record.scale, 28 * record.scale
        rows = _cells(record, frames) // (record.frames + 1)
        return 1, rows * 28 * record.scale, (record.frames + 1) * 28 * record.scale
    if record.text is not None:
        from mnistgen.text import width_of  # lazy: only texts need it

        return 1, 28 * record.scale, width_of(record.text) * record.scale
    if record.format != "png":
        return record.n, 28 * record.scale, 28 * record.scale
    columns = min(record.n, record.columns)
    return 1, -(-record.n // columns) * 28 * record.scale, columns * 28 * record.scale


def _check_size(record: Record) -> None:
    """Raise InputError if the picture would be larger than MOST_PIXELS."""
    if record.text is None:
        columns = min(record.n, record.columns)
        pixels = -(-record.n // columns) * columns * 28 * 28
    else:
        from mnistgen.text import width_of  # lazy: only texts need it

        pixels = width_of(record.text) * 28
    _check_pixels(f"The picture of {record.n} digits", pixels, record.scale)


def _check_picture(record: Record) -> None:
    for count, what in ((record.n, "digits"), (len(record.text or ""), "characters")):
        if count > MOST_DIGITS:
            raise InputError(
                f"The number of {what} is {count}; expected at most {MOST_DIGITS} in one file",
                code="too-large",
                remedy="Use several files, or arrays",
            )
    if record.digits is not None and len(record.digits) != record.n:
        raise InputError(
            f"The record has {len(record.digits)} digits for {record.n} images; expected one for each",
            code="digit-count-mismatch",
        )
    if record.text is not None:
        from mnistgen.text import check_text, digits_of

        check_text(record.text)
        if record.digits != tuple(digits_of(record.text)):
            raise InputError("The record's digits differ from those of its text", code="invalid-text")
    _check_size(record)


def _check_walk(record: Walk) -> None:
    if record.digits is not None and len(record.digits) != len(record.seeds):
        raise InputError(
            f"The record has {len(record.digits)} digits for {len(record.seeds)} stops; expected one for each",
            code="digit-count-mismatch",
        )
    frames = frames_of(record)
    if frames > MOST_FRAMES:
        raise InputError(
            f"The walk has {frames} frames; expected at most {MOST_FRAMES}",
            code="too-large",
            remedy="Use fewer stops or fewer --frames",
        )
    _check_pixels(f"The walk of {frames} frames", _cells(record, frames) * 28 * 28, record.scale)
    _check_time(record, frames)


def frames_of(record: Walk) -> int:
    """Return the number of frames of the whole walk."""
    from mnistgen.interpolation import length  # lazy: only walks need it

    return length(len(record.seeds), record.frames, record.loop)


def _cells(record: Walk, frames: int) -> int:
    """Return the number of images in the file: a sheet repeats the stops between two legs."""
    legs = len(record.seeds) - (not record.loop)
    return legs * (record.frames + 1) if record.format == "png" else frames


def _check_time(record: Walk, frames: int) -> None:
    time = record.milliseconds
    if (time is None) != (record.format == "png"):
        raise InputError(
            f"--milliseconds is {time} for a {record.format}; expected a time for a gif or webp, and none for a png",
            code="option-conflict",
        )
    if time is None:
        return
    if record.format == "gif" and time % 10:
        raise InputError(
            f"--milliseconds is {time}; expected a multiple of 10 for a gif", code="invalid-time", remedy="Use a webp"
        )
    if frames * time > LONGEST_MS:
        raise InputError(
            f"The walk takes {frames * time} ms; expected at most {LONGEST_MS}",
            code="too-large",
            remedy="Use fewer frames or fewer --milliseconds",
        )


def _check_manifold(record: Manifold) -> None:
    _check_pixels(f"The manifold of {record.side} × {record.side} digits", (28 * record.side) ** 2, record.scale)


def _check_pixels(what: str, pixels: int, scale: int) -> None:
    total = pixels * scale**2
    if total > MOST_PIXELS:
        raise InputError(
            f"{what} at scale {scale} has {total} pixels; expected at most {MOST_PIXELS}",
            code="too-large",
            remedy="Use fewer digits or a smaller --scale",
        )
