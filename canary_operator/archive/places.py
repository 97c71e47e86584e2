"""The places that are configured.

Law: plain constructors.
"""

import time

from canary_operator.archive.backlog import Backlog
from canary_operator.archive.endpoint import Endpoint
from canary_operator.archive.forwarding import Forwarder, Place
from canary_operator.archive.notebook import Notebook
from canary_operator.archive.stored import Stored
from canary_operator.archive.stream import Stream
from canary_operator.archive.troubles import Teller, Watcher
from canary_operator.settings import Audit


def forwarders(audit: Audit, stored: Stored, watcher: Watcher) -> dict[str, Forwarder]:
    """A forwarder for each configured place, by the place's name."""
    return {name: _forwarder(name, place, audit, (stored, watcher)) for name, place in _places(audit).items()}


def _places(audit: Audit) -> dict[str, Place]:
    places: dict[str, Place] = {}
    if audit.stream is not None:
        places["stream"] = Stream(audit.stream)
    if audit.webhook is not None:
        places["webhook"] = Endpoint(audit.webhook, time.time)
    return places


def _forwarder(name: str, place: Place, audit: Audit, surroundings: tuple[Stored, Watcher]) -> Forwarder:
    stored, watcher = surroundings
    teller = Teller(name, watcher)
    notebook = None if audit.spool is None else Notebook(audit.spool / f"{name}.sqlite")
    return Forwarder(place, Backlog(stored, notebook, audit.waiting, teller), teller)
