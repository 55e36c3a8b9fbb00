"""The commands are imported by name, which PyInstaller cannot see."""

from mnistgen.cli import COMMANDS

hiddenimports = [f"mnistgen.cli.{name}" for name in COMMANDS]
