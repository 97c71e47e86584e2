"""A provider that does not answer is left alone for a while, and then tried with one request.

Law: knows no network and no clock: times are seconds of a monotonic clock that the caller reads.
"""

import math

# A request that fails may be about that request; five in a row, of whomever, are about the provider.
OPENS_AFTER = 5
FIRST_PAUSE_SECONDS = 1.0
# The default interval between two looks: who is back answers the next look, or the one after it.
LONGEST_PAUSE_SECONDS = 15.0
# What a server may ask for with Retry-After. A proxy that says an hour does not know how long a release takes.
LONGEST_PATIENCE_SECONDS = 60.0


class Breaker:
    """Whether a provider is asked. Closed at first; open, nothing is asked but one request after each pause."""

    def __init__(self) -> None:
        self._failures = 0
        self._pause = FIRST_PAUSE_SECONDS
        self._until: float | None = None
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether questions are not asked; also while the one that tries is on its way."""
        return self._until is not None

    def refusal(self, now: float) -> str | None:
        """Why the next request is not to be sent, None where it is to be.

        Once the pause is over the first caller is let through; it must tell what came of it.
        """
        if self._until is None:
            return None
        if now >= self._until and not self._trying:
            self._trying = True
            return None
        then = "one is on its way" if self._trying else f"next try in {math.ceil(self._until - now)} s"
        failed = "request" if self._failures == 1 else f"{self._failures} requests"
        return f"not asked: the last {failed} failed, {then}"

    def succeeded(self) -> None:
        """The provider works, whatever it said."""
        self._failures, self._pause, self._until, self._trying = 0, FIRST_PAUSE_SECONDS, None, False

    def failed(self, now: float, retry_after: float | None = None) -> None:
        """Nothing that works answered.

        Args:

            retry_after: seconds that the server wants to be left alone; no more than LONGEST_PATIENCE_SECONDS are
                granted.
        """
        self._failures += 1
        asked_for = min(retry_after or 0.0, LONGEST_PATIENCE_SECONDS)
        tried_again = self._trying or (self._until is None and self._failures >= OPENS_AFTER)
        if tried_again:
            self._open(now + max(self._pause, asked_for))
            self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
        elif asked_for > 0:
            self._open(now + asked_for)

    def _open(self, until: float) -> None:
        # What was on its way before it opened may fail after it, and shortens nothing.
        self._until = until if self._until is None else max(until, self._until)
        self._trying = False
