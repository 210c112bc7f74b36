# Valence. `make help` lists what there is.

PYTHON ?= python3
HOST   ?= 127.0.0.1
PORT   ?= 3000
VENV   := .venv/bin
export TORCH_INDEX

data := $(if $(DATA),--data "$(DATA)") $(if $(TEST),--test "$(TEST)")

.DEFAULT_GOAL := help
.PHONY: help serve train image test check lock

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: ## Train what changed, build the Bento and serve it (DATA=, TEST=, HOST=, PORT=, TORCH_INDEX=, PYTHON=)
	@$(PYTHON) scripts/bootstrap.py train
	@$(VENV)/python scripts/serve.py --host $(HOST) --port $(PORT) $(data)

train: ## Train and register without serving (DATA=, TEST=)
	@$(PYTHON) scripts/bootstrap.py train
	@PYTHONPATH=. $(VENV)/python -m training $(data)

image: ## Build the image of a registered model (MODEL=, NAME=, BASE=, ENGINE=)
	@$(PYTHON) scripts/bootstrap.py serve
	@$(VENV)/python scripts/image.py $(if $(MODEL),--model "$(MODEL)") $(if $(NAME),--name "$(NAME)") \
	  $(if $(BASE),--base "$(BASE)") $(if $(ENGINE),--engine $(ENGINE))

test: ## Run all tests, with coverage
	@$(PYTHON) scripts/bootstrap.py dev
	@scripts/test

check: ## Lint, format and type-check
	@$(PYTHON) scripts/bootstrap.py dev
	@scripts/check

lock: ## Resolve pyproject.toml into requirements/
	@$(PYTHON) scripts/bootstrap.py dev
	@scripts/lock
