"""Who is told of what: a table of filters and news."""

import pytest

from canary_operator.model.rollout import RolloutRef
from canary_operator.notifications.audience import wants
from canary_operator.settings import Notification
from tests.notifications.looks import some_news

ABORT = some_news("Abort", "ConditionsFailed")
PROMOTE = some_news("Promote", "ConditionsMet")
COLLECTING = some_news("Hold", "Collecting")
NO_DATA = some_news("Hold", "NoData", needs_a_person=True)
ELSEWHERE = some_news("Abort", "ConditionsFailed", ref=RolloutRef("payments", "api"))
ALL = {"abort": ABORT, "promote": PROMOTE, "collecting": COLLECTING, "no data": NO_DATA, "elsewhere": ELSEWHERE}


@pytest.mark.parametrize(
    ("filters", "told"),
    [
        ({}, {"abort", "promote", "no data", "elsewhere"}),
        ({"verdicts": ["Abort"]}, {"abort", "elsewhere"}),
        ({"verdicts": ["Hold"]}, {"collecting", "no data"}),
        ({"verdicts": ["Promote", "Hold", "Abort"]}, set(ALL)),
        ({"reasons": ["Collecting"]}, {"collecting"}),
        ({"reasons": ["Collecting", "ConditionsMet"]}, {"collecting", "promote"}),
        ({"verdicts": ["Hold"], "reasons": ["NoData", "ConditionsMet"]}, {"no data"}),
        ({"namespaces": ["payments"]}, {"elsewhere"}),
        ({"namespaces": ["shop", "payments"], "verdicts": ["Abort"]}, {"abort", "elsewhere"}),
        ({"namespaces": ["nobody"]}, set()),
    ],
)
def test_a_target_is_told_what_its_filters_let_through(filters, told):
    target = Notification.model_validate({"name": "deploys", "slack": {"urlFile": "/etc/slack"}, **filters})

    assert {name for name, news in ALL.items() if wants(target, news)} == told
