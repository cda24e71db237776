# Two commands on a fresh machine with Python 3.10 to 3.13, make and git: `make demo`, `make test`.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo demo-stream orchestrate test test-days test-days-whole test-kafka \
    test-image style check fix manifests reference boards screenshots docs actionlint check-workflows \
    vendor-news version release coverage mutants bench-source bench-flat-files publish-cloud \
    publish-image lock clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Set up .venv with the locked versions

# PyAirbyte asks for a Python before 3.13, and runs on 3.13 all the same.
$(INSTALLED): requirements/dev.txt VERSION pyproject.toml orchestration/pyproject.toml \
    sandbox/pyproject.toml streaming/pyproject.toml \
    source-polygon/source_polygon/streams/flat/_speedups.c
	@echo "Setting up .venv with the locked versions; the first time this takes a few minutes."
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --no-deps --require-hashes --ignore-requires-python \
	    --requirement requirements/dev.txt
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable . --editable sandbox \
	    --editable streaming --editable orchestration
	@touch $@

demo: $(INSTALLED) ## Batch, then streaming, on sandbox data (batch on real data with POLYGON_API_KEY)
	@$(BIN)/polygon-sandbox demo
	@$(BIN)/polygon-sandbox demo-stream

demo-stream: $(INSTALLED) ## Stream a sandbox market through feed, broker, filter and sink, half a minute
	@$(BIN)/polygon-sandbox demo-stream

orchestrate: $(INSTALLED) ## Serve Dagster on sandbox data, with a first run finished
	@$(BIN)/polygon-orchestrate $(ARGS)

