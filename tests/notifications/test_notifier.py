"""The listener: who hears what, and that hearing costs the loop that judges nothing, whoever hangs."""

import asyncio
import inspect
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.model.gate import GateStatus
from canary_operator.model.look import Listener
from canary_operator.notifications import Notifier, Outcome
from canary_operator.settings import Notification
from canary_operator.telemetry import Telemetry
from tests.notifications.looks import REF, a_look, a_status, an_entry
from tests.posting.receiving import Hangs, receiving, status

ABORT = a_status("Abort", "ConditionsFailed", message="aborted at step 1/4 (25 %): error-rate 0.5 is not < 0.05")


def a_target(name, url, **filters):
    return Notification.model_validate({"name": name, "webhook": {"url": url}, **filters})


def a_slack(name, folder, url, **filters):
    path = folder / f"{name}-url"
    path.write_text(url)
    return Notification.model_validate({"name": name, "slack": {"urlFile": path}, **filters})


def a_notifier(*targets, observe=lambda target, outcome: None):
    return Notifier(targets, link=lambda ref: f"https://gates.example/{ref}", observe=observe)


async def test_every_target_that_wants_to_know_is_told_once(tmp_path):
    counted = []
    async with receiving(status(200)) as slack, receiving(status(202)) as hook, receiving(status(200)) as other:
        notifier = a_notifier(
            a_slack("deploys", tmp_path, slack.url),
            a_target("audit", hook.url),
            a_target("elsewhere", other.url, namespaces=["payments"]),
            observe=lambda *told: counted.append(told),
        )
        for changed in (True, False, True):
            notifier.looked(a_look(ABORT, changed=changed))
        await notifier.close(30.0)

    ((_, message),), ((_, told),) = slack.requests, hook.requests
    sentence = "aborted at step 1/4 (25 %): error-rate 0.5 is not &lt; 0.05"
    assert json.loads(message)["text"] == (f"*Abort* ConditionsFailed: <https://gates.example/{REF}|{REF}> {sentence}")
    assert json.loads(told)["data"]["link"] == f"https://gates.example/{REF}"
    assert other.requests == []
    assert sorted(counted) == sorted([("deploys", Outcome.DELIVERED), ("audit", Outcome.DELIVERED)])


async def test_a_target_that_hangs_delays_no_other():
    async with receiving(Hangs()) as hanging, receiving(status(200)) as working:
        notifier = a_notifier(a_target("hangs", hanging.url), a_target("works", working.url))
        for step in range(5):
            notifier.looked(a_look(a_status("Promote", "ConditionsMet", step=step)))
        await hanging.arrived.wait()
        await notifier._hearers[1].target._task
        await notifier.close(0.0)

    assert (len(hanging.requests), len(working.requests)) == (1, 5)


async def test_a_rollout_that_comes_back_is_told_anew():
    async with receiving(status(200)) as server:
        notifier = a_notifier(a_target("audit", server.url))
        notifier.looked(a_look(ABORT))
        notifier.forget(REF)
        notifier.looked(a_look(ABORT))
        await notifier.close(30.0)

    assert len(server.requests) == 2


async def test_what_became_of_news_is_counted_from_zero():
    telemetry = Telemetry()
    telemetry.expect_target("audit")
    async with receiving(status(200)) as server:
        notifier = a_notifier(a_target("audit", server.url), observe=telemetry.notified)
        notifier.looked(a_look(ABORT))
        await notifier.close(30.0)

    counted = {
        outcome.value: telemetry.registry.get_sample_value(
            "canary_operator_notifications_total", {"target": "audit", "outcome": outcome.value}
        )
        for outcome in Outcome
    }
    assert counted == {"delivered": 1.0, "refused": 0.0, "failed": 0.0, "dropped": 0.0}


def test_a_notifier_is_a_listener_that_nobody_awaits():
    notifier: Listener = a_notifier()

    assert not inspect.iscoroutinefunction(notifier.looked)
    assert not inspect.iscoroutinefunction(notifier.forget)


statuses = st.builds(
    lambda verdict, reason, phase, text, at, history, missing: a_status(
        verdict, reason, phase=phase, message=text, since=at, generationSince=at, history=history
    ).model_copy(update=dict.fromkeys(missing)),
    st.sampled_from(["Promote", "Hold", "Abort", "Shrug"]),
    st.one_of(st.sampled_from(["NoData", "ConditionsMet", "MaxHold"]), st.text()),
    st.sampled_from(["Idle", "Judging", "Ended"]),
    st.text(),
    st.one_of(st.none(), st.text(), st.just("2026-09-14T10:00:00Z")),
    st.lists(st.builds(lambda at: {**an_entry("Hold", "NoData"), "at": at}, st.text()), max_size=2),
    st.sets(st.sampled_from(["rollout", "step", "pause", "verdict", "since"])),
)


@given(st.lists(st.tuples(statuses, statuses, st.booleans(), st.booleans()), max_size=6))
def test_hearing_of_a_look_never_waits_and_never_raises(looks):
    async def hear():
        async with receiving(Hangs()) as server:
            notifier = a_notifier(a_target("hangs", server.url, verdicts=["Promote", "Hold", "Abort"], holdAfter="0s"))
            for status_, before, changed, gone in looks:
                assert notifier.looked(a_look(status_, before=before, changed=changed)) is None
                if gone:
                    notifier.forget(REF)
            await notifier.close(0.0)

    asyncio.run(hear())


@pytest.mark.parametrize("before", [GateStatus(), ABORT])
async def test_looks_of_a_gate_without_a_release_are_no_news(before):
    notifier = a_notifier(a_target("audit", "http://127.0.0.1:1"))

    notifier.looked(a_look(GateStatus(), before=before, changed=False))

    assert notifier._hearers[0].target._task is None
