"""The records at other places: a file, a program that takes them over HTTP.

Law: nobody who judges waits for them, and no place for another. A record is handed on at least once, the records of one
Rollout in the order of their chain; what cannot be handed on any more is told as lost.
"""

from canary_operator.archive.forwarding import Forwarder
from canary_operator.archive.places import forwarders
from canary_operator.archive.stored import Stored
from canary_operator.archive.troubles import Outcome, Trouble

__all__ = ["Forwarder", "Outcome", "Stored", "Trouble", "forwarders"]
