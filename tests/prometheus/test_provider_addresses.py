import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary_operator.model.providers import ProviderAddresses, normalise_address, resolve_address
from canary_operator.model.samples import Absent
from canary_operator.model.verdict import HoldReason

KNOWN = ProviderAddresses(
    {
        "default": ("http://prometheus.monitoring:9090",),
        "thanos": ("https://thanos.example/api", "http://[fd00::1]:9090"),
        "again": ("https://thanos.example/api",),
    }
)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (None, "default"),
        ("", "default"),
        ("  ", "default"),
        ("http://prometheus.monitoring:9090", "default"),
        ("HTTP://Prometheus.Monitoring:9090/", "default"),
        (" http://prometheus.monitoring:9090\n", "default"),
        ("https://thanos.example:443/api/", "thanos"),
        ("http://[FD00::1]:9090", "thanos"),
    ],
)
def test_an_address_means_a_provider_in_any_of_its_spellings(address, name):
    assert resolve_address(address, KNOWN) == name


@pytest.mark.parametrize(
    "address",
    [
        "http://prometheus.monitoring",
        "https://prometheus.monitoring:9090",
        "http://prometheus.monitoring:9090/other",
        "http://prometheus.monitoring:9090?x=1",
        "http://prometheus.monitoring:9090#x",
        "http://prometheus.monitoring:9090@evil.example",
        "http://prometheus.monit\toring:9090",
        "https://thanos.example/API",
        "http://prometheus.monitoring:99999",
        "http://[",
        "prometheus.monitoring:9090",
        "http://169.254.169.254",
    ],
)
def test_any_other_address_is_refused_and_the_allowed_ones_are_named(address):
    answer = resolve_address(address, KNOWN)

    assert isinstance(answer, Absent)
    assert answer.reason is HoldReason.CONFIGURATION_ERROR
    assert "http://prometheus.monitoring:9090, https://thanos.example/api" in answer.message


def test_no_address_needs_a_provider_called_default():
    answer = resolve_address(None, ProviderAddresses({"thanos": ("http://thanos",)}))

    assert isinstance(answer, Absent)
    assert "no provider is called 'default'; providers: thanos" in answer.message


def test_credentials_in_an_address_are_not_repeated():
    answer = resolve_address("http://me:s3cret@prometheus", KNOWN)

    assert isinstance(answer, Absent)
    assert "s3cret" not in answer.message


@settings(deadline=None)
@given(st.text())
def test_any_text_is_a_provider_or_a_refusal_of_bounded_length(address):
    answer = resolve_address(address, KNOWN)

    assert answer in KNOWN.by_name or (isinstance(answer, Absent) and len(answer.message) < 3000)


@settings(deadline=None)
@given(st.text())
def test_a_normalised_address_stays_as_it_is(text):
    once = normalise_address(f"http://{text}")

    assert once is None or normalise_address(once) == once
