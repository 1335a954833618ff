# Everything is done by Utilities/develop.py, which runs without make too (see README.md).
PYTHON ?= python3

.PHONY: demo test lint clean

demo: ## Analyze two real radiographs; results in demo-output/
	$(PYTHON) Utilities/develop.py demo

test: ## Run the whole test suite
	$(PYTHON) Utilities/develop.py test

lint: ## Check style and formatting
	$(PYTHON) Utilities/develop.py lint

clean: ## Remove everything the other targets made
	$(PYTHON) Utilities/develop.py clean
