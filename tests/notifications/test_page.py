"""docs/notifications.md has every field, every outcome, and examples that can be read."""

import re
from pathlib import Path

import pytest
import yaml

from canary_operator.model.news import FIELDS
from canary_operator.model.verdict import HoldReason
from canary_operator.notifications import Outcome
from canary_operator.notifications.event import TYPE
from canary_operator.notifications.target import ATTEMPTS, QUEUE_LENGTH
from canary_operator.notifications.telling import _NEED_A_PERSON
from canary_operator.settings import Notification, Slack, Webhook

PAGE = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text()


def rows(heading):
    """The first cells of the table under a line, without their ticks."""
    table = PAGE.split(f"\n{heading}\n", 1)[1].split("\n\n", 1)[0]
    return re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)


def outside(section):
    return [field.alias for field in section.model_fields.values()]


@pytest.mark.parametrize(
    ("heading", "section"),
    [
        ("| field | default | meaning |", Notification),
        ("| field of `slack` | default | meaning |", Slack),
        ("| field of `webhook` | default | meaning |", Webhook),
    ],
)
def test_every_setting_has_a_row_and_every_row_is_a_setting(heading, section):
    assert rows(heading) == outside(section)


def test_every_field_of_a_sentence_has_its_row():
    assert rows("| field | meaning |") == list(FIELDS)
    assert all(f"| `{name}` | {meaning} |" in PAGE for name, meaning in FIELDS.items())


def test_every_outcome_is_named():
    assert all(f"`{outcome.value}`" in PAGE for outcome in Outcome)


def test_the_holds_that_are_not_told_are_named():
    (named,) = re.findall(r"the ones whose Event is a warning\. (.*?) pass by themselves", PAGE, re.DOTALL)

    assert set(re.findall(r"`(\w+)`", named)) == {reason.value for reason in HoldReason} - _NEED_A_PERSON


def test_the_numbers_are_those_of_the_code():
    assert f"a queue of {QUEUE_LENGTH} messages" in PAGE
    assert f"up to {ATTEMPTS} attempts" in PAGE
    assert f'"type": "{TYPE}"' in PAGE


def test_the_example_can_be_read():
    example = yaml.safe_load(PAGE.split("```yaml\n", 1)[1].split("```", 1)[0])

    targets = [Notification.model_validate(each) for each in example["notifications"]]

    assert [target.name for target in targets] == ["deploys", "on-call", "audit"]
