# Everything a developer runs. Needs Python >= 3.11 and, on Debian as root, nothing else: the rest is fetched.

PYTHON ?= python3
PORT   ?= 8000
DATA   ?= .data
# More for pytest, such as `make test PYTEST_ARGS="-n 4 tests/features/totp"`.
PYTEST_ARGS ?= -n 3

BIN := .venv/bin
export UV_PROJECT_ENVIRONMENT := .venv
# A process that is already inside another environment must not leak it into ours.
unexport VIRTUAL_ENV

.DEFAULT_GOAL := help
.PHONY: help install run notes notes-django notes-flask notes-starlette test test-all check format bench docs messages screenshots system-packages clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: .venv/.installed ## create .venv with the locked versions

run: install ## serve on http://localhost:8000 with an embedded database (PORT=…, DATA=…)
	$(BIN)/ostiary serve --dev --data $(DATA) --port $(PORT)

notes: install ## serve the FastAPI example on http://127.0.0.1:8000 with its data in .data-notes (PORT=…)
	NOTES_URL=http://127.0.0.1:$(PORT) $(BIN)/python -m uvicorn examples.fastapi_notes.app:app --port $(PORT)

notes-django: install ## serve the Django example on http://127.0.0.1:8000 with its data in .data-notes-django (PORT=…)
	$(BIN)/python -m examples.django_notes.manage migrate --no-input
	NOTES_URL=http://127.0.0.1:$(PORT) $(BIN)/python -m uvicorn examples.django_notes.asgi:application --port $(PORT)

notes-flask: install ## serve the Flask example on http://127.0.0.1:8000 with its data in .data-notes-flask (PORT=…)
	NOTES_URL=http://127.0.0.1:$(PORT) $(BIN)/flask --app examples.flask_notes.app run --port $(PORT)

notes-starlette: install ## serve the Starlette example on http://127.0.0.1:8000 with its data in .data-notes-starlette (PORT=…)
	NOTES_URL=http://127.0.0.1:$(PORT) $(BIN)/python -m uvicorn examples.starlette_notes.app:app --port $(PORT)

test: check system-packages node_modules/.installed ## the linters, then every test but the slow ones
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-all: check system-packages node_modules/.installed ## the linters, then every test
	$(BIN)/python -m pytest -m "" --timeout 1800 $(PYTEST_ARGS)

check: install ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache

format: install ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install ## measure, and name the interpreter beside the figures
	$(BIN)/python -m bench

docs: install ## write the generated reference pages
	$(BIN)/python tools/generate_docs.py

messages: install ## collect what mails say, and compile the translations
	$(BIN)/python -m tools.messages

screenshots: install system-packages ## photograph the pages for the README
	$(BIN)/python -m tools.screenshots

# What tests need and no registry has: a browser with a font, and npm. PostgreSQL comes from this machine or from a wheel.
system-packages:
	@missing=; \
	command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
	  || [ -n "$$TEST_CHROMIUM" ] || missing="chromium fonts-dejavu-core"; \
	command -v npm >/dev/null || missing="$$missing npm"; \
	[ -n "$$missing" ] || exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq \
	  && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing >/dev/null; \
	else \
	  echo "The browser tests need $$missing: install that (as root), then run make again." >&2; exit 1; \
	fi

# axe-core, which judges the pages' accessibility; exactly what package-lock.json says.
node_modules/.installed: package.json package-lock.json | system-packages
	@npm ci --silent --no-audit --no-fund
	@touch $@

clean: ## remove what can be made again; your data in .data, .data-notes and its like stays
	rm -rf .venv node_modules .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist

# venv, then uv from the registry inside it, then exactly what uv.lock says.
.venv/.installed: pyproject.toml uv.lock | .venv/.uv
	$(BIN)/uv sync --frozen --all-groups --quiet
	@touch $@

.venv/.uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "ostiary needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(MAKE) --no-print-directory .debian-venv
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.13'
	@touch $@

# Debian splits venv from Python; the package is named after the exact minor version.
.PHONY: .debian-venv
.debian-venv:
	@package=$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$$package"; \
	else \
	  echo "This Python cannot make virtual environments. Install $$package (as root), then run make again." >&2; exit 1; \
	fi
