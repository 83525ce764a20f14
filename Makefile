# Every target needs only python3 >= 3.11, pip and make; it makes .venv by itself, once.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
DEMO_INSTALLED := $(if $(wildcard $(INSTALLED)),$(INSTALLED),.venv-demo/.installed)
FUZZER := .venv/.fuzzer
AUDITED := .venv/.audited
UI_HOME ?= llm-cost-demo
DEV_HOME := llm-cost-dev
GROUPS ?=
T ?=
SMOKE := tests/test_house.py tests/test_readme.py::test_files_linked_to_exist tests/tracking/rows tests/tracking/test_tracked_call.py \
	tests/warehouse/sealing/test_waiting.py tests/warehouse/cli/test_price_commands.py \
	tests/warehouse/building/test_building_alone.py::test_an_empty_ledger_builds_and_every_answer_says_that_it_is_empty
ARGS ?= build
MINUTES ?= 30

.DEFAULT_GOAL := help
.PHONY: help setup hooks demo test smoke dbt slow faults fuzz audit price-audit check bench ui lock wheel clean

help: ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 13

setup: $(INSTALLED) ## Make .venv with pinned, hashed packages

$(INSTALLED): pyproject.toml requirements/dev.txt requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "python >= 3.11 is needed, $(PYTHON) is $$($(PYTHON) -V); try make PYTHON=python3.11" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv --without-pip .venv
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements/dev.txt requirements/uv.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

hooks: $(INSTALLED) ## Have git check changed files before each commit
	@$(BIN)/pre-commit install

demo: $(DEMO_INSTALLED) ## Play a month of a teaching platform, build the reports, prove them
	@$(dir $(DEMO_INSTALLED))bin/llm-cost demo

# Where there is no .venv, the demo takes the packages of the warehouse alone; what it runs lies here.
.venv-demo/.installed: requirements/warehouse.txt requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "python >= 3.11 is needed, $(PYTHON) is $$($(PYTHON) -V); try make PYTHON=python3.11" >&2; exit 2; }
	@test -x .venv-demo/bin/python || $(PYTHON) -m venv --without-pip .venv-demo
	@$(PYTHON) -m pip --python .venv-demo/bin/python install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@.venv-demo/bin/uv pip sync --quiet --python .venv-demo/bin/python --require-hashes requirements/warehouse.txt requirements/uv.txt
	@echo '$(CURDIR)' > "$$(.venv-demo/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/checkout.pth"
	@printf '#!%s\nfrom warehouse.__main__ import main\n\nif __name__ == "__main__":\n    main()\n' '$(CURDIR)/.venv-demo/bin/python' > .venv-demo/bin/llm-cost
	@chmod +x .venv-demo/bin/llm-cost
	@touch $@

test: $(INSTALLED) ## Run the tests, all but the slow ones (T=tests/sql/test_dbt_project.py for some)
	@$(BIN)/pytest $(if $(T),,--numprocesses 2 --dist loadfile) -m "not slow" $(T)

smoke: $(INSTALLED) ## The record path, a seal, a build and its proof, the command line, the house, links: in a minute
	@$(BIN)/pytest -m "not slow" --quiet $(SMOKE)

dbt: $(DEV_HOME)/.prepared ## Run dbt on a small ledger (ARGS="test -s cost_anomalies"); by hand in sql/ afterwards
	@cd sql && ../$(BIN)/dbt --warn-error $(ARGS)

# What reads the ledger for dbt may have changed: then the sources are made anew.
$(DEV_HOME)/.prepared: $(wildcard warehouse/sources/*.py) | $(INSTALLED)
	@echo "preparing $(DEV_HOME), once" >&2
	@$(BIN)/llm-cost demo --home $(DEV_HOME) --calls 2000 >/dev/null
	@touch $@

slow: $(INSTALLED) ## Run the slow tests: Dagster's own processes, its UI in a browser, PostgreSQL
	@$(BIN)/pytest -m slow

faults: $(INSTALLED) ## Kill, cut the power, fill the disk: the long runs, and a table of what was lost (nothing)
	@FAULTS=long $(BIN)/pytest tests/faults --numprocesses 2 --quiet -o faulthandler_timeout=0

fuzz: $(FUZZER) ## Look for inputs that break a promise (MINUTES=30 of a processor; T="answers prices_toml" for some doors)
	@$(BIN)/python -m tests.fuzz --minutes $(MINUTES) $(T)

$(FUZZER): requirements/fuzz.txt $(INSTALLED)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements/fuzz.txt
	@touch $@

audit: $(INSTALLED) ## Recompute the reports of a hostile ledger in plain Python, in three time zones; each difference
	@$(BIN)/python -m tests.audit

price-audit: $(AUDITED) ## Our prices beside those of genai-prices, LiteLLM and tokencost: coverage, each difference over 1 %
	@$(BIN)/python -m tests.price_audit

$(AUDITED): requirements/audit.txt $(INSTALLED)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements/audit.txt
	@touch $@

check: $(INSTALLED) ## Lint, format, types, SQL, import contracts
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/pyright
	@$(BIN)/sqlfluff lint --quiet sql
	@$(BIN)/lint-imports --no-logo

bench: $(INSTALLED) ## Measure, and print the ratios (GROUPS="pricing cost_frame" for some)
	@$(BIN)/python -m tests.benchmarks $(GROUPS)

ui: $(INSTALLED) ## Open Dagster on the demo's home (UI_HOME=… for another)
	@$(BIN)/llm-cost ui --home $(UI_HOME)

lock: $(INSTALLED) ## Resolve the pinned, hashed requirements anew
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --extra dev pyproject.toml --output-file requirements/dev.txt
	@grep '==' requirements/dev.txt | sed 's/ \\$$//' > requirements/.versions.txt
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --extra warehouse --constraint requirements/.versions.txt pyproject.toml \
		--output-file requirements/warehouse.txt; status=$$?; rm requirements/.versions.txt; exit $$status
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate requirements/uv.in --output-file requirements/uv.txt
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate requirements/fuzz.in --output-file requirements/fuzz.txt
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --no-deps requirements/audit.in --output-file requirements/audit.txt

wheel: $(INSTALLED) ## Build the wheel into dist/
	@$(BIN)/uv build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir dist .

clean: ## Remove what make made, its homes too
	@rm -rf .venv .venv-demo dist build llm-cost-demo llm-cost-demo.html $(DEV_HOME) sql/target sql/logs .pytest_cache .ruff_cache .hypothesis .fuzz
