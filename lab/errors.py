"""Everything that can go wrong in the lab, as one tree.

    LabError
    ├── ToolchainMissing   no Go, or one that is too old, and nothing cached
    ├── BuildFailed        go could not download or compile a program
    ├── StartFailed        a program died or was not ready in time
    ├── CommandFailed      kubectl (or another command) returned an error
    └── NotRunning         there is no such lab, or its supervisor is gone

Law: exceptions only; every message says what to do or shows the last lines that the program said.
"""

from __future__ import annotations


class LabError(Exception):
    """Anything that the lab can explain."""


class ToolchainMissing(LabError):
    """Go is needed for a build and cannot be used."""


class BuildFailed(LabError):
    """Go ran and could not produce a program."""


class StartFailed(LabError):
    """A program of the lab died or was not ready in time."""


class CommandFailed(LabError):
    """A command against the cluster returned an error; the text is its stderr."""


class NotRunning(LabError):
    """There is no such lab, or its supervisor is gone."""
