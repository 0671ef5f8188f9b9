"""What the model host counts, for Prometheus. No label and no value ever holds a word of a patient."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
TOKEN_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The figures of one host."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = self._counter("requests", "Chat requests, by how they ended.", "model", "outcome")
        self.abandoned = self._counter("abandoned", "Requests whose caller hung up.")
        self.prompt_tokens = self._counter(
            "prompt_tokens", "Prompt tokens, by whether they were read.", "kind"
        )
        self.completion_tokens = self._counter("completion_tokens", "Tokens of answers.")
        self.embedded_texts = self._counter("embedded_texts", "Texts turned into vectors.")
        self.spills = self._counter("spills", "Texts whose cache was put to rest in memory.")
        self.restores = self._counter("restores", "Texts whose cache was taken from rest.")
        self.queue = self._gauge("queue_depth", "Requests that wait.", "lane")
        self.running = self._gauge("running", "Answers being read or written.")
        self.loaded = self._gauge("loaded", "Models and adapters that are loaded.", "kind")
        self.bytes = self._gauge("bytes", "Memory of weights, caches and texts at rest.", "kind")
        self.first_token = self._histogram(
            "first_token_seconds", "From a request to its first token.", SECONDS
        )
        self.per_token = self._histogram("token_seconds", "Between two tokens of an answer.", TOKEN_SECONDS)
        self.batch_rows = self._histogram("batch_sequences", "Texts in one evaluation.", SIZES)
        self.batch_tokens = self._histogram("batch_tokens", "Tokens in one evaluation.", SIZES)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(f"eyecare_model_{name}", what, labels, registry=self.registry)

    def _gauge(self, name: str, what: str, *labels: str) -> Gauge:
        return Gauge(f"eyecare_model_{name}", what, labels, registry=self.registry)

    def _histogram(self, name: str, what: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"eyecare_model_{name}", what, buckets=buckets, registry=self.registry)
