"""`Sources`: several endpoints of one chain as one, with fail-over, learnt pace, and memory for lies.

What is asked is a function of one endpoint that fetches *and verifies*, so that an answer which does not hash to what
it should is refetched elsewhere like one that never came. An endpoint that says 429 is left alone as long as it asks,
and then asked at half the pace; success lets the pace grow again.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from vaultkit.chain.rpc import HttpRpc
from vaultkit.errors import ReorgDetected, RpcRefused, RpcUnavailable, UsageError, VerificationError
from vaultkit.protocols import Rpc

T = TypeVar("T")

ROUNDS: Final = 4
"""Times that each endpoint is asked before its silence counts."""

_FIRST_INTERVAL: Final = 0.05
_SLOWEST: Final = 5.0
_LONGEST_WAIT: Final = 60.0
_RATE_CODES: Final = frozenset({429, -32029})
_RATE_WORDS: Final = ("rate limit", "too many requests", "compute units", "throughput")


class Endpoint:
    """One endpoint with what was learnt of it.

    Parameters
    ----------
    rpc
        What is asked.
    """

    def __init__(self, rpc: Rpc, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self.rpc = rpc
        self.interval = 0.0
        self.lies = 0
        self.failures = 0
        self._clock, self._sleep = clock, sleep
        self._free_at = 0.0
        self._lock = threading.Lock()

    @property
    def free_at(self) -> float:
        """Moment from which it may be asked again."""
        return self._free_at

    def wait_turn(self) -> None:
        """Wait until the endpoint may be asked, at the pace that was learnt."""
        with self._lock:
            now = self._clock()
            start = max(now, self._free_at)
            self._free_at = start + self.interval
        if start > now:
            self._sleep(start - now)

    def succeeded(self) -> None:
        """Let the pace grow a little."""
        with self._lock:
            self.failures = 0
            self.interval = 0.0 if self.interval < _FIRST_INTERVAL / 4 else self.interval * 0.97

    def limited(self, retry_after: float) -> None:
        """Leave it alone for some seconds and ask at half the pace then."""
        with self._lock:
            self.interval = min(_SLOWEST, max(_FIRST_INTERVAL, self.interval * 2))
            self._free_at = max(self._free_at, self._clock() + min(retry_after, _LONGEST_WAIT))


class Sources:
    """Endpoints of one chain as one `vaultkit.protocols.Rpc`.

    Parameters
    ----------
    rpcs
        At least one; earlier ones are preferred while they answer truthfully.
    clock, sleep
        Of seconds; tests give their own.

    Raises
    ------
    UsageError
        When there is none.
    """

    def __init__(
        self,
        rpcs: Sequence[Rpc],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not rpcs:
            raise UsageError("there is no endpoint to ask", next_step="Give one with --rpc")
        self.endpoints = tuple(Endpoint(rpc, clock, sleep) for rpc in rpcs)
        self._sleep = sleep
        self._jitter = random.Random()

    @classmethod
    def of(cls, rpc: Rpc | str | Sequence[Rpc | str]) -> Sources:
        """Return sources for one endpoint, several, or sources themselves; an endpoint may be its URL.

        Raises
        ------
        UsageError
            When there is none, or something else than an endpoint.
        """
        if isinstance(rpc, Sources):
            return rpc
        several = [rpc] if isinstance(rpc, str) or not isinstance(rpc, Sequence) else rpc
        found = [HttpRpc(item) if isinstance(item, str) else item for item in several]
        for item in found:
            if not isinstance(item, Rpc):
                raise UsageError("an endpoint is neither a URL nor an Rpc", got=type(item).__name__)
        return cls(found)

    @property
    def label(self) -> str:
        """Hosts and ports."""
        return ", ".join(endpoint.rpc.label for endpoint in self.endpoints)

    @property
    def lies(self) -> dict[str, int]:
        """Answers that did not verify, by endpoint."""
        return {endpoint.rpc.label: endpoint.lies for endpoint in self.endpoints if endpoint.lies}

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        """Return the ``result`` of one request from the first endpoint that gives one."""
        return self.attempt(lambda rpc: rpc.call(method, params))

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Return the results in the order of ``calls`` from the first endpoint that gives them."""
        return self.attempt(lambda rpc: rpc.batch(calls))

    def attempt(self, fetch: Callable[[Rpc], T]) -> T:
        """Return what ``fetch`` returns for the first endpoint with which it succeeds.

        An endpoint that lied or refused is not asked again in this attempt, one that was silent is, up to some rounds.

        Raises
        ------
        RpcUnavailable
            When all stay silent.
        RpcRefused
            When one refused and no other succeeds.
        VerificationError
            When none gives what verifies.
        """
        out: set[Endpoint] = set()
        lie: VerificationError | None = None
        refusal: RpcRefused | None = None
        silence: RpcUnavailable | ReorgDetected | None = None
        for turn in range(ROUNDS):
            for endpoint in sorted(self.endpoints, key=self._rank):
                if endpoint in out:
                    continue
                endpoint.wait_turn()
                try:
                    answer = fetch(endpoint.rpc)
                except VerificationError as error:
                    endpoint.lies += 1
                    out.add(endpoint)
                    lie = error
                except RpcRefused as error:
                    if is_rate_limit(error):
                        endpoint.limited(1.0)
                        silence = RpcUnavailable("the node limits the rate", where=endpoint.rpc.label, retry_after=1.0)
                        continue
                    out.add(endpoint)
                    refusal = error
                except (RpcUnavailable, ReorgDetected) as error:
                    endpoint.failures += 1
                    silence = error
                    if isinstance(error, RpcUnavailable) and error.retry_after is not None:
                        endpoint.limited(error.retry_after)
                    elif isinstance(error, RpcUnavailable) and error.too_much:
                        out.add(endpoint)
                else:
                    endpoint.succeeded()
                    return answer
            if len(out) == len(self.endpoints):
                break
            if turn + 1 < ROUNDS:
                self._sleep(min(2.0, 0.1 * 2**turn) * self._jitter.uniform(0.5, 1.0))
        # A refusal or a time-out may be cured by asking for less; a lie by nothing.
        failed = refusal or (silence if silence is not None and getattr(silence, "too_much", False) else None)
        cause = failed or lie or silence
        assert cause is not None
        raise cause

    def agreeing(self, fetch: Callable[[Rpc], T], needed: int | None = None) -> T:
        """Return what at least ``needed`` endpoints say alike; all of them where left out.

        Raises
        ------
        ReorgDetected
            When they do not.
        """
        quorum = len(self.endpoints) if needed is None else needed
        answers: list[T] = []
        failures = []
        for endpoint in self.endpoints:
            try:
                answers.append(Sources([endpoint.rpc], sleep=self._sleep).attempt(fetch))
            except (RpcUnavailable, RpcRefused, VerificationError) as error:
                failures.append(error)
        for answer in answers:
            if answers.count(answer) >= quorum:
                return answer
        raise ReorgDetected(
            "the endpoints do not agree",
            got=f"{len(answers)} answers, {len(failures)} without one",
            expected=f"{quorum} alike",
            where=self.label,
        )

    def _rank(self, endpoint: Endpoint) -> tuple[bool, int, int, int]:
        busy = endpoint.free_at > endpoint._clock() + _FIRST_INTERVAL
        return busy, endpoint.lies, endpoint.failures, self.endpoints.index(endpoint)


