# Every target builds what it needs first; what is built is in build/.

PYTHON ?= python3
PROCESSES ?= 4
RECIPIENTS ?= 10000
WORKERS ?= 4
JOB_SIZE ?=
PARTS ?=
RUNS ?= 60
SEED ?= 1
CHAOS_RECIPIENTS ?= 2000
UNDURABLE ?=
SUITES ?=

# The suites start Odoo a hundred times: it is not to be compiled as often.
unexport PYTHONDONTWRITEBYTECODE

BUILDER := $(PYTHON) setup/environment
VENV := build/environment/venv/bin
DEMO := $(VENV)/python -m tests.demo --recipients $(RECIPIENTS) --workers $(WORKERS) \
	$(if $(JOB_SIZE),--job-size $(JOB_SIZE))

.DEFAULT_GOAL := help
.PHONY: help environment demo test chaos hazards mutants bench upstream run lint clean

help: ## Say what there is to make
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

environment: ## Build a real Odoo 19, its Python and a PostgreSQL
	@$(BUILDER)

demo: environment ## Send a campaign to RECIPIENTS with WORKERS [JOB_SIZE] and report
	@$(DEMO)

test: environment ## Run all suites, in PROCESSES at a time
	@$(BUILDER) balancer
	@$(BUILDER) browser
	@$(VENV)/python -m pytest tests -n $(PROCESSES) --dist loadfile \
		--no-loadscope-reorder --durations 15

chaos: environment ## Hazards, then send RUNS campaigns under fire, from SEED on [UNDURABLE=1]
	@$(VENV)/python -m tests.chaos.native --once
	@$(VENV)/python -m tests.chaos --runs $(RUNS) --seed $(SEED) \
		--recipients $(CHAOS_RECIPIENTS) $(if $(UNDURABLE),--undurable)

hazards: environment ## Show where Odoo fails without our addons: build/chaos/native.md
	@$(VENV)/python -m tests.chaos.native

mutants: environment ## Take guards out one by one, and see their tests fail
	@$(VENV)/python -m tests.mutants

bench: environment ## Measure [PARTS] and write build/bench.json
	@$(VENV)/python -m tests.bench $(PARTS)

upstream: environment ## Run other people's tests [SUITES] without and with our addons
	@$(VENV)/python -m tests.upstream $(SUITES)

run: environment ## Serve an Odoo with a campaign to send, until interrupted
	@$(DEMO) --serve

lint: environment ## Run the linters over all files
	@setup/lint/check-node.sh
	@PRE_COMMIT_HOME=$(CURDIR)/build/pre-commit \
		$(VENV)/pre-commit run --all-files --show-diff-on-failure

clean: ## Remove all that was built
	@$(BUILDER) clean
	@rm -rf build
