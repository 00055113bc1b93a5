# Each target makes what it needs from nothing (a Python >= 3.11 and make) and passes ARGS on: make demo ARGS="--port 9000"
.PHONY: help demo test check format bench docs lock servers ldap fuzz clean
.DEFAULT_GOAL := help
PYTHONPATH :=
export PYTHONPATH
BIN := .venv/bin

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

demo: ## Run the demo: a running host that provisions 1,000 generated people
	@tools/bootstrap.sh run
	@$(BIN)/isthmus demo $(ARGS)

test: ## Run the tests; ISTHMUS_REQUIRE=all: a missing server is installed (root, Debian) or a failure
	@tools/bootstrap.sh dev
	@tools/ldap.sh
	@tools/servers.sh
	@$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

check: ## Lint, format check, types, layers
	@tools/bootstrap.sh dev
	$(BIN)/ruff check $(ARGS)
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: ## Format the code and mend what ruff can mend
	@tools/bootstrap.sh dev
	$(BIN)/ruff check --fix $(ARGS)
	$(BIN)/ruff format

bench: ## Measure speed as ratios; writes docs/benchmarks.md
	@tools/bootstrap.sh dev
	@tools/ldap.sh
	@tools/servers.sh
	@$(BIN)/python -m benchmarks $(ARGS)

docs: ## Write the command line reference, run every command of the documentation, check its links
	@tools/bootstrap.sh dev
	@$(BIN)/python tools/cli_reference.py
	@$(BIN)/pytest tests/docs $(ARGS)

lock: ## Write the lock files anew
	@tools/bootstrap.sh dev
	@tools/lock.sh $(ARGS)

fuzz: ## Fuzz every entry point, ten minutes each, guided by coverage; what is found goes to found/
	@tools/bootstrap.sh dev
	@tools/fuzz.sh $(ARGS)

ldap: ## Put python-ldap into .venv, for directories; says which headers it needs
	@tools/bootstrap.sh dev
	@tools/ldap.sh

servers: ## Install the database servers the tests use (root, Debian)
	@ISTHMUS_REQUIRE=all tools/servers.sh

clean: ## Remove what the other targets made
	rm -rf .venv demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
