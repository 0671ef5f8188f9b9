"""Who is let in next: conversations take turns, so that one busy caller cannot keep the others out."""

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping

from chatbot.modelhost.generation import Request


class Line:
    """Requests in order of arrival within a conversation, and one conversation after the other.

    A request in nobody's name is a conversation of its own.
    """

    def __init__(self) -> None:
        self._callers: OrderedDict[str | int, deque[Request]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._callers)

    def put(self, request: Request) -> None:
        self._callers.setdefault(request.caller or id(request), deque()).append(request)

    def first_of_each(self, in_work: Mapping[str, int], *, share: int) -> Iterator[Request]:
        """Yield the first request of each conversation with fewer than `share` answers in work, in turn."""
        for waiting in list(self._callers.values()):
            if in_work.get(waiting[0].caller, 0) < share or not waiting[0].caller:
                yield waiting[0]

    def leave(self, request: Request) -> None:
        """Have the first request of a conversation leave; the conversation's next one waits its turn."""
        caller = request.caller or id(request)
        waiting = self._callers.pop(caller)
        waiting.popleft()
        if waiting:
            self._callers[caller] = waiting

    def clear(self) -> list[Request]:
        """Send everybody away; return who was waiting."""
        waiting = [request for queue in self._callers.values() for request in queue]
        self._callers.clear()
        return waiting
