"""All providers of the configuration: many questions at once, each asked once, all bounded in time.

Law: used by one event loop. Blocking clients stay in threads of their own, one pool per provider,
so that a slow provider delays nobody but its own questions.
"""

import asyncio
import functools
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

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


@dataclass(slots=True)
class _Caller:
    """Somebody who waits for the answers to some questions. One future for all of them: there are many questions.

    Args:

        missing: what it waits for; the asking itself is one, for an answer may come before the last question.
    """

    done: "asyncio.Future[None]"
    missing: int = 1
    answers: dict[Question, Answer | Absent] = field(default_factory=dict)

    def take(self, question: Question, answer: Answer | Absent) -> None:
        self.answers[question] = answer
        self.one_less()

    def one_less(self) -> None:
        self.missing -= 1
        if not self.missing:
            self.end()

    def end(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


class _Callers:
    """Who waits for which question; nobody's waiting ends with that of another."""

    def __init__(self) -> None:
        self._of: dict[Question, list[_Caller]] = {}

    def join(self, question: Question, caller: _Caller) -> bool:
        """Wait for the answer. Returns: whether nobody did before, so that it is to be asked."""
        caller.missing += 1
        waiting = self._of.setdefault(question, [])
        waiting.append(caller)
        return len(waiting) == 1

    def tell(self, answers: Mapping[Question, Answer | Absent]) -> None:
        for question, answer in answers.items():
            for caller in self._of.pop(question):
                caller.take(question, answer)

    def let_go(self, questions: Iterable[Question], error: BaseException) -> None:
        """There will be no answer, not even an absent one."""
        for caller in (caller for question in questions for caller in self._of.pop(question)):
            if caller.done.done():
                continue
            if isinstance(error, asyncio.CancelledError):
                caller.done.cancel()
            else:
                caller.done.set_exception(error)


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
        self._callers = _Callers()
        self._desks = {provider.name: _Desk(provider, self._callers, observe, clock) for provider in providers}

    async def fetch(self, questions: Collection[Question]) -> dict[Question, Answer | Absent]:
        """Answer every question, equal ones (also those of other callers, still on the way) once.

        Raw questions wait for those of other callers, QUIET_SECONDS if nobody else asks and GATHERING_SECONDS at
        most.

        Returns: an entry for each distinct question, an Absent where there is no answer, within the
        longest timeout of the providers named.
        """
        asked = dict.fromkeys(questions)
        loop = asyncio.get_running_loop()
        caller = _Caller(loop.create_future())
        for question in asked:
            self._ask(question, caller)
        caller.one_less()
        if not caller.done.done():
            limits = (
                _limit(question, self._desks[question.provider].provider)
                for question in asked
                if question.provider in self._desks
            )
            end = loop.call_later(max(limits) + _GRACE_SECONDS, caller.end)
            caller.done.add_done_callback(lambda _: end.cancel())
        await caller.done
        return {question: caller.answers.get(question) or _late(question) for question in asked}

    def close(self) -> None:
        """Close all connections. What is still on the way is not waited for."""
        for desk in self._desks.values():
            desk.close()

    def _ask(self, question: Question, caller: _Caller) -> None:
        desk = self._desks.get(question.provider)
        if desk is None:
            known = ", ".join(self._desks) or "none"
            message = f"provider {question.provider!r} is not configured; providers: {known}"
            caller.answers[question] = Absent(HoldReason.CONFIGURATION_ERROR, message)
        elif (refusal := planning.refusal(question)) is not None:
            caller.answers[question] = refusal
        elif self._callers.join(question, caller):
            desk.ask(question)


def _late(question: Question) -> Absent:
    message = f"provider {question.provider!r}: no answer in time, perhaps its name is not resolved"
    return Absent(HoldReason.TELEMETRY_UNAVAILABLE, message)


def _limit(question: Question, provider: settings.Provider) -> float:
    return time_limit(question, provider) if isinstance(question, Query) else provider.timeout


class _Desk:
    """One provider with its client and its threads, and the raw questions that wait to be sent together."""

    def __init__(
        self, provider: settings.Provider, callers: _Callers, observe: Observe, clock: Callable[[], float]
    ) -> None:
        self.provider = provider
        self._callers = callers
        self._clock = clock
        self._pool = ThreadPoolExecutor(provider.max_concurrency, thread_name_prefix=f"provider-{provider.name}")
        self._client = PrometheusClient(provider)
        self._observe = observe
        self._breaker = Breaker()
        self._gathered: list[RawQuery] = []
        self._round: asyncio.TimerHandle | None = None
        self._first = self._latest = 0.0

    def ask(self, question: Question) -> None:
        """Send the question: a raw one with those that come within the next moment."""
        now = time.monotonic()
        if isinstance(question, Query):
            self._send([question], now)
            return
        self._gathered.append(question)
        self._latest = now
        if self._round is None:
            self._first = now
            self._send_when_quiet()

    def _send_when_quiet(self) -> None:
        until = min(self._latest + QUIET_SECONDS, self._first + GATHERING_SECONDS)
        if (left := until - time.monotonic()) > 0:
            self._round = asyncio.get_running_loop().call_later(left, self._send_when_quiet)
            return
        gathered, self._gathered, self._round = self._gathered, [], None
        self._send(gathered, self._first)

    def _send(self, questions: Sequence[Question], asked_at: float) -> None:
        """Ask in as few requests as can be, and tell each answer to those who wait."""
        by_namespace = self.provider.tenancy is settings.Tenancy.NAMESPACE
        for united in planning.unite(questions, by_namespace=by_namespace):
            refusal = self._breaker.refusal(self._clock())
            if refusal is None:
                work = asyncio.get_running_loop().run_in_executor(self._pool, self._work, united, asked_at)
                work.add_done_callback(functools.partial(self._hand_out, united))
            else:
                absent = Absent(HoldReason.TELEMETRY_UNAVAILABLE, refusal)
                self._observe(self._exchange(Reply(absent), len(united.questions), None))
                self._callers.tell(dict.fromkeys(united.questions, self._named(absent)))

    def close(self) -> None:
        if self._round is not None:
            self._round.cancel()
        self._callers.let_go(self._gathered, asyncio.CancelledError())
        self._gathered = []
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

    def _hand_out(self, united: United, future: "asyncio.Future[_Work]") -> None:
        if future.cancelled():
            self._callers.let_go(united.questions, asyncio.CancelledError())
        elif (error := future.exception()) is not None:
            self._breaker.failed(self._clock())
            self._callers.let_go(united.questions, error)
        else:
            work = future.result()
            for sent in work.sent:
                self._record(united.query, sent)
            self._callers.tell(work.answers)

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
        return replace(answer, message=f"provider {self.provider.name!r}: {answer.message}")
