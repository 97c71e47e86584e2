"""All providers of the configuration: many queries at once, each asked once, all bounded in time.

Law: used by one event loop. Blocking clients stay in threads of their own, one pool per provider,
so that a slow provider delays nobody but its own queries.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

from canary_operator import settings
from canary_operator.model.providers import ProviderAddresses, normalise_address
from canary_operator.model.samples import Absent, Answer, Query
from canary_operator.model.verdict import HoldReason
from canary_operator.prometheus.client import PrometheusClient, time_limit

Observe = Callable[[str, str, float], None]
"""Told after each question: provider, ``Answered`` or a hold reason, seconds. Called from threads."""

ANSWERED = "Answered"

# Only a name server that hangs outlives the client's own deadline: nothing can interrupt it.
_GRACE_SECONDS = 1.0


def provider_addresses(providers: Sequence[settings.Provider]) -> ProviderAddresses:
    """Tell which addresses mean which provider: its url and what is listed."""
    return ProviderAddresses({provider.name: _addresses(provider) for provider in providers})


def _addresses(provider: settings.Provider) -> tuple[str, ...]:
    normal = (normalise_address(address) for address in (provider.url, *provider.addresses))
    return tuple(dict.fromkeys(address for address in normal if address is not None))


def _observe_nothing(_provider: str, _outcome: str, _seconds: float) -> None:
    pass


class Providers:
    """Answers queries by the provider they name. ``close`` it when nothing is fetched any more."""

    def __init__(self, providers: Sequence[settings.Provider], *, observe: Observe = _observe_nothing) -> None:
        self._desks = {provider.name: _Desk(provider, observe) for provider in providers}
        self._in_flight: dict[Query, asyncio.Future[Answer | Absent]] = {}

    async def fetch(self, queries: Collection[Query]) -> dict[Query, Answer | Absent]:
        """Answer every query, equal ones (also those of other callers, still on the way) once.

        Returns: an entry for each distinct query, an Absent where there is no answer, within the
        longest timeout of the providers named.
        """
        distinct = list(dict.fromkeys(queries))
        answers = await asyncio.gather(*(self._answer(query) for query in distinct))
        return dict(zip(distinct, answers, strict=True))

    def close(self) -> None:
        """Close all connections. What is still on the way is not waited for."""
        for desk in self._desks.values():
            desk.close()

    async def _answer(self, query: Query) -> Answer | Absent:
        desk = self._desks.get(query.provider)
        if desk is None:
            known = ", ".join(self._desks) or "none"
            message = f"provider {query.provider!r} is not configured; providers: {known}"
            return Absent(HoldReason.CONFIGURATION_ERROR, message)
        try:
            async with asyncio.timeout(time_limit(query, desk.provider) + _GRACE_SECONDS):
                # Shielded, because another caller may wait for the same answer.
                return await asyncio.shield(self._start(query, desk))
        except TimeoutError:
            message = f"provider {query.provider!r}: no answer in time, perhaps its name is not resolved"
            return Absent(HoldReason.TELEMETRY_UNAVAILABLE, message)

    def _start(self, query: Query, desk: "_Desk") -> asyncio.Future[Answer | Absent]:
        started = self._in_flight.get(query)
        if started is not None:
            return started
        future = asyncio.get_running_loop().run_in_executor(desk.pool, desk.ask, query, time.monotonic())
        self._in_flight[query] = future
        future.add_done_callback(lambda _: self._in_flight.pop(query))
        return future


class _Desk:
    """One provider with its client and its threads."""

    def __init__(self, provider: settings.Provider, observe: Observe) -> None:
        self.provider = provider
        self.pool = ThreadPoolExecutor(provider.max_concurrency, thread_name_prefix=f"provider-{provider.name}")
        self._client = PrometheusClient(provider)
        self._observe = observe

    def ask(self, query: Query, asked_at: float) -> Answer | Absent:
        answer = self._client.ask(query, asked_at=asked_at)
        outcome = answer.reason.value if isinstance(answer, Absent) else ANSWERED
        self._observe(self.provider.name, outcome, time.monotonic() - asked_at)
        return self._named(answer)

    def close(self) -> None:
        self.pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def _named(self, answer: Answer | Absent) -> Answer | Absent:
        if isinstance(answer, Answer):
            return answer
        return Absent(answer.reason, f"provider {self.provider.name!r}: {answer.message}")
