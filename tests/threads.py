"""What many do at the same moment, each over a connection of its own."""

import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from django.db import connection

from eyecare import clock


def at_once(
    acts: Sequence[Callable[[], Any]],
    *,
    now: datetime | None = None,
    outcomes: type[Exception] | tuple[type[Exception], ...] = (),
) -> list[Any]:
    """Do all from one moment on and return what each returned, in their order.

    The clock stands at `now`, if it is given. Exceptions of the kinds in `outcomes` are returned; any
    other one of any thread is raised here, when all are through.
    """
    start = threading.Barrier(len(acts))
    results: list[Any] = [None] * len(acts)
    failures: list[Exception] = []

    def run(number: int, act: Callable[[], Any]) -> None:
        try:
            start.wait()
            with clock.frozen_at(now) if now else nullcontext():
                results[number] = act()
        except outcomes as outcome:
            results[number] = outcome
        except Exception as failure:  # noqa: BLE001 - a thread's failure must fail the test
            failures.append(failure)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results
