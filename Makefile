# Two commands, `make demo` and `make test`. Each installs what it misses first.
#
# KERAUNOS_PYTHON   a Python with Keras to use instead of making .venv; `none` goes without Keras
#                   (the cross-checks then say that they were skipped)
# KERAUNOS_SHARED   folder of recorded Keras cases; default: ../shared where it exists

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: demo test zip64 help tools vulkan strace keras recordings

VENV := .venv
RECORDED := target/keras
STARTED := $(shell date +%s)
KERAS_SCRIPTS := tests/keras

ifndef KERAUNOS_PYTHON
KERAUNOS_PYTHON := $(CURDIR)/$(VENV)/bin/python
KERAS_STAMP := $(VENV)/installed
endif
ifndef KERAUNOS_SHARED
KERAUNOS_SHARED := $(realpath ../shared)
endif
export KERAUNOS_PYTHON KERAUNOS_SHARED
# Software Vulkan compiles shaders slowly and keeps them here; a home folder may not be writable.
export MESA_SHADER_CACHE_DIR ?= $(CURDIR)/target/mesa-shader-cache
# Mesa complains on standard error where no session has set it.
export XDG_RUNTIME_DIR ?= /tmp

help: ## These lines
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9]+):.*## /make \1\t/'

demo: tools vulkan ## Runs a model written by real Keras on the GPU and on the host, saves it, compares
	cargo build --release --bin keraunos --example documentation
	tests/demo.sh target/release/keraunos
	target/release/examples/documentation

test: tools vulkan strace keras recordings ## Checks the style and runs all tests, real Keras included
	@mkdir -p target
	cargo fmt --all -- --check
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --quiet
	cargo test --no-fail-fast 2>&1 | tee target/test.log
	@tests/total.sh target/test.log $(STARTED)

zip64: tools keras ## Writes and reads a model of 5 GiB, in the folder TMPDIR names; not part of `make test`
	cargo test --release --test zip64 -- --ignored

tools:
	@tests/install.sh compiler

vulkan:
	@tests/install.sh vulkan

strace:
	@tests/install.sh strace

keras: $(KERAS_STAMP)

$(VENV)/installed: $(KERAS_SCRIPTS)/requirements.txt
	@tests/install.sh venv
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# Models too large to be committed; the small ones are in tests/models.
ifneq ($(KERAUNOS_PYTHON),none)
recordings: tests/models/manifest.json $(RECORDED)/applications $(RECORDED)/big.keras \
	$(RECORDED)/gradients/manifest.json $(RECORDED)/trainings $(RECORDED)/random/made
endif

tests/models/manifest.json: | keras
	"$(KERAUNOS_PYTHON)" $(KERAS_SCRIPTS)/make_models.py $(@D)

$(RECORDED)/applications: $(KERAS_SCRIPTS)/make_applications.py | keras
	"$(KERAUNOS_PYTHON)" $< $(@D)
	@touch $@

$(RECORDED)/random/made: $(KERAS_SCRIPTS)/random_models.py $(KERAS_SCRIPTS)/random_layers.py | keras
	"$(KERAUNOS_PYTHON)" $< $(@D)
	@touch $@

$(RECORDED)/big.keras: $(KERAS_SCRIPTS)/make_big.py | keras
	"$(KERAUNOS_PYTHON)" $< $@

$(RECORDED)/gradients/manifest.json: $(KERAS_SCRIPTS)/make_gradients.py \
		$(KERAS_SCRIPTS)/gradient_cases.py $(KERAS_SCRIPTS)/gradient_operations.py | keras
	"$(KERAUNOS_PYTHON)" $< $(@D)

$(RECORDED)/trainings: $(KERAS_SCRIPTS)/make_trainings.py $(KERAS_SCRIPTS)/relay.py | keras
	"$(KERAUNOS_PYTHON)" $< $@
	@touch $@
