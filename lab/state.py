"""What a lab writes down about itself, so that any process can find it again.

Law: one JSON file per lab; whether the lab lives is asked of its supervisor, never of the file.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.errors import NotRunningError
from lab.plane.commands import Plane
from lab.plane.credentials import write_secret
from lab.plane.layout import Layout, Ports


@dataclass(frozen=True, slots=True)
class State:
    """A lab: its kind, its supervisor, and what its command lines were made of."""

    flavour: str
    supervisor: int
    seed: int
    ports: Ports
    programs: dict[str, Path]
    assets: dict[str, Path]

    def plane(self, folder: Path) -> Plane:
        """Return the plane of the lab in `folder`."""
        return Plane(Layout(folder), self.ports, self.programs, self.assets)


def write(folder: Path, state: State) -> None:
    """Write the state of the lab in `folder`, whole or not at all."""
    write_secret(Layout(folder).state, json.dumps(asdict(state), default=str, indent=2))


def read(folder: Path) -> State:
    """Return the state of the lab in `folder`. Raises NotRunningError when there is none."""
    try:
        body = json.loads(Layout(folder).state.read_text())
    except FileNotFoundError as error:
        raise NotRunningError(f"no lab in {folder}") from error
    return State(
        flavour=body["flavour"],
        supervisor=body["supervisor"],
        seed=body["seed"],
        ports=Ports(**body["ports"]),
        programs=_paths(body["programs"]),
        assets=_paths(body["assets"]),
    )


def _paths(texts: dict[str, str]) -> dict[str, Path]:
    return {name: Path(text) for name, text in texts.items()}
