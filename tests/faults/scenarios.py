"""What a test of a fault says about itself: which component has which fault, and what is expected then.

Law: says, does nothing. What was seen comes from the run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

# What the fixture `seen` is: how a test says what it has seen.
Sees = Callable[[str], None]
# Everything that is random in these tests comes from this number.
SEED = int(os.environ.get("FAULTS_SEED", "8"))


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """A scenario's place on the page: its component's section and what its first two columns say."""

    component: str
    fault: str
    expected: str


def scenario(*, component: str, fault: str, expected: str, twin: bool = False) -> pytest.MarkDecorator:
    """Say what a test is about; `{name}` in a text is that parameter of the test.

    Cases of one test whose texts are the same share a row, and count as its runs.

    Args:

        component: whose fault it is: Operator, API server, Prometheus, Argo Rollouts, Tenants.

        fault: what is wrong.

        expected: what the operator must do then.

        twin: the scenario above it once more, with something that the operator must act on, so that always holding
            does not pass.
    """
    told = f"↳ twin: {fault}" if twin else fault
    return pytest.mark.scenario(component=component, fault=told, expected=expected)


def row_of(item: pytest.Item) -> Row | None:
    """Return the row of a test, None where it does not say what it is about."""
    mark = item.get_closest_marker("scenario")
    if mark is None:
        return None
    parameters: Mapping[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    return Row(**{name: _in_one_cell(text.format(**parameters)) for name, text in mark.kwargs.items()})


def _in_one_cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())
