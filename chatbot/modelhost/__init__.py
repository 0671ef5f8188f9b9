"""The one process that holds weights: a GGUF and a sentence embedder behind a loopback HTTP API."""
