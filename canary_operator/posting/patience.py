"""How long one waits before what was not taken is posted again.

Law: no two of many operators come back at the same time, and whoever asks to be left alone is, within reason.
"""

from tenacity import RetryCallState, wait_random_exponential

from canary_operator.posting.once import Later, Reply

LONGEST_SECONDS = 300.0
# The waits of eight attempts are about two minutes together, half of that on average: a receiver that is being
# restarted is back by then.
_backoff = wait_random_exponential(multiplier=1, max=60)


def last_reply(state: RetryCallState) -> Reply:
    """What the last attempt has come to."""
    assert state.outcome is not None
    reply: Reply = state.outcome.result()
    return reply


def patience(state: RetryCallState) -> float:
    """Seconds until the next attempt: what the other side asks for, and never less than our own growing wait."""
    reply = last_reply(state)
    asked = reply.after if isinstance(reply, Later) and reply.after is not None else 0.0
    return min(max(asked, _backoff(state)), LONGEST_SECONDS)
