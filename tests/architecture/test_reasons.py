"""Every reason has its place: in the tables of precedence, and as one word that users match on."""

import re

import pytest

from canary_operator.engine import tables
from canary_operator.model.verdict import AbortReason, HoldReason, PromoteReason

ORDERS = [
    (AbortReason, tables.ABORT_ORDER),
    (HoldReason, tables.HOLD_ORDER),
    (PromoteReason, tables.PROMOTE_ORDER),
]


@pytest.mark.parametrize(("reasons", "order"), ORDERS)
def test_every_reason_has_exactly_one_row(reasons, order):
    assert sorted(order, key=str) == sorted(reasons, key=str)


@pytest.mark.parametrize("reason", [*AbortReason, *HoldReason, *PromoteReason])
def test_a_reason_is_one_word_in_camel_case(reason):
    assert re.fullmatch(r"([A-Z][a-z]+)+", reason.value)


def test_the_words_that_users_match_on_stay_what_they_are():
    assert {reason.value for reason in PromoteReason} == {"EvidenceSufficient", "ConditionsMet", "Override", "MaxHold"}
    assert {reason.value for reason in AbortReason} == {
        *("CanaryRegression", "ObjectiveBreached", "ConditionsFailed", "ExposureSpent", "CanaryUnhealthy"),
        *("TelemetryLost", "MaxHold", "Override"),
    }
    assert {reason.value for reason in HoldReason} == {
        *("Collecting", "LowTraffic", "NoTraffic", "WarmUp", "NoData", "TelemetryUnavailable"),
        *("EnvironmentUnhealthy", "RoutingMismatch", "AmbiguousSeries", "ConfigurationError", "Drifting"),
        *("Inconclusive", "ImageChanged", "Frozen", "FleetLimit", "FleetBrake", "Override", "MaxHold"),
        *("CanaryRegression", "ObjectiveBreached", "ConditionsFailed", "ExposureSpent", "CanaryUnhealthy"),
        "TelemetryLost",
    }
