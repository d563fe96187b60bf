# The commands of this project. Everything lands under target/; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help demo test bench soak fuzz

# Scripts and stories look for programs and data here, wherever the caller's own Cargo settings point.
export CARGO_TARGET_DIR := $(CURDIR)/target
STEP := tests/setup/step.sh

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Train, package, serve on port 9091 and watch on 8080, with a day to look at (PORT=, MLOPS_PORT=)
	@tests/setup/demo.sh

# One selection of crates for everything but the demo: another one unites features differently and compiles the world
# a second time. It has the plain binary that the stories run (tests/src/binary.rs).
BUILD := cargo build --release --workspace --bins --examples --tests

test: ## Bring up what is missing, then formatting, lints, unit tests, stories, doc tests
	@$(STEP) 'set-up' tests/setup/all.sh
	@$(STEP) 'formatting' cargo fmt --all --check
	@$(STEP) 'lints' cargo clippy --release --workspace --all-targets -- -D warnings
	@$(STEP) 'build' $(BUILD)
	@$(STEP) 'tests' cargo test --release --workspace
	@SECONDS_EACH=10 $(STEP) 'fuzzing' tests/setup/fuzz.sh
	@tests/setup/skipped.sh

bench: ## Measure against a bare server and Flask; writes docs/PERFORMANCE.md (about 25 minutes)
	@$(STEP) 'set-up' tests/setup/all.sh
	@$(STEP) 'set-up: load generator' tests/setup/debian.sh bench
	@$(STEP) 'build' $(BUILD)
	@$(STEP) 'bench' target/release/bench

soak: ## Kill the gateway under load ROUNDS times (1000 by default), and gateway, broker, agent and server in turn, and look for lost records
	@$(STEP) 'build' $(BUILD)
	ROUNDS=$(or $(ROUNDS),1000) cargo test --release --workspace --test stories -- --nocapture killed_under_load
	ROUNDS=$(or $(ROUNDS),50) cargo test --release --workspace --test stories -- --nocapture monitoring_kills

fuzz: ## Feed the decoders anything at all, SECONDS_EACH seconds each (60 by default)
	@$(STEP) 'fuzzing' tests/setup/fuzz.sh
