"""Turn arrays into images and files."""
