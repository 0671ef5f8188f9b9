"""The demo's phones: a text has arrived as soon as it is sent, and the phone page shows the outbox."""

import uuid

from messaging.backends.base import Text


class SimulatorBackend:
    def send(self, text: Text) -> str:
        return f"simulator-{uuid.uuid4()}"
