# make demo      the whole story on two private servers, in a minute
# make test      everything that can be checked on this machine
# make samples   the configurations in slapd-conf/, anew
# make reference  docs/reference.md, anew
# make bench     the speed and memory budgets, side by side with their peers
.PHONY: setup demo test lint samples reference bench clean

setup:
	@.ci/setup

demo: setup
	@.venv/bin/ldaprepl demo

test: setup lint
	@.venv/bin/python -m pytest $(PYTEST)

lint: setup
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/mypy

samples: setup
	@.venv/bin/python slapd-conf/generate.py

reference: setup
	@.venv/bin/python docs/generate.py

bench: setup
	@.venv/bin/python benchmarks/verify.py

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
