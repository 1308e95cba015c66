"""How often somebody may try: counts in moving windows, in this process's memory and no longer than they matter."""

from __future__ import annotations

import math
import threading
import time
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.storage import MemoryStorage
    from limits.strategies import MovingWindowRateLimiter


class Attempts:
    """Attempts of whom, by rate; a rate is a text such as ``20 per 10 minutes``. Any number of threads may count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rates: dict[str, RateLimitItem] = {}

    @cached_property
    def storage(self) -> MemoryStorage:
        """Where the counts are."""
        from limits.storage import MemoryStorage  # noqa: PLC0415  # here: a sixth of a second, for the first attempt

        return MemoryStorage()

    @cached_property
    def _limiter(self) -> MovingWindowRateLimiter:
        from limits.strategies import MovingWindowRateLimiter  # noqa: PLC0415  # likewise

        return MovingWindowRateLimiter(self.storage)

    def count(self, rate: str, *whose: str) -> bool:
        """Count an attempt; whether it was within the rate."""
        with self._lock:
            within = self._limiter.hit(self._rate(rate), *whose)
            # The storage empties what is over, and would keep for ever whose it was: a name, an address.
            for over in [name for name, events in self.storage.events.items() if not events]:
                self.storage.clear(over)
            return within

    def wait(self, rate: str, *whose: str) -> int:
        """Minutes until another attempt is within the rate; 0 when it is now."""
        with self._lock:
            item = self._rate(rate)
            if self._limiter.test(item, *whose):
                return 0
            over = self._limiter.get_window_stats(item, *whose).reset_time
            return max(1, math.ceil((over - time.time()) / 60))

    def _rate(self, text: str) -> RateLimitItem:
        from limits import parse  # noqa: PLC0415  # likewise

        return self._rates.setdefault(text, parse(text))
