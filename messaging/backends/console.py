"""Texts printed where the worker runs, for development only: they name patients."""

import sys
import uuid

from messaging.backends.base import Text


class ConsoleBackend:
    def send(self, text: Text) -> str:
        sys.stdout.write(f"\nto {text.to}\n{text.body}\n")
        return f"console-{uuid.uuid4()}"
