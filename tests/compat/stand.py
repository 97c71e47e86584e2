"""All servers with the same history, and which of them there are."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from canary_operator.settings import Flavour
from lab import LabError, peers
from tests.compat.replay import Server

_FLAVOURS = {"victoria-metrics": Flavour.VICTORIAMETRICS, "thanos": Flavour.THANOS}


@dataclass(frozen=True)
class Stand:
    """What runs.

    Args:

        programs: each peer's program, or why there is none.

        began: when the releases began, Unix seconds.
    """

    programs: Mapping[str, Path | LabError]
    running: peers.Peers
    began: float

    def require(self, name: str) -> None:
        """Fail, and never skip, where a server could not be built."""
        for program in peers.SERVERS[name]:
            if isinstance(error := self.programs[program], LabError):
                pytest.fail(f"{name} was not run, because {program} could not be built: {error}")

    @contextmanager
    def opened(self, name: str, flavour: Flavour | None = None, **patience: str) -> Iterator[Server]:
        """A server, asked as its own flavour wants it or as another does."""
        self.require(name)
        flavour = flavour or _FLAVOURS.get(name, Flavour.PROMETHEUS)
        server = Server(self.running.url(name), flavour, self.began, **patience)
        yield server
        server.close()
