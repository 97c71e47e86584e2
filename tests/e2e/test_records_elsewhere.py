"""Records of decisions reach a file and a receiver: each of the chain, in order, whoever is away and whoever dies."""

from __future__ import annotations

import base64
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from tests.e2e.receiver import Receiver, receiver
from tests.e2e.scenes import INDEFINITE, ended, timed, traffic
from tests.e2e.stage import Stage

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes....").decode()


@pytest.fixture
def told() -> Iterator[Receiver]:
    with receiver() as opened:
        yield opened


def configure(monkeypatch: pytest.MonkeyPatch, **audit: str) -> None:
    for name, value in audit.items():
        monkeypatch.setenv(f"CANARY_OPERATOR_AUDIT__{name.upper()}", value)


def hashes(stage: Stage) -> list[str]:
    """The chain as the API server has it."""
    return [spec["hash"] for spec in stage.decisions()]


def in_file(path: Path) -> list[str]:
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line)["spec"]["hash"] for line in lines]


def posted(told: Receiver) -> list[str]:
    return [json.loads(body)["id"] for _, body in told.at("/records")]


def without_repeats(found: list[str]) -> list[str]:
    return list(dict.fromkeys(found))


def test_a_release_is_at_both_places_and_a_kill_or_a_receiver_that_was_away_leave_no_gap(
    stage: Stage, told: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, address, secret = (stage.folder / name for name in ("decisions.jsonl", "address", "secret"))
    secret.write_text(SECRET)
    # Nobody is there yet; the address is read again for every attempt.
    address.write_text("http://127.0.0.1:1/records")
    configure(monkeypatch, stream=str(file), spool=str(stage.folder / "spool"))
    configure(monkeypatch, webhook__url_file=str(address), webhook__secret_file=str(secret))
    stage.template()
    stage.rollout(steps=INDEFINITE, rate=0)
    operator = stage.operator()
    stage.release()
    stage.until(lambda: len(in_file(file)) >= 2, "the first records in the file")
    stage.until(lambda: any(line["event"] == "audit_place_fails" for line in operator.logged()), "a word about it")
    operator.stop(signal.SIGKILL)
    rotated = file.rename(stage.folder / "decisions.jsonl.1")

    address.write_text(f"{told.url}/records")
    stage.operator()
    traffic(stage)

    stage.until(stage.is_promoted, "the promotion")
    stage.until(lambda: without_repeats(in_file(rotated) + in_file(file)) == hashes(stage), "the chain in both files")
    stage.until(lambda: without_repeats(posted(told)) == hashes(stage), "the chain at the receiver")
    for headers, body in told.at("/records"):
        Webhook(SECRET).verify(body, headers)


def test_a_full_disk_stops_no_abort_and_gets_what_it_missed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    file = stage.folder / "decisions.jsonl"
    file.symlink_to("/dev/full")
    configure(monkeypatch, stream=str(file))
    stage.template(failure_limit=4)
    stage.rollout(steps=timed("60s"))
    operator = stage.operator()

    stage.release(errors=0.5)

    gate = ended(stage, timeout=90)
    assert (gate["verdict"], gate["reason"]) == ("Abort", "ConditionsFailed")
    assert len([line for line in operator.logged() if line["event"] == "audit_place_fails"]) == 1, "told once"
    file.unlink()
    stage.until(lambda: file.exists() and in_file(file) == hashes(stage), "what the file has missed", timeout=120)


def test_no_statement_is_made_of_images_that_nobody_knows(stage: Stage) -> None:
    """Pods of the lab run no containers, so that nobody says which image by digest."""
    stage.template()
    stage.rollout(steps=INDEFINITE)
    stage.operator()
    stage.release()
    stage.until(stage.is_promoted, "the promotion", timeout=100)

    said = stage.command("audit", "attest", "web", f"--namespace={stage.namespace}")

    assert (said.returncode, said.stdout) == (1, "")
    assert "no record of the promotion names an image" in said.stderr
