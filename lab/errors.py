"""Everything that can go wrong in the lab, as one tree.

    LabError
    ├── ToolchainError    no Go, or one that is too old, and nothing cached
    ├── BuildError        go could not download or compile a program
    ├── StartError        a program died or was not ready in time
    ├── CommandError      kubectl (or another command) returned an error
    └── NotRunningError   there is no such lab, or its supervisor is gone

Law: exceptions only; every message says what to do or shows the last lines that the program said.
"""

from __future__ import annotations


class LabError(Exception):
    """Anything that the lab can explain."""


class ToolchainError(LabError):
    """Go is needed for a build and cannot be used."""


class BuildError(LabError):
    """Go ran and could not produce a program."""


class StartError(LabError):
    """A program of the lab died or was not ready in time."""


class CommandError(LabError):
    """A command against the cluster returned an error; the text is its stderr."""


class NotRunningError(LabError):
    """There is no such lab, or its supervisor is gone."""
