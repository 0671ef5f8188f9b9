"""Texts kept in a list, for tests: `messaging.backends.memory.outbox`."""

import uuid

from messaging.backends.base import Text

outbox: list[Text] = []


class MemoryBackend:
    def send(self, text: Text) -> str:
        outbox.append(text)
        return f"memory-{uuid.uuid4()}"
