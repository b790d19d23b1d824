"""Where answers are worked out: in threads, few at a time, within a time budget, and remembered for a while."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import anyio
from anyio import to_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from isoflop.web.fields import Shown, View

T = TypeVar("T")

SECONDS = 20.0
"""What one question may take; the layout search of a frontier model on thousands of chips takes a few."""

AT_ONCE = 4
REMEMBERED = 64


class TooSlow(Exception):
    """A question that is not answered within its budget."""


class Kitchen:
    """Works out answers, and remembers the last ones, so that a chart does not work its plan out again.

    A thread cannot be stopped: one that runs over its budget goes on, holding one of `AT_ONCE` places, and its answer
    is remembered for who asks again.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._places = anyio.CapacityLimiter(AT_ONCE)
        self._held: OrderedDict[str, Shown] = OrderedDict()
        self._lock = Lock()

    async def answer(self, view: View, words: Mapping[str, str]) -> Shown:
        """The answer of a view. Raises: TooSlow, and what the view raises."""
        key = hashlib.sha256(repr((view.name, sorted(words.items()))).encode()).hexdigest()
        with self._lock:
            found = self._held.get(key)
        return found if found is not None else await self.work(lambda: self._made(key, view, words), slow=view.slow)

    def _made(self, key: str, view: View, words: Mapping[str, str]) -> Shown:
        made = view.answer(words)
        with self._lock:
            self._held[key] = made
            while len(self._held) > REMEMBERED:
                self._held.popitem(last=False)
        return made

    async def work(self, what: Callable[[], T], *, slow: bool = False) -> T:
        """`what` done in a thread. Raises: TooSlow."""
        try:
            with anyio.fail_after(self._seconds * (2 if slow else 1)):
                return await to_thread.run_sync(what, abandon_on_cancel=True, limiter=self._places)
        except TimeoutError as error:
            raise TooSlow from error
