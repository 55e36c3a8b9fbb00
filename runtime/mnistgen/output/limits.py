"""The formats of files, and the limits of what one file holds."""

LAYOUT = {
    "png": ("scale", "columns", "color", "paper", "resample"),
    "jpg": ("scale", "columns", "color", "paper", "resample"),
    "gif": ("scale", "color", "paper"),
    "webp": ("scale", "color", "paper"),
    "npy": (),
    "npz": (),
    "svg": ("scale", "columns", "color", "paper"),
    "txt": ("columns",),
}
"""The formats, and the layout options of each."""
MEDIA_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "npy": "application/octet-stream",
    "npz": "application/zip",
    "svg": "image/svg+xml",
    "txt": "text/plain;charset=utf-8",
}
CARRIERS = ("png", "gif", "webp", "npz")
"""Formats that carry metadata."""
TEXTS = ("svg", "txt")
"""Formats that a terminal can show."""
MOST_DIGITS = 1000
"""Maximum number of digits in one file; for more, use arrays."""
MOST_PIXELS = 89_000_000
"""Maximum number of pixels, one byte each, in one file; Pillow considers larger images an attack."""
MOST_SCALE = 64
SCALE = 8
"""Default scale."""
MILLISECONDS = 500
"""Time for which an animation shows each digit."""
