"""A real release seen through the page."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
from typing import Any

import requests

from tests.e2e.scenes import ended, timed, traffic
from tests.e2e.stage import Operator, Stage

HTML = {"Accept": "text/html"}
ADDRESS = "https://gates.example.com/canary"
PAGE = {"page": True, "url": ADDRESS}


def read(operator: Operator, path: str = "/") -> str:
    answer = requests.get(operator.web + path, headers=HTML, timeout=10)
    assert answer.ok, f"{answer.status_code}: {answer.text[-600:]}"
    return answer.text


def gate(stage: Stage, tail: str = "") -> str:
    return f"/gates/{stage.namespace}/web{tail}"


class Listener:
    """Somebody whose browser follows a page: the events that it was sent so far."""

    def __init__(self, operator: Operator, path: str) -> None:
        self.events: list[tuple[str, str]] = []
        headers = {"Accept": "text/event-stream"}
        self._answer = requests.get(operator.web + path, headers=headers, stream=True, timeout=30)
        assert self._answer.ok
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        text = ""
        with contextlib.suppress(requests.RequestException):
            for chunk in self._answer.iter_content(chunk_size=None):
                *events, text = (text + chunk.decode()).split("\r\n\r\n")
                self.events += [_event(event) for event in events]

    def heard(self, event: str, words: str) -> bool:
        return any(name == event and words in data for name, data in self.events)

    def courses(self) -> list[dict[str, Any]]:
        return [json.loads(data) for name, data in self.events if name == "course"]


def _event(text: str) -> tuple[str, str]:
    fields = [line.partition(": ") for line in text.split("\r\n")]
    data = "\n".join(value for name, _, value in fields if name == "data")
    return next(value for name, _, value in fields if name == "event"), data


def test_a_release_is_seen_while_it_is_held_and_after_it_was_promoted(stage: Stage) -> None:
    stage.template()
    stage.rollout(steps=timed("4s"), rate=0)
    operator = stage.operator(web=PAGE)
    table = Listener(operator, "/live")

    stage.release()
    stage.until(lambda: "<bdi>NoData</bdi>" in read(operator, gate(stage)), "the page to tell the hold")
    held = read(operator, gate(stage))
    assert "pause of 4 s" in held
    assert "maxHold at the latest" in held
    assert stage.gate()["message"].split(",")[0] in held
    one = Listener(operator, f"/live/{stage.namespace}/web")
    traffic(stage)
    ended(stage, timeout=60)

    stage.until(lambda: table.heard("rows", "ConditionsMet"), "the table to tell the promotion")
    stage.until(lambda: one.heard("gate", "Ended by Gate"), "the page to tell the end")
    assert "Promote" in read(operator, "/?verdict=Promote&q=web")
    assert any(course for course in one.courses())


def test_the_decisions_on_the_page_are_those_on_record(stage: Stage) -> None:
    stage.template()
    stage.rollout()
    operator = stage.operator(web=PAGE)
    stage.release(errors=0.5)
    ended(stage)

    records = stage.decisions()
    shown = read(operator, gate(stage, "/decisions"))

    assert len(records) >= 2
    for record in records:
        assert f'<li value="{record["sequence"]}"' in shown
        assert record["hash"][:12] in shown


def test_a_new_operator_draws_the_course_that_the_one_before_has_recorded(stage: Stage) -> None:
    stage.template(limit=0.02, failure_limit=1000)
    stage.rollout()
    first = stage.operator(web=PAGE)
    stage.release(errors=0.3)
    stage.until(lambda: len(stage.decisions()) >= 1, "a decision on record")
    first.stop(signal.SIGKILL)

    second = stage.operator(web=PAGE)
    listener = Listener(second, f"/live/{stage.namespace}/web")

    def drawn() -> bool:
        # The first decision of a release has no evidence yet, and so no course.
        at = {record["at"] for record in stage.decisions() if record.get("evidence")}
        points = [course["at"] for told in listener.courses()[-1:] for course in told.values()]
        return bool(at) and any(len(each) >= len(at) for each in points)

    stage.until(drawn, "the course")


def test_events_and_analysis_runs_lead_to_the_page(stage: Stage) -> None:
    stage.template()
    stage.rollout(rate=0)
    stage.operator(web=PAGE)
    stage.release()
    stage.until(lambda: stage.verdict()[0] == "Hold" and stage.runs() and stage.events(), "the hold to be told")

    link = f" {ADDRESS}/gates/{stage.namespace}/web"
    assert all(event["message"].endswith(link) for event in stage.events())
    assert all(run["status"]["message"].endswith(link) for run in stage.runs())


def test_a_rollout_that_is_deleted_leaves_the_page(stage: Stage) -> None:
    stage.template()
    stage.rollout()
    operator = stage.operator(web=PAGE)
    stage.release()
    stage.until(lambda: gate(stage)[1:] in read(operator), "the gate to be shown")

    stage.admin.delete(stage.path())

    stage.until(lambda: gate(stage)[1:] not in read(operator), "the gate to leave", timeout=90)


def test_without_a_word_in_the_configuration_there_is_no_page(stage: Stage) -> None:
    operator = stage.operator()

    answer = requests.get(operator.web + "/", headers=HTML, timeout=5)

    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (404, "application/json")
