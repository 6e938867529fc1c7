# The common tasks, one word each; `make help` lists them. cmake --preset release does the same by hand.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 60
PREFIX ?= /usr/local
DEMO := german-industrial-ai-cloud

.PHONY: help demo test bench fuzz lint coverage install package clean

help: ## List the tasks
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | awk -F'\t' '{printf "make %-10s %s\n", $$1, $$2}'

demo: ## Build, then run four weeks of the German industrial AI cloud into out/
	@tools/setup.sh
	@tools/build.sh release gw gw-supervise gw_share
	@build/release/gw simulate scenarios/$(DEMO).yaml --out out/$(DEMO)

test: ## Build everything, run all tests and the comparison of compilers
	@tools/setup.sh test
	@tools/build.sh release
	@# Many tests wait for processes, few for a processor: the second compiler takes what time they leave.
	@setsid nice -n 19 tools/build.sh clang gw & clang=$$!; trap 'kill -- -$$clang 2>/dev/null || true' EXIT; \
	  ctest --preset release --parallel $$((2 * $(JOBS))); wait $$clang
	@tests/determinism.sh build/release/gw build/clang/gw

bench: ## Build and run the benchmarks: of the layers, then of whole runs, the HTTP server and the whole server
	@tools/setup.sh bench
	@tools/build.sh release gw gw-supervise gw_bench gw_spec_bench gw_forecast_bench gw_http_bench gw_engine_bench gw_sql_bench gw_physics_bench
	@build/release/bench/gw_bench
	@build/release/bench/gw_spec_bench
	@build/release/bench/gw_forecast_bench
	@build/release/bench/gw_physics_bench
	@build/release/bench/gw_sql_bench
	@build/release/gw_engine_bench
	@for script in bench/*.sh; do [[ ! -e $$script ]] || $$script build/release/gw; done

fuzz: ## Fuzz each reader for FUZZ_SECONDS (60) seconds
	@tools/setup.sh fuzz
	@tools/build.sh fuzz fuzzers
	@fuzz/run.sh build/fuzz $(FUZZ_SECONDS)

lint: ## Check format, clang-tidy (files changed since main; ALL=1 for all), spelling, shell scripts
	@tools/setup.sh lint
	@tools/lint.sh

coverage: ## Measure which lines the tests run
	@tools/setup.sh test coverage
	@tools/build.sh coverage
	@tools/build.sh coverage coverage

install: ## Install under PREFIX (/usr/local); DESTDIR is honoured
	@tools/setup.sh
	@tools/build.sh release gw gw-supervise gw_share gw_manual
	@cmake --install build/release --prefix $(PREFIX)

package: ## Make the .deb and the .tar.gz in build/release/packages
	@tools/setup.sh package
	@tools/build.sh release gw gw-supervise gw_share gw_manual
	@cd build/release && cpack

clean: ## Remove what was built
	@rm -rf build
