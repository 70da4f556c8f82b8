# Everything a person types. Each target sets up what it needs: `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
REENGAGE := $(VENV)/bin/reengage
READY := $(VENV)/.ready
CELERY := $(VENV)/celery/.ready
# Compiled files are kept, also where the shell asks for none: every process starts quicker.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help
help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' \
		| awk -F'\t' '{printf "  make %-14s %s\n", $$1, $$2}'

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3.11 …"; exit 1; }
	@echo "Setting up $(VENV): about two minutes, once." >&2
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

# Celery and Airflow's login for many, beside the environment: with them every start of Airflow takes
# twice as long.
$(CELERY): requirements-celery.txt $(READY)
	@echo "Setting up Celery for the tests: about a minute, once." >&2
	@rm -rf $(@D)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --target $(@D) -r $<
	@touch $@

.PHONY: setup
setup: $(READY)  ## the environment (.venv), which every other target makes by itself

.PHONY: demo
demo: $(READY)  ## the whole job on real data, in one process, with simulated recipients
	@$(REENGAGE) demo

.PHONY: day
day: $(READY)  ## one day through the real DAGs: make day AS_OF=1997-09-30 [APPROVE=yes|no]
	@$(REENGAGE) day --as-of "$(AS_OF)" --approve "$(APPROVE)"

.PHONY: preview
preview: $(READY)  ## what a day would come to, taken back: make preview AS_OF=… [CSV=audience.csv]
	@$(REENGAGE) preview --as-of "$(AS_OF)" --csv "$(CSV)"

.PHONY: replay
replay: $(READY)  ## past days under any policy: make replay FROM=… TO=… [POLICY=…] [DAYS=…] [NAME=…] [AUDIENCE=yes] [KNOWN=yes] [BEGIN=…]
	@$(REENGAGE) replay --from "$(FROM)" --to "$(TO)" --policy "$(POLICY)" --days "$(DAYS)" --name "$(NAME)" --audience "$(AUDIENCE)" --begin "$(BEGIN)" --known "$(KNOWN)"

.PHONY: compare
compare: $(READY)  ## replayed scenarios beside each other: make compare A=default B=45-75-120 [CSV=…] [FROM=… TO=…]
	@$(REENGAGE) compare --a "$(A)" --b "$(B)" --from "$(FROM)" --to "$(TO)" --csv "$(CSV)"

.PHONY: up
up: $(READY)  ## Airflow, the link service and the sandbox; Ctrl-C ends all of it
	@$(REENGAGE) up

.PHONY: down
down:  ## end what this home runs
	@[ ! -e $(READY) ] || $(REENGAGE) down

.PHONY: dsn
dsn: $(READY)  ## the warehouse's address, and nothing else
	@$(REENGAGE) dsn

.PHONY: psql
psql: $(READY)  ## a prompt on the warehouse
	@$(REENGAGE) psql

.PHONY: pages
pages: $(READY)  ## every landing page, in every language and state, to open in a browser
	@$(REENGAGE) pages

.PHONY: draw
draw: $(READY)  ## draw a contest after its close: make draw CONTEST=welcome_back
	@$(REENGAGE) draw --contest "$(CONTEST)"

.PHONY: policy
policy: $(READY)  ## check include/journey.yaml and the sources
	@$(REENGAGE) policy

.PHONY: sources
sources: $(READY)  ## the ready sources (Shopify, Klaviyo, …), to copy: make sources [FIND=word]
	@$(REENGAGE) sources --find "$(FIND)"

.PHONY: source-new
source-new: $(READY)  ## copy a ready source to yours: make source-new NAME=shopify_orders
	@$(REENGAGE) source-new --name "$(NAME)"

.PHONY: source-check
source-check: $(READY)  ## what a source would come to, column by column: make source-check NAME=shop [ROWS=…]
	@$(REENGAGE) source-check --name "$(NAME)" --rows "$(or $(ROWS),10000)"

.PHONY: templates
templates: $(READY)  ## check the texts in every language and country: segments, costs, what breaks
	@$(REENGAGE) templates

