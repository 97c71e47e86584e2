"""Plan: the command line says the name by which it was called."""

import sys

import pytest

from canary_operator.cli import main


@pytest.mark.parametrize(
    ("called", "told"),
    [
        ("/usr/local/bin/canary-operator", "Usage: canary-operator "),
        ("/usr/local/bin/kubectl-canary_gate", "Usage: kubectl canary-gate "),
        ("/lib/canary_operator/__main__.py", "Usage: canary-operator "),
    ],
)
def test_usage_says_what_the_person_typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], called: str, told: str
) -> None:
    monkeypatch.setattr(sys, "argv", [called, "--help"])

    with pytest.raises(SystemExit):
        main()

    assert told in capsys.readouterr().out
