import pytest

from canary_operator.prometheus.providers import ANSWERED, Exchange
from canary_operator.telemetry import Telemetry

UNAVAILABLE = "TelemetryUnavailable"


@pytest.fixture
def telemetry():
    telemetry = Telemetry()
    telemetry.expect("default")
    return telemetry


def value(telemetry, name, **labels):
    return telemetry.registry.get_sample_value(f"canary_operator_prometheus_{name}", {"provider": "default", **labels})


def an_exchange(outcome=ANSWERED, questions=1, seconds=0.25, infos=0, is_open=False):
    return Exchange("default", outcome, questions, seconds, infos, is_open)


def test_every_series_of_a_provider_begins_at_zero(telemetry):
    for outcome in (ANSWERED, UNAVAILABLE, "ConfigurationError"):
        assert value(telemetry, "queries_total", outcome=outcome) == 0
        assert value(telemetry, "requests_total", outcome=outcome) == 0
    assert value(telemetry, "questions_per_request_count") == 0
    assert value(telemetry, "infos_total") == value(telemetry, "circuit_open") == 0


def test_many_questions_of_one_request_are_told_from_the_request(telemetry):
    telemetry.asked(an_exchange(questions=40, infos=2))

    assert value(telemetry, "queries_total", outcome=ANSWERED) == 40
    assert value(telemetry, "requests_total", outcome=ANSWERED) == 1
    assert value(telemetry, "questions_per_request_sum") == 40
    assert value(telemetry, "request_duration_seconds_sum") == 0.25
    assert value(telemetry, "infos_total") == 2


def test_questions_that_were_not_sent_are_no_request(telemetry):
    telemetry.asked(an_exchange(UNAVAILABLE, questions=3, seconds=None, is_open=True))

    assert value(telemetry, "queries_total", outcome=UNAVAILABLE) == 3
    assert value(telemetry, "requests_total", outcome=UNAVAILABLE) == 0
    assert value(telemetry, "request_duration_seconds_count") == 0
    assert value(telemetry, "circuit_open") == 1


def test_a_provider_that_answers_again_is_not_left_alone(telemetry):
    telemetry.asked(an_exchange(UNAVAILABLE, is_open=True))
    telemetry.asked(an_exchange())

    assert value(telemetry, "circuit_open") == 0
