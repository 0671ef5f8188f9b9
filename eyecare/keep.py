"""Keeps one program running: starts it again when it dies, and lets it stop when it is told to.

Honcho ends every process when one ends. A crashed model host must not take the portal down, so
each program that the portal can live without runs under this.
"""

import signal
import subprocess
import sys
import threading
import time
from types import FrameType

PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0


def keep(command: list[str]) -> int:
    """Run the command until this process is told to stop; return 0 then.

    A program that dies within ten seconds waits twice as long each time before it starts again.
    """
    stopping = threading.Event()
    program: subprocess.Popen[bytes] | None = None

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()
        if program is not None and program.poll() is None:
            program.send_signal(signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    pause = PAUSE_SECONDS
    while not stopping.is_set():
        began = time.monotonic()
        program = subprocess.Popen(command)  # noqa: S603 - our own command line, from the supervisor
        if stopping.is_set():  # told so before there was a program to pass it on to
            program.terminate()
        code = program.wait()
        if stopping.is_set():
            break
        lived = time.monotonic() - began
        pause = PAUSE_SECONDS if lived > 10 else min(pause * 2, LONGEST_PAUSE_SECONDS)
        print(f"stopped with {code}; starting again in {pause:.0f} s", flush=True)  # noqa: T201
        stopping.wait(pause)
    return 0


if __name__ == "__main__":
    sys.exit(keep(sys.argv[1:]))
