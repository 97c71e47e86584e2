"""All providers of the configuration: many questions at once, each asked once, all bounded in time.

Law: used by one event loop. Blocking clients stay in threads of their own, one pool per provider,
so that a slow provider delays nobody but its own questions.
"""

import asyncio
import functools
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from canary_operator import settings
from canary_operator.model.providers import ProviderAddresses, normalise_address
from canary_operator.model.samples import Absent, Answer, Query, Question, RawQuery
from canary_operator.model.verdict import HoldReason
from canary_operator.prometheus import garbage, planning
from canary_operator.prometheus.breaker import Breaker
from canary_operator.prometheus.client import PrometheusClient, time_limit
from canary_operator.prometheus.planning import United
from canary_operator.prometheus.replies import Fault, Reply

ANSWERED = "Answered"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request to a provider, or one that was not sent.

    Args:

        outcome: ``Answered`` or a hold reason.

        questions: how many it was to answer.

        seconds: from asking to the answer, waiting for a turn included; None if it was not sent.

        infos: remarks on the query that came with the answer.

        is_open: whether the provider is left alone after it.
    """

    provider: str
    outcome: str
    questions: int
    seconds: float | None
    infos: int
    is_open: bool


Observe = Callable[[Exchange], None]

# Only a name server that hangs outlives the client's own deadline: nothing can interrupt it.
_GRACE_SECONDS = 1.0
# Rollouts that are due at one moment ask one after the other on one event loop, some milliseconds apart. Who is alone
# waits for the first; a second one that comes in time starts it anew, up to the second of these.
QUIET_SECONDS = 0.005
GATHERING_SECONDS = 0.05
# Enough to find one bad identity among 200, two requests for each halving; where many are bad the rest is absent.
_MORE_REQUESTS = 16
_DIVISIBLE = frozenset({Fault.SIZE, Fault.QUERY})

Waiting = Mapping[Question, "asyncio.Future[Answer | Absent]"]


@dataclass(frozen=True, slots=True)
class _Sent:
    """A request that came to something, whatever it was."""

    reply: Reply
    questions: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Work:
    """What the requests for some questions came to."""

    answers: Mapping[Question, Answer | Absent]
    sent: Sequence[_Sent]


def provider_addresses(providers: Sequence[settings.Provider]) -> ProviderAddresses:
    """Tell which addresses mean which provider: its url and what is listed."""
    tenants = (provider.name for provider in providers if provider.tenancy is settings.Tenancy.NAMESPACE)
    return ProviderAddresses({provider.name: _addresses(provider) for provider in providers}, frozenset(tenants))


def _addresses(provider: settings.Provider) -> tuple[str, ...]:
    normal = (normalise_address(address) for address in (provider.url, *provider.addresses))
    return tuple(dict.fromkeys(address for address in normal if address is not None))


def _observe_nothing(_exchange: Exchange) -> None:
    pass


class Providers:
    """Answers questions by the provider they name. ``close`` it when nothing is fetched any more.

    Args:

        observe: told of every request, on the event loop.

        clock: monotonic seconds, by which a provider that does not answer is left alone.
    """

    def __init__(
        self,
        providers: Sequence[settings.Provider],
        *,
        observe: Observe = _observe_nothing,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._desks = {provider.name: _Desk(provider, observe, clock) for provider in providers}
        self._in_flight: dict[Question, asyncio.Future[Answer | Absent]] = {}

    async def fetch(self, questions: Collection[Question]) -> dict[Question, Answer | Absent]:
        """Answer every question, equal ones (also those of other callers, still on the way) once.

        Raw questions wait for those of other callers, QUIET_SECONDS if nobody else asks and GATHERING_SECONDS at
        most.

        Returns: an entry for each distinct question, an Absent where there is no answer, within the
        longest timeout of the providers named.
        """
        told = {question: self._ask(question) for question in dict.fromkeys(questions)}
        waiting = [answer for answer in told.values() if isinstance(answer, asyncio.Future)]
        if waiting:
            limits = (
                _limit(question, self._desks[question.provider].provider)
                for question in told
                if question.provider in self._desks
            )
            # Nobody's future is cancelled with one caller: another may wait for the same answer.
            await asyncio.wait(waiting, timeout=max(limits) + _GRACE_SECONDS)
        return {question: _arrived(question, answer) for question, answer in told.items()}

    def close(self) -> None:
        """Close all connections. What is still on the way is not waited for."""
        for desk in self._desks.values():
            desk.close()

    def _ask(self, question: Question) -> "Absent | asyncio.Future[Answer | Absent]":
        started = self._in_flight.get(question)
        if started is not None:
            return started
        desk = self._desks.get(question.provider)
        if desk is None:
            known = ", ".join(self._desks) or "none"
            message = f"provider {question.provider!r} is not configured; providers: {known}"
            return Absent(HoldReason.CONFIGURATION_ERROR, message)
        return planning.refusal(question) or self._start(question, desk)

    def _start(self, question: Question, desk: "_Desk") -> "asyncio.Future[Answer | Absent]":
        future: asyncio.Future[Answer | Absent] = asyncio.get_running_loop().create_future()
        self._in_flight[question] = future
        future.add_done_callback(lambda _: self._in_flight.pop(question))
        if isinstance(question, RawQuery):
            desk.gather(question, future)
        else:
            desk.send({question: future}, time.monotonic())
        return future


def _arrived(question: Question, answer: "Absent | asyncio.Future[Answer | Absent]") -> Answer | Absent:
    if isinstance(answer, Absent):
        return answer
    if answer.done():
        return answer.result()
    message = f"provider {question.provider!r}: no answer in time, perhaps its name is not resolved"
    return Absent(HoldReason.TELEMETRY_UNAVAILABLE, message)


def _limit(question: Question, provider: settings.Provider) -> float:
    return time_limit(question, provider) if isinstance(question, Query) else provider.timeout


class _Desk:
    """One provider with its client and its threads, and the raw questions that wait to be sent together."""

    def __init__(self, provider: settings.Provider, observe: Observe, clock: Callable[[], float]) -> None:
        self.provider = provider
        self._clock = clock
        self._pool = ThreadPoolExecutor(provider.max_concurrency, thread_name_prefix=f"provider-{provider.name}")
        self._client = PrometheusClient(provider)
        self._observe = observe
        self._breaker = Breaker()
        self._gathered: dict[Question, asyncio.Future[Answer | Absent]] = {}
        self._round: asyncio.TimerHandle | None = None
        self._first = self._latest = 0.0

    def gather(self, question: RawQuery, future: "asyncio.Future[Answer | Absent]") -> None:
        """Send the question with those that come within the next moment."""
        self._gathered[question] = future
        self._latest = time.monotonic()
        if self._round is None:
            self._first = self._latest
            self._send_when_quiet()

    def _send_when_quiet(self) -> None:
        until = min(self._latest + QUIET_SECONDS, self._first + GATHERING_SECONDS)
        if (left := until - time.monotonic()) > 0:
            self._round = asyncio.get_running_loop().call_later(left, self._send_when_quiet)
            return
        gathered, self._gathered, self._round = self._gathered, {}, None
        self.send(gathered, self._first)

    def send(self, waiting: Waiting, asked_at: float) -> None:
        """Ask in as few requests as can be, and answer each question that waits."""
        by_namespace = self.provider.tenancy is settings.Tenancy.NAMESPACE
        for united in planning.unite(waiting, by_namespace=by_namespace):
            futures = {each: waiting[each] for each in united.questions}
            refusal = self._breaker.refusal(self._clock())
            if refusal is None:
                work = asyncio.get_running_loop().run_in_executor(self._pool, self._work, united, asked_at)
                work.add_done_callback(functools.partial(self._hand_out, united, futures))
            else:
                absent = Absent(HoldReason.TELEMETRY_UNAVAILABLE, refusal)
                self._observe(self._exchange(Reply(absent), len(futures), None))
                for future in futures.values():
                    future.set_result(self._named(absent))

    def close(self) -> None:
        if self._round is not None:
            self._round.cancel()
        for future in self._gathered.values():
            future.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def _work(self, united: United, asked_at: float) -> _Work:
        """Send a request, in a thread; in parts, where it asks for too much or one may spoil it for all."""
        answers: dict[Question, Answer | Absent] = {}
        sent: list[_Sent] = []
        left, pending = _MORE_REQUESTS, deque([united])
        while pending:
            part = pending.popleft()
            reply = self._client.ask(part.query, asked_at=asked_at)
            sent.append(_Sent(reply, len(part.questions), time.monotonic() - asked_at))
            smaller = planning.halves(part) if reply.fault in _DIVISIBLE and left > 0 else ()
            left -= len(smaller)
            pending.extend(smaller)
            if not smaller:
                with garbage.kept():
                    answers.update(planning.share(part, self._named(reply.answer)))
        return _Work(answers, sent)

    def _hand_out(self, united: United, futures: Waiting, future: "asyncio.Future[_Work]") -> None:
        if future.cancelled():
            for waiting in futures.values():
                waiting.cancel()
        elif (error := future.exception()) is not None:
            self._breaker.failed(self._clock())
            for waiting in futures.values():
                waiting.set_exception(error)
        else:
            work = future.result()
            for sent in work.sent:
                self._record(united.query, sent)
            for question, waiting in futures.items():
                waiting.set_result(work.answers[question])

    def _record(self, query: Query, sent: _Sent) -> None:
        hurried = time_limit(query, self.provider) < self.provider.timeout
        if sent.reply.fault is not Fault.SERVER:
            self._breaker.succeeded()
        # Who waits less than the provider may take says nothing about the provider, unless it was the one that tried.
        elif not hurried or self._breaker.is_open:
            self._breaker.failed(self._clock(), sent.reply.retry_after)
        self._observe(self._exchange(sent.reply, sent.questions, sent.seconds))

    def _exchange(self, reply: Reply, questions: int, seconds: float | None) -> Exchange:
        outcome = reply.answer.reason.value if isinstance(reply.answer, Absent) else ANSWERED
        return Exchange(self.provider.name, outcome, questions, seconds, reply.infos, self._breaker.is_open)

    def _named(self, answer: Answer | Absent) -> Answer | Absent:
        if isinstance(answer, Answer):
            return answer
        return Absent(answer.reason, f"provider {self.provider.name!r}: {answer.message}")
