"""The one process that holds weights: a GGUF and a sentence embedder behind a loopback HTTP API."""

import os

# Threads that wait must sleep. Spinning, as OpenMP does by default, takes the cores from the web
# server next door, and on two busy cores made one answer in ten last two seconds instead of 80 ms.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# Where llama.cpp gives up it would start a debugger on the process that holds what patients wrote.
os.environ.setdefault("GGML_NO_BACKTRACE", "1")
