"""The model finds nothing in the operator's code as it is, and finds mistakes that are put in."""

from dataclasses import replace

import pytest

from canary_operator.model.decision import Outcome
from tests.protocol import mistakes, scopes
from tests.protocol.exploring import Exploration

SOME_STATES = 150
ENOUGH_STATES = 4_000


@pytest.mark.parametrize("scope", scopes.ALL, ids=lambda scope: scope.name)
def test_nothing_wrong_is_near(scope):
    explored = Exploration(scope).run(SOME_STATES)

    assert explored.found is None, str(explored.found)
    assert explored.states >= SOME_STATES


NEXT = replace(scopes.ANSWERS, from_pause=True, answers=("good", "none"))
NEAR = replace(scopes.FAULTS, from_pause=True)


@pytest.mark.parametrize(
    ("mistake", "scope", "wrong"),
    [
        (mistakes.no_intention, NEAR, "no record tells of Hold"),
        (lambda: mistakes.concluded_as(Outcome.STALE), NEAR, "a Hold was done and is told as Stale"),
        (lambda: mistakes.concluded_as(Outcome.APPLIED), NEAR, "a Hold was not done and is told as Applied"),
        (mistakes.no_catching_up, NEAR, "an action stays pending"),
        (mistakes.written_over, scopes.LEASES, "is forgotten"),
        (
            mistakes.promoted_on_another_pause,
            replace(scopes.ANSWERS, from_pause=True, answers=("good", "none")),
            "pause",
        ),
    ],
)
def test_a_mistake_is_found(mistake, scope, wrong):
    with mistake():
        explored = Exploration(scope).run(ENOUGH_STATES)

    assert explored.found is not None
    assert wrong in explored.found.wrong