test: $(INSTALLED) ## Run all tests that need neither Docker nor a broker
	@$(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

# Of the two packages that carry data, by their own tests: a third of all, and of the time.
coverage: $(INSTALLED) ## Measure what the tests of the connector and of streaming reach; below 95 % fails
	@mkdir -p .tmp/coverage
	@$(BIN)/pytest --quiet --numprocesses auto --dist loadfile --no-loadscope-reorder --cov \
	    --cov-report=term --cov-report=html:build/coverage unit_tests/connector unit_tests/streaming

mutants: $(INSTALLED) ## Change the core bit by bit and see that tests notice; ARGS="rules --sample 20"
	@$(BIN)/pip install --quiet --no-deps --require-hashes --requirement requirements/mutants.txt
	@$(BIN)/python -m maintenance.mutants $(ARGS)

test-days: $(INSTALLED) ## Run what hangs on dates on other dates; DAYS=2027-01-04T15:00Z one of your own
	@$(BIN)/python integration_tests/other_days/run.py $(DAYS)

test-days-whole: $(INSTALLED) ## Run everything that may hang on dates on one other date (10 minutes; nightly)
	@$(BIN)/python integration_tests/other_days/run.py --whole

test-kafka: $(INSTALLED) ## Prove exactly-once, recovery and the Flink SQL on Apache Kafka (needs Java 17, Maven)
	@$(BIN)/pytest -m kafka_tests integration_tests/kafka deploy/tests/kafka_connect \
	    deploy/tests/confluent

test-image: $(INSTALLED) ## Build the image and run it (needs Docker, or root on Debian)
	@$(BIN)/pytest -m image_tests integration_tests/image

style: $(INSTALLED) ## Lint and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

check: style ## Style and types
	@$(BIN)/mypy

manifests: $(INSTALLED) ## Write both manifests and docs/streams.md anew from manifests/
	@$(BIN)/python manifests/build.py

reference: $(INSTALLED) ## Write the tables of docs/ anew: settings, metrics, the form
	@$(BIN)/python docs/reference.py

docs: $(INSTALLED) ## Build the documents as a site into build/site; a broken link fails
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

screenshots: $(INSTALLED) ## Take the README's pictures anew; DAGSTER=http://... of `make orchestrate`
	@$(BIN)/python -m maintenance.screenshots

boards: $(INSTALLED) ## Write the boards of Grafana anew from deploy/grafana/
	@$(BIN)/python -m deploy.grafana

bench-source: $(INSTALLED) ## Time the connector against other ways (15 minutes; installs them)
	@$(BIN)/pip install --quiet --no-deps --require-hashes --requirement requirements/bench.txt
	@$(BIN)/python -m benchmarks.source.run --write

bench-flat-files: $(INSTALLED) ## Time flat files, ours and other ways (half an hour; installs them)
	@$(BIN)/pip install --quiet --no-deps --require-hashes --requirement requirements/bench.txt
	@$(BIN)/python -m benchmarks.flat_files.run --write

ACTIONLINT := .tmp/bin/actionlint

actionlint: $(ACTIONLINT) ## Install what checks the workflows' syntax (needs Go)

$(ACTIONLINT):
	@GOBIN=$(CURDIR)/.tmp/bin go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

check-workflows: $(INSTALLED) ## Hold .github/ against zizmor, actionlint and this Makefile
	@$(BIN)/pytest maintenance/tests/test_workflows.py

# Both are fetched by whoever runs this, and of a bounded size; nothing in them is trusted.
NEWS := .tmp/vendor-news
FETCH := curl --fail --silent --show-error --location --proto =https --max-time 120 --retry 3

vendor-news: $(INSTALLED) ## Tell what the vendor published and the contract lacks, in .tmp/vendor-news
	@mkdir -p $(NEWS)
	@$(FETCH) --max-filesize 64M --output $(NEWS)/openapi.json https://api.massive.com/openapi
	@$(FETCH) --max-filesize 64M --output $(NEWS)/rss.xml https://massive.com/changelog/rss.xml
	@$(BIN)/python -m maintenance.vendor_news --openapi $(NEWS)/openapi.json \
	    --changelog $(NEWS)/rss.xml > $(NEWS)/news.md

version: $(INSTALLED) ## Write the version wherever it stands: TO=1.2.3
	@$(BIN)/python -m maintenance.version $(TO)

release: $(INSTALLED) ## Check and build a release into dist/, a dry run; ARGS=--push tags and pushes it
	@$(BIN)/python -m maintenance.release $(ARGS)

fix: $(INSTALLED) ## Apply formatting and safe lint fixes
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

publish-cloud: $(INSTALLED) ## Bring an Airbyte workspace up to date; ARGS=--dry-run only shows how
	@$(BIN)/python -m deploy.airbyte_cloud $(ARGS)

publish-image: ## Push an image to REGISTRY=ghcr.io/you; ARGS=--dry-run only shows what
	@deploy/publish_image.sh $(ARGS) $(REGISTRY)

COMPILE := uv pip compile --universal --python-version 3.10 --generate-hashes --no-annotate \
    --no-header --no-sources

lock: ## Write requirements/*.txt anew (needs uv)
	$(COMPILE) --output-file requirements/dev.txt --group dev pyproject.toml sandbox/pyproject.toml \
	    streaming/pyproject.toml orchestration/pyproject.toml
	$(COMPILE) --constraint requirements/dev.txt --output-file requirements/source.txt pyproject.toml
	$(COMPILE) --constraint requirements/dev.txt --output-file requirements/streaming.txt \
	    streaming/pyproject.toml
	$(COMPILE) --constraint requirements/dev.txt --output-file requirements/orchestration.txt \
	    --extra postgres pyproject.toml orchestration/pyproject.toml
	$(COMPILE) --constraint requirements/dev.txt --output-file requirements/bench.txt --group bench
	$(COMPILE) --constraint requirements/dev.txt --output-file requirements/mutants.txt --group mutants
	printf 'hatchling\nsetuptools\n' | $(COMPILE) --constraint requirements/dev.txt \
	    --output-file requirements/build.txt -

clean: ## Remove .venv and everything generated
	rm -rf .venv .demo .demo-stream .orchestration .tmp build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
