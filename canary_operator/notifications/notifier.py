"""Hears of every look, and tells the targets that want to know.

Law: returns at once and raises nothing, whatever the targets do.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

from canary_operator.model.look import Look
from canary_operator.model.news import News
from canary_operator.model.rollout import RolloutRef
from canary_operator.notifications import event, slack
from canary_operator.notifications.audience import wants
from canary_operator.notifications.posting import Letter
from canary_operator.notifications.target import Outcome, Target, Time
from canary_operator.notifications.telling import Told, news_of
from canary_operator.settings import Notification


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
        clock: Time | None = None,
    ) -> None:
        running = clock or Time(time.time)
        self._link = link
        self._told = Told()
        self._targets = [(each, Target(each.name, _writer(each, running), observe, running)) for each in notifications]

    def looked(self, look: Look) -> None:
        """Hear of a look; a verdict that was not told before is offered to whoever wants it."""
        if not self._told.is_new(look):
            return
        news = news_of(look, self._link)
        for wish, target in self._targets:
            if wants(wish, news):
                target.offer(news)

    def forget(self, ref: RolloutRef) -> None:
        """Hear that a Rollout is gone."""
        self._told.forget(ref)

    async def close(self, seconds: float) -> None:
        """Tell what can be told within ``seconds``, and drop the rest."""
        await asyncio.gather(*(target.close(seconds) for _, target in self._targets))


def _writer(notification: Notification, clock: Time) -> Callable[[News], Letter]:
    if notification.slack is not None:
        return slack.writer(notification.slack, notification.template)
    assert notification.webhook is not None
    return event.writer(notification.webhook, notification.template, clock.now)
