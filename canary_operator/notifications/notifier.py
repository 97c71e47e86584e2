"""Hears of every look, and tells the targets that want to know.

Law: returns at once and raises nothing, whatever the targets do.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from canary_operator.model.look import Look
from canary_operator.model.news import News
from canary_operator.model.rollout import RolloutRef
from canary_operator.notifications import event, slack
from canary_operator.notifications.audience import wants
from canary_operator.notifications.target import Outcome, Target, Time
from canary_operator.notifications.telling import Told, news_of
from canary_operator.posting.once import Letter
from canary_operator.settings import Notification


@dataclass(frozen=True, slots=True)
class _Hearer:
    """Somebody who is told: what they want to hear, what they have heard, and how they are reached."""

    wish: Notification
    told: Told
    target: Target


class Notifier:
    """A Listener that tells people.

    Args:

        link: the address of a gate's page, empty where there is none.

        observe: told the target and the outcome of each piece of news.
    """

    def __init__(
        self,
        notifications: Sequence[Notification],
        link: Callable[[RolloutRef], str],
        observe: Callable[[str, Outcome], None],
    ) -> None:
        self._link = link
        self._hearers = [
            _Hearer(each, Told(each.hold_after), Target(each.name, _writer(each), observe, Time(time.time)))
            for each in notifications
        ]

    def looked(self, look: Look) -> None:
        """Hear of a look; what was not told before is offered to whoever wants it."""
        for hearer in self._hearers:
            if hearer.told.is_new(look) and wants(hearer.wish, news := news_of(look, self._link)):
                hearer.target.offer(news)

    def forget(self, ref: RolloutRef) -> None:
        """Hear that a Rollout is gone."""
        for hearer in self._hearers:
            hearer.told.forget(ref)

    async def close(self, seconds: float) -> None:
        """Tell what can be told within ``seconds``, and drop the rest."""
        await asyncio.gather(*(hearer.target.close(seconds) for hearer in self._hearers))


def _writer(notification: Notification) -> Callable[[News], Letter]:
    if notification.slack is not None:
        return slack.writer(notification.slack, notification.template)
    assert notification.webhook is not None
    return event.writer(notification.webhook, notification.template, time.time)
