"""Compare the rights that are granted with those that the tests have used; a right to write that is not used fails."""

from pathlib import Path
from typing import Annotated

import typer

from lab import locations
from lab.starting import find
from tests.rights.granted import MODES
from tests.rights.used import has_logs, used


def main(lab: Annotated[str, typer.Argument(envvar="LAB_NAME", help="The lab that the tests shared.")]) -> None:
    """Print what was granted and not used by any test."""
    if locations.flavour() != "local":
        typer.echo(f"rights are not compared with LAB={locations.flavour()}: its API server writes nothing down for us")
        return
    raise typer.Exit(compare(find(lab).audit_logs))


def compare(logs: Path) -> int:
    """Print what was granted and not used by any test. Returns 1 if it can write, or if there is no log, else 0."""
    if not has_logs(logs):
        typer.echo(f"no audit log in {logs}: nobody knows which rights were used", err=True)
        return 1
    unused = [(mode.name, right) for mode in MODES for right in sorted(mode.granted() - used(logs, mode))]
    for mode, right in unused:
        typer.echo(f"{mode}: granted and not used by any test: {right}{' (it can write)' if right.writes else ''}")
    return int(any(right.writes for _, right in unused))


if __name__ == "__main__":
    typer.run(main)
