# make demo      the whole story on two private servers, in a minute
# make test      everything that can be checked on this machine
# make test-docker  OpenLDAP 2.4, 2.5, 2.6 and 389 DS in containers, and docs/compatibility.md from what they showed
# make samples   the configurations in slapd-conf/, anew
# make reference  docs/reference.md, anew
# make deb       a Debian package, in dist/
# make docs      the manual as a site, in build/site/
# make bench     the speed and memory budgets, side by side with their peers
.PHONY: setup demo test test-docker lint samples reference docs deb bench clean

setup:
	@.ci/setup

demo: setup
	@.venv/bin/ldaprepl demo

test: setup lint
	@.venv/bin/python -m pytest -n 3 --dist loadfile --ignore tests/docker $(PYTEST)
	@.venv/bin/python -m pytest tests/docker $(PYTEST)

test-docker: setup
	@CI=true LDAPREPL_COMPATIBILITY=docs/compatibility.md \
	    .ci/docker run .venv/bin/python -m pytest -m docker tests/docker $(PYTEST)

lint: setup
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/mypy

samples: setup
	@.venv/bin/python slapd-conf/generate.py

reference: setup
	@.venv/bin/python docs/generate.py

docs: setup
	@.venv/bin/python -m mkdocs build --strict --quiet

deb:
	@contrib/debian/build

bench: setup
	@.venv/bin/python benchmarks/verify.py

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
