"""What may be written under `audit`, and the page that says so."""

from pathlib import Path

import pytest
import yaml

from canary_operator.archive import forwarders
from canary_operator.archive.stored import Stored
from canary_operator.errors import ConfigurationError
from canary_operator.settings import Audit, load_settings
from tests.archive.trail import Counts, Records

PAGE = (Path(__file__).parents[2] / "docs/audit-sinks.md").read_text()


@pytest.fixture
def configured(tmp_path):
    def load(audit):
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump({"audit": audit}))
        return load_settings(path).audit

    return load


def places(audit):
    return list(forwarders(audit, Stored(Records(), ()), Counts()))


def test_records_go_nowhere_else_unless_somebody_says_so():
    assert places(load_settings(None).audit) == []


def test_nothing_may_be_said_too(configured):
    assert places(configured({"stream": None, "webhook": None, "spool": None})) == []


def test_both_places_are_read(configured, tmp_path):
    audit = configured({"stream": "stderr", "webhook": {"url": "https://audit.example"}, "spool": str(tmp_path)})

    assert (audit.stream, places(audit)) == ("stderr", ["stream", "webhook"])


def test_the_environment_outranks_the_file(configured, monkeypatch):
    monkeypatch.setenv("CANARY_OPERATOR_AUDIT__STREAM", "/var/log/decisions.jsonl")
    monkeypatch.setenv("CANARY_OPERATOR_AUDIT__WEBHOOK__SECRET_FILE", "/etc/secret")

    audit = configured({"stream": "stderr", "webhook": {"url": "https://audit.example"}})

    assert (str(audit.stream), str(audit.webhook.secret_file)) == ("/var/log/decisions.jsonl", "/etc/secret")


@pytest.mark.parametrize(
    ("audit", "mistake"),
    [
        ({"stream": "decisions.jsonl"}, "should be stderr or an absolute path, got 'decisions.jsonl'"),
        ({"spool": "spool"}, "should be an absolute path, got 'spool'"),
        ({"waiting": 0}, "greater than or equal to 1"),
        ({"webhook": {}}, "should have one of url and urlFile"),
        ({"webhook": {"url": "ftp://audit.example"}}, "should be http(s)://host"),
        ({"file": "/decisions.jsonl"}, "audit.file"),
    ],
)
def test_a_mistake_says_where_and_what_is_allowed(configured, audit, mistake):
    with pytest.raises(ConfigurationError) as caught:
        configured(audit)

    assert mistake in str(caught.value)


@pytest.mark.parametrize("field", ["stream", "webhook", "spool", "waiting"])
def test_the_page_has_every_field(field):
    assert field in Audit.model_fields
    assert f"| `{field}` |" in PAGE