def is_rate_limit(error: RpcRefused) -> bool:
    """Return whether a node's error says that it was asked too often."""
    return error.code in _RATE_CODES or any(word in str(error.got).lower() for word in _RATE_WORDS)


class BatchSize:
    """How many items one request may ask for: halved by a refusal, growing slowly again.

    Parameters
    ----------
    most
        Where it begins, and its bound.
    """

    def __init__(self, most: int) -> None:
        self.most = self.size = most
        self._lock = threading.Lock()
        self._good = 0

    def refused(self, count: int) -> None:
        """Learn that a request for ``count`` items was too much."""
        with self._lock:
            self._good = 0
            self.size = max(1, min(self.size, count // 2))

    def worked(self) -> None:
        """Learn that a request was answered."""
        with self._lock:
            self._good += 1
            if self._good >= 16:
                self._good, self.size = 0, min(self.most, self.size + max(1, self.size // 4))


def split_fetch(
    sources: Sources, fetch: Callable[[Rpc, Sequence[T]], Any], part: Sequence[T], size: BatchSize
) -> list[Any]:
    """Return what is fetched for a part, piece by piece where the endpoints refuse its size.

    Returns
    -------
    list
        Answers of the pieces, in order.

    Raises
    ------
    RpcRefused
        When even one item is refused.
    """
    try:
        answer = sources.attempt(lambda rpc: fetch(rpc, part))
    except (RpcRefused, RpcUnavailable) as error:
        if len(part) <= 1 or not (isinstance(error, RpcRefused) or error.too_much):
            raise
        size.refused(len(part))
    else:
        size.worked()
        return [answer]
    middle = len(part) // 2
    return split_fetch(sources, fetch, part[:middle], size) + split_fetch(sources, fetch, part[middle:], size)
