# hob's own commands. `make demo` shows it, `make test` tests it; both do all the set-up that they need.

.DEFAULT_GOAL := help
.PHONY: help demo test chaos lint deny bench endurance engines ci install clean

HOB := target/release/hob

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Build hob and run the shop: live on a terminal, a tour that ends without one
	@scripts/engine
	cargo build --release --locked
	@scripts/base-images debian
	@if [ -t 0 ] && [ -t 1 ]; then exec $(HOB) up; else HOB=$(HOB) exec scripts/tour; fi

# Tests that need one more program are left out where it is not named; docs/testing.md.
SKIPPED := $(if $(HOB_BUILDX),,--skip inputs::tests::engine::) $(if $(HOB_COMPOSE),,--skip docker_compose_lists --skip lists_are_those_of_docker_compose)

test: ## All tests, on the engine that answers
	@scripts/engine
	@scripts/base-images
	cargo test --locked -- --include-ignored $(SKIPPED)
	@if command -v qemu-aarch64 >/dev/null; then HOB_AGENT_ARCH=aarch64 cargo test --locked --test agent -- --skip containers::; \
	else echo "the agent for aarch64: not tested, qemu-aarch64 (qemu-user) is not installed"; fi

chaos: ## Kills, faults and edits at random on the engine that answers; docs/testing.md has the seeds
	@scripts/engine
	@scripts/base-images
	HOB_CASES=$${HOB_CASES:-20} HOB_KILLS=$${HOB_KILLS:-5} HOB_SEED=$${HOB_SEED:-1} \
	  cargo test --locked --test scenarios -- --include-ignored --nocapture --test-threads 1 kills:: chaos:: equal:: git::

lint: ## Format, clippy
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings

deny: ## Licences, duplicates and sources of the dependencies
	scripts/deny

bench: ## hob beside Docker Compose, where it is there: half an hour; docs/benchmarks.md has the parts
	@scripts/engine
	cargo build --profile dist --locked
	@status=0; for part in config builds saves; do scripts/bench/$$part || status=1; done; exit $$status

SECONDS ?= 3600

endurance: ## An hour of a session beside all that can hold it; SECONDS=600 for less
	@scripts/engine
	cargo build --release --locked
	@scripts/base-images busybox
	@scripts/endurance $(HOB) --seconds $(SECONDS)

ON_ENGINE := scripts/base-images && cargo test --locked

engines: ## The tests that need an engine, on a newer one, with each of its image stores
	@if [ "$$(id -u)" != 0 ]; then echo "engines: skipped: needs root"; exit 0; fi; \
	scripts/engines/with --containerd-images sh -c '$(ON_ENGINE) --test engine --test scenarios --test agent -- --include-ignored $(SKIPPED)' && \
	scripts/engines/with sh -c '$(ON_ENGINE) --test engine --test agent -- --include-ignored'

ci: lint deny test engines ## What CI runs

install: ## Install hob for this user
	cargo install --locked --profile dist --path .

clean: ## Remove what was built
	cargo clean
