"""Plan: a kubeconfig is read; its token is read again when it rotates; a broken file keeps the last good token."""

import pathlib

import pytest
import yaml

from canary_operator.cluster import credentials
from canary_operator.cluster.credentials import load_credentials
from canary_operator.errors import ClusterRefused


@pytest.fixture
def kubeconfig(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "token").write_text("first")
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"tokenFile": str(tmp_path / "token")}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(credentials.time, "monotonic", lambda: now[0])
    return now


def test_a_rotated_token_is_used_within_a_minute(kubeconfig: pathlib.Path, clock: list[float]) -> None:
    configuration = load_credentials(str(kubeconfig))
    (kubeconfig.parent / "token").write_text("second")

    assert configuration.get_api_key_with_prefix("BearerToken") == "Bearer first"
    clock[0] += credentials.REREAD_SECONDS
    assert configuration.get_api_key_with_prefix("BearerToken") == "Bearer second"


def test_the_last_good_token_stays_while_the_file_cannot_be_read(kubeconfig: pathlib.Path, clock: list[float]) -> None:
    configuration = load_credentials(str(kubeconfig))
    kubeconfig.write_text("{")
    clock[0] += credentials.REREAD_SECONDS

    assert configuration.get_api_key_with_prefix("BearerToken") == "Bearer first"


def test_no_credentials_are_refused_with_the_reason(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ClusterRefused, match="no credentials"):
        load_credentials(str(tmp_path / "missing"))
