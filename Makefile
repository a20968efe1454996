# Every target installs its dependencies into .venv and changes nothing outside this folder.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help

# Processes start five times faster with cached bytecode, and the tests start hundreds of them.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml requirements.lock
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or later is needed (set PYTHON=...)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: set PYTHON=..."; exit 1; }
	@echo "Installing into $(VENV) (once, about a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@RATESGRAPH_PAGES=skip $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: install
install: $(STAMP) ## Create .venv and install Ratesgraph with its development tools, as requirements.lock pins them

.PHONY: lock
lock: ## Renew requirements.lock after a change of pyproject.toml (UPGRADE=1 raises all versions within their bounds)
	@test -x $(BIN)/uv || $(MAKE) --no-print-directory install
	@$(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --all-extras --generate-hashes \
		--no-emit-index-url --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade) --output-file requirements.lock
	@$(BIN)/python -c 'import runpy; print(runpy.run_path("explorer/build.py")["NODE_WHEEL"])' | $(BIN)/uv pip compile - --quiet \
		--universal --python-version 3.11 --only-binary :all: --generate-hashes --no-emit-index-url \
		--custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade) --output-file explorer/node-requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --only-binary :all: --extra amqp --extra redis --extra s3 --extra tracing \
		--generate-hashes --no-emit-index-url --no-annotate --constraint requirements.lock \
		--custom-compile-command 'make lock' --output-file deploy/requirements.lock
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"])' \
		| $(BIN)/uv pip compile - --quiet --universal --python-version 3.11 --only-binary :all: \
		--generate-hashes --no-emit-index-url --no-annotate --constraint requirements.lock \
		--custom-compile-command 'make lock' --output-file deploy/build-requirements.lock

.PHONY: pages
pages: $(STAMP) ## Build the pages that the server shows in a browser, if their sources have changed
	@$(BIN)/python explorer/build.py

.PHONY: serve
serve: pages ## Start PostgreSQL, load the demo data once, serve on http://127.0.0.1:8000
	@exec $(BIN)/ratesgraph serve --demo

.PHONY: test
test: pages ## Run the whole test suite on four workers
	@$(BIN)/python -m pytest -n 4 --no-loadscope-reorder --durations 20

.PHONY: test-fast
test-fast: $(STAMP) ## Run the quick tests: no processes, timeouts or many examples (about a minute, for the inner loop)
	@$(BIN)/python -m pytest -q -n 4 -m 'not slow'

.PHONY: lint
lint: $(STAMP) ## Check style, formatting and types, and the installed packages for known vulnerabilities
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python .ci/audit.py

.PHONY: schema
schema: $(STAMP) ## Write schema.graphql from the code
	@$(BIN)/ratesgraph schema > schema.graphql.new && mv schema.graphql.new schema.graphql

.PHONY: reference
reference: $(STAMP) ## Write the generated pages of docs/reference from the code
	@$(BIN)/python -m docs.generate

.PHONY: docs
docs: $(STAMP) ## Build the documentation into site/, strictly
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

.PHONY: bench
bench: $(STAMP) ## Run the benchmarks: ingest, reads, uploads, peers over HTTP and pages (about twenty minutes)
	@$(BIN)/python -m bench

.PHONY: bench-billion
bench-billion: $(STAMP) ## Load a billion daily prices from files and query averages (about 15 minutes, 14 GB of disk)
	@$(BIN)/python -m bench billion

.PHONY: simulate
simulate: $(STAMP) ## Simulate fixed and scaled numbers of workers under sporadic load (starts nothing; ten seconds)
	@$(BIN)/python -m bench.fleet

.PHONY: chaos
chaos: $(STAMP) ## Kill workers, server, database and consumers at random during uploads; check that nothing is lost (about ten minutes)
	@$(BIN)/python -m tests.chaos
	@$(BIN)/python -m tests.chaos.messages

.PHONY: restarts
restarts: $(STAMP) ## Replace the server processes ten times during 10,000 requests; check that none fails (about two minutes)
	@$(BIN)/python -m tests.faults

.PHONY: release-check
release-check: pages ## Build sdist and wheel, install them into empty environments, serve, upload, ask and open a page
	@$(BIN)/python -m tests.release

.PHONY: clean
clean: ## Remove .venv, the built pages and documentation, and the embedded database's data
	rm -rf $(VENV) .ratesgraph site server/pages/built explorer/node_modules
