# Valence. `make help` lists what there is.

PYTHON ?= python3
HOST   ?= 127.0.0.1
PORT   ?= 3000
SHAPE  ?= steady
VENV   := .venv/bin
export TORCH_INDEX

data := $(if $(DATA),--data "$(DATA)") $(if $(TEST),--test "$(TEST)") $(if $(TEXT),--text "$(TEXT)") \
  $(if $(LABEL),--label "$(LABEL)") $(if $(RATING),--rating "$(RATING)")

.DEFAULT_GOAL := help
.PHONY: help serve observe train image test test-image observe-test load e2e bench check lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: ## Train what changed, build the Bento and serve it (DATA=, TEST=, TEXT=, LABEL=, RATING=, HOST=, PORT=, TORCH_INDEX=, PYTHON=)
	@$(PYTHON) scripts/bootstrap.py train
	@$(VENV)/python scripts/serve.py --host $(HOST) --port $(PORT) $(data)

observe: ## Watch what `make serve` serves: Prometheus, Alertmanager, Grafana where it is installed (PORT=)
	@$(PYTHON) scripts/observe.py --port $(PORT)

train: ## Train and register without serving (DATA=, TEST=, TEXT=, LABEL=, RATING=)
	@$(PYTHON) scripts/bootstrap.py train
	@PYTHONPATH=. $(VENV)/python -m training $(data)

image: ## Build the image of a registered model (MODEL=, NAME=, BASE=, ENGINE=)
	@$(PYTHON) scripts/bootstrap.py serve
	@$(VENV)/python -m scripts.image $(if $(MODEL),--model "$(MODEL)") $(if $(NAME),--name "$(NAME)") \
	  $(if $(BASE),--base "$(BASE)") $(if $(ENGINE),--engine $(ENGINE))

test: ## Run all tests, with coverage
	@$(PYTHON) scripts/bootstrap.py dev
	@scripts/test

test-image: ## Build an image of a tiny model and test it and its pod (root's podman)
	@$(PYTHON) scripts/bootstrap.py dev
	@$(VENV)/python -m pytest tests/image

observe-test: ## Break the real service in every way, and see who is told; 8 minutes (needs Prometheus, Alertmanager)
	@$(PYTHON) scripts/bootstrap.py dev
	@$(VENV)/python -m pytest --quiet tests/observe

load: ## Load the model in production, or the server at URL=, with Locust (SHAPE=ramp|steady|spike|overload, URL=, OPTIONS=)
	@$(PYTHON) scripts/bootstrap.py dev
	@PYTHONPATH=. $(VENV)/python -m tests.load --shape $(SHAPE) $(if $(URL),--url "$(URL)") $(OPTIONS)

e2e: ## Releases under load on the cluster of KUBECONFIG, 10 minutes (VALENCE_IMAGE=, VALENCE_IMAGE_OTHER=, OPTIONS=)
	@$(PYTHON) scripts/bootstrap.py dev
	@PYTHONPATH=. $(VENV)/python -m tests.e2e $(OPTIONS)

bench: ## Compare speed with other servers, 20 minutes on an idle machine (QUICK=1, SOAK=minutes)
	@$(PYTHON) scripts/bootstrap.py train
	@PYTHONPATH=. $(VENV)/python -m benchmarks $(if $(QUICK),--quick) $(if $(SOAK),--soak $(SOAK))

check: ## Lint, format and type-check
	@$(PYTHON) scripts/bootstrap.py dev
	@scripts/check

lock: ## Resolve pyproject.toml into requirements/
	@$(PYTHON) scripts/bootstrap.py dev
	@scripts/lock

clean: ## Delete what training can make again: workspaces of other data sets, artifacts, DVC's cache (the registry stays)
	@rm -rf .valence/datasets artifacts dvc.lock .dvc/cache .dvc/tmp
