# The commands of the house. `make run` and `make test` need Python 3.11+, a C++ compiler and make: nothing else.
PYTHON ?= python3
BIN := .venv/bin

# llama.cpp is compiled on the first installation. Leaving out what the portal does not use saves little
# time (428 s of processor time instead of 430): the time goes into its kernels.
export CMAKE_ARGS ?= -DLLAVA_BUILD=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_SERVER=OFF \
	-DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_OPENSSL=OFF
export CMAKE_BUILD_PARALLEL_LEVEL ?= $(shell nproc 2>/dev/null || echo 2)
export PIP_DISABLE_PIP_VERSION_CHECK = 1

ifeq ($(wildcard .env),)
# Without a .env this is the demo practice: made-up people, a phone simulator, a demo checkout.
export DEMO ?= 1
endif

.PHONY: run test check stack bench model llama-server browser drill clean

run: .venv/.runs ## the demo practice on http://127.0.0.1:8000
	@$(BIN)/python manage.py start

test: .venv/.tests ## the whole suite: on SQLite, and on PostgreSQL and Redis where they are installed
	@$(BIN)/python -m tests.throwaway

browser: .venv/.tests ## the tests that drive Chromium
	@# a file: threads that share a database in memory lock each other out at once
	@TEST_DATABASE_NAME=$$(mktemp -u).sqlite3 $(BIN)/python -m pytest -m browser tests/browser

drill: .venv/.tests ## the tests that kill programs of a running portal
	@$(BIN)/python -m pytest -m drill tests/drills

check: .venv/.tests ## style, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

stack: ## the production set-up: PostgreSQL, Redis, Chroma, web, worker, beat, model host
	docker compose up --build

bench: .venv/.tests ## every figure that the documentation prints; DATA=folder adds those on public data
	@$(BIN)/pip install --progress-bar off -q -r requirements-bench.txt -c constraints.txt
	@for name in availability bookings recalls command_model model_host understanding finetune_small statements; do \
		echo "── $$name"; $(BIN)/python benchmarks/$$name.py || exit 1; done
	@test -n "$(DATA)" || echo "── left out without DATA=folder: dates, stripe_contract"
	@test -z "$(DATA)" || for name in dates stripe_contract; do \
		echo "── $$name"; $(BIN)/python benchmarks/$$name.py --data $(DATA) || exit 1; done

model: .venv/.tests ## train, export, quantize and check the shipped command model; DATA=folder adds public dialogues
	$(BIN)/python -m finetune all --recipe command-small $(if $(DATA),--data $(DATA))

llama-server: .venv/.tests ## llama.cpp's own server, to compare with; built against the libraries that are installed
	@cmake -S benchmarks/llama_server -B var/cache/llama-server \
		-DLLAMA=$$($(BIN)/python -c 'from finetune.weights.source import source; print(source())') \
		-DINSTALLED=$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
	@cmake --build var/cache/llama-server -j $(CMAKE_BUILD_PARALLEL_LEVEL) --target llama-server llama-bench

.venv/bin/pip:
	@echo "── Making a virtual environment in .venv"
	@$(PYTHON) -c 'import sys; sys.exit("Eyecare needs Python 3.11 or newer." if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .venv

.venv/.runs: requirements.txt constraints.txt | .venv/bin/pip
	@echo "── Installing packages (the first time llama.cpp is compiled: about four minutes on two cores)"
	@$(BIN)/pip install --progress-bar off -q torch -c constraints.txt
	@$(BIN)/pip install --progress-bar off -q -r requirements.txt -c constraints.txt
	@touch $@

.venv/.tests: requirements-dev.txt .venv/.runs
	@echo "── Installing what the tests need"
	@$(BIN)/pip install --progress-bar off -q -r requirements-dev.txt -c constraints.txt
	@touch $@

clean: ## forget everything that a running system wrote
	rm -rf var
