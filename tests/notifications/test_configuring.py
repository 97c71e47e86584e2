"""What may be written under `notifications`, and that no mistake tells a secret."""

import pytest
import yaml

from canary_operator.errors import ConfigurationError
from canary_operator.model.verdict import Verdict
from canary_operator.settings import load_settings

SECRET = "https://hooks.slack.com/services/T0/B0/s3cret"
SLACK = {"name": "deploys", "slack": {"urlFile": "/etc/slack/url"}}
WEBHOOK = {"name": "audit", "webhook": {"url": "https://audit.example/in"}}


@pytest.fixture
def configured(tmp_path):
    def load(*notifications):
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump({"notifications": list(notifications)}))
        return load_settings(path).notifications

    return load


def test_nobody_is_told_unless_somebody_says_so():
    assert load_settings(None).notifications == ()


def test_targets_are_read_with_their_filters(configured):
    filters = {"verdicts": ["Abort"], "reasons": ["ConditionsFailed"], "namespaces": ["shop"]}
    template = "{{ rollout }}: {{ message }}"

    first, second = configured({**SLACK, **filters, "template": template}, WEBHOOK)

    assert (str(first.slack.url_file), first.verdicts, first.template) == ("/etc/slack/url", (Verdict.ABORT,), template)
    assert (first.reasons, first.namespaces) == (("ConditionsFailed",), ("shop",))
    assert (second.webhook.url, second.verdicts, second.template) == ("https://audit.example/in", (), None)


@pytest.mark.parametrize(
    ("notification", "mistake"),
    [
        ({"name": "x"}, "notifications[0]: should have one of slack and webhook"),
        ({**SLACK, "webhook": WEBHOOK["webhook"]}, "notifications[0]: should have one of slack and webhook"),
        ({"name": "x", "webhook": {}}, "notifications[0].webhook: should have one of url and urlFile"),
        (
            {"name": "x", "webhook": {"url": "http://a", "urlFile": "/b"}},
            "notifications[0].webhook: should have one of url and urlFile",
        ),
        ({**SLACK, "name": "Big News"}, "notifications[0].name"),
        ({**SLACK, "verdicts": ["Maybe"]}, "'Promote', 'Hold' or 'Abort'"),
        ({**SLACK, "reasons": ["Whim"]}, "should be one of AmbiguousSeries, CanaryRegression"),
        ({**SLACK, "template": "{{ weather }}"}, "has no field 'weather': should be one of namespace, rollout"),
        ({**SLACK, "template": ""}, "at least 1 character"),
        ({**SLACK, "template": "x" * 2001}, "at most 2000 characters"),
        ({"name": "x", "webhook": {"url": "ftp://a"}}, "should be http(s)://host"),
        ({"name": "x", "webhook": {"url": "http://a", "headers": {"Webhook-Id": "1"}}}, "is set by the operator"),
        ({"name": "x", "webhook": {"url": "http://a", "headers": {"content-type": "a"}}}, "is set by the operator"),
        ({"name": "x", "webhook": {"url": "http://a", "headers": {"X-A": "b\nX-C: d"}}}, "the value printable ASCII"),
    ],
)
def test_a_mistake_says_where_and_what_is_allowed(configured, notification, mistake):
    with pytest.raises(ConfigurationError) as caught:
        configured(notification)

    assert mistake in str(caught.value)


def test_names_are_unique(configured):
    with pytest.raises(ConfigurationError, match="notifications: names must be unique, given more than once: deploys"):
        configured(SLACK, SLACK)


@pytest.mark.parametrize(
    "target",
    [
        {"slack": {"url": SECRET}},
        {"slack": SECRET},
        {"webhook": {"url": f"{SECRET}?token=s3cret"}},
        {"webhook": {"url": "http://a", "secret": SECRET}},
        {"webhook": {"url": "http://a", "headers": {"Authorization": f"Bearer {SECRET}\n"}}},
    ],
)
def test_a_secret_at_the_wrong_place_is_not_told(configured, target):
    with pytest.raises(ConfigurationError) as caught:
        configured({"name": "deploys", **target})

    assert "s3cret" not in str(caught.value)


def test_headers_are_not_shown(configured):
    (target,) = configured({"name": "a", "webhook": {"url": "http://a", "headers": {"Authorization": "Bearer s3cret"}}})

    assert "s3cret" not in repr(target)