.PHONY: coupons
coupons: $(READY)  ## stock of the coupon pools; add codes: make coupons POOL=spring CSV=codes.csv
	@$(REENGAGE) coupons --pool "$(POOL)" --csv "$(CSV)"

.PHONY: experiment
experiment: $(READY)  ## compare the groups of a file: make experiment NAME=mails CSV=mails.csv [CONTROL=none]
	@$(REENGAGE) experiment --name "$(NAME)" --csv "$(CSV)" --control "$(CONTROL)"

.PHONY: why
why: $(READY)  ## why somebody was (not) texted: make why CONTACT=123, crm:C-17, a phone or an email
	@$(REENGAGE) why --contact "$(CONTACT)" --as-of "$(AS_OF)"

.PHONY: judge
judge: $(READY)  ## judge again who clicked, people or machines, after the rules changed
	@$(REENGAGE) judge

.PHONY: schema
schema: $(READY)  ## write include/sql/schema.sql anew, after a migration or a new object
	@$(REENGAGE) schema

.PHONY: rotate-key
rotate-key: $(READY)  ## follow one key of the numbers' hashes by another: make rotate-key [NEW=yes|LOST=yes]
	@$(REENGAGE) rotate-key $(if $(NEW),--new) $(if $(LOST),--lost)

.PHONY: bench
bench: $(READY)  ## what it costs: make bench ONLY=journey (or send, web, first_week) SIZE=1 (millions) VERBOSE=1
	@$(REENGAGE) bench --only "$(ONLY)" --size "$(or $(SIZE),1)" $(if $(VERBOSE),--verbose)

.PHONY: simulate
simulate: $(READY)  ## are the effect's intervals as sure as they say? make simulate WORLDS=10000
	@$(REENGAGE) simulate --worlds "$(or $(WORLDS),1000)"

.PHONY: audit
audit: $(READY)  ## is what the days kept up what a recompute says? make audit SHARE=0.1 REPAIR=1
	@$(REENGAGE) audit --share "$(or $(SHARE),1)" $(if $(REPAIR),--repair)

# A file's tests stay together, for what they share; the longest files begin (tests/conftest.py).
# Four on two cores: many tests wait for a server.
WORKERS := -n 4 --dist loadfile --no-loadscope-reorder

.PHONY: test
test: $(READY) $(CELERY)  ## the whole suite, in its own home
	@$(REENGAGE) tools
	@$(VENV)/bin/pytest $(WORKERS) $(TESTS)

.PHONY: soak
soak: $(READY) $(CELERY)  ## long kills and deep properties: TIMES=20 what make test tries
	@$(REENGAGE) tools
	@REENGAGE_SOAK=$(or $(TIMES),20) $(VENV)/bin/pytest $(WORKERS) -v $(TESTS)

.PHONY: lint
lint: $(READY)  ## ruff, sqlfluff, mypy
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/ruff format --quiet --check . || { echo "run: make format"; exit 1; }
	@$(VENV)/bin/sqlfluff lint --processes 2 --disable-progress-bar include/sql
	@$(VENV)/bin/mypy --no-error-summary
	@echo "lint: clean"

.PHONY: format
format: $(READY)  ## write the code as ruff wants it
	@$(VENV)/bin/ruff check --quiet --fix . ; $(VENV)/bin/ruff format --quiet .

.PHONY: requirements
requirements: $(READY)  ## pin requirements.in into requirements.txt, and Celery's beside it
	@$(VENV)/bin/pip install --quiet uv
	@$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url \
		--custom-compile-command "make requirements" requirements.in -o requirements.txt
	@{ echo '# Made by `make requirements` from requirements-celery.in: what comes on top of requirements.txt.'; \
		$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url \
			--no-annotate --no-header requirements-celery.in \
		| grep -vxFf <(grep == requirements.txt); } > requirements-celery.txt

.PHONY: clean
clean:  ## end what this home runs, then forget its state
	@[ ! -e $(READY) ] || $(REENGAGE) clean
