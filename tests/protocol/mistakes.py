"""Mistakes in the protocol, each put in on purpose: the model must find them.

Law: a mistake is a context in which the operator's own code is another; nothing of it stays.
"""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

from canary_operator import reconcile
from canary_operator.cluster.ledger import Ledger
from canary_operator.engine import memory
from canary_operator.model.decision import Applied, Outcome
from tests.protocol import operator


@contextlib.contextmanager
def no_intention() -> Iterator[None]:
    """The Rollout is written before anything says so."""

    async def intend(*_: Any) -> None:
        return None

    with mock.patch.object(reconcile, "intend", intend):
        yield


@contextlib.contextmanager
def concluded_as(outcome: Outcome) -> Iterator[None]:
    """What nobody knows is told all the same."""
    with mock.patch.object(memory, "outcome_of", return_value=Applied(outcome)):
        yield


@contextlib.contextmanager
def no_catching_up() -> Iterator[None]:
    """Records that a crash has left behind are gone past."""
    real = Ledger._catch_up

    async def catch_up(self: Ledger, *given: Any) -> Any:
        status, _ = await real(self, *given)
        return status, False

    with mock.patch.object(Ledger, "_catch_up", catch_up):
        yield


@contextlib.contextmanager
def written_over() -> Iterator[None]:
    """The gate is written whoever has written it since."""
    real = operator.Asked.__init__

    def asked(self: operator.Asked, verb: str, text: str = "", known: str = "") -> None:
        real(self, verb, text)

    with mock.patch.object(operator.Asked, "__init__", asked):
        yield


@contextlib.contextmanager
def promoted_on_another_pause() -> Iterator[None]:
    """What was heard at one pause counts at the next."""
    with (
        mock.patch.object(memory, "is_same_pause", lambda pause, rollout, at: pause is not None),
        mock.patch.object(memory, "left", lambda status, rollout: status),
    ):
        yield
