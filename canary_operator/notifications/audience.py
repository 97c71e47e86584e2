"""Who wants to hear which news.

Law: pure. An empty filter lets everything through, but for holds that pass by themselves.
"""

from canary_operator.model.news import News
from canary_operator.model.verdict import Verdict
from canary_operator.settings import Notification


def wants(target: Notification, news: News) -> bool:
    """Whether a target is told of a new verdict."""
    if target.namespaces and news.ref.namespace not in target.namespaces:
        return False
    verdict, reason = news.words["verdict"], news.words["reason"]
    if target.verdicts and verdict not in {wanted.value for wanted in target.verdicts}:
        return False
    if target.reasons:
        return reason in target.reasons
    return bool(target.verdicts) or verdict != Verdict.HOLD.value or news.needs_a_person
