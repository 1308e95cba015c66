# Two commands do everything: `make run` and `make test`.
.PHONY: run test lint bench soak demo lock
BIN := .venv/bin

run: .stamp-run
	@$(BIN)/pomey

test: .stamp-test lint
	@$(BIN)/python -m pytest -n 2 --dist loadfile

lint: .stamp-test
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

bench: .stamp-test
	@$(BIN)/python benchmarks/run.py

soak: .stamp-test
	@$(BIN)/python -m pytest --soak

demo: .stamp-run
	@$(BIN)/pomey demo

lock: .stamp-test
	@sh install.sh lock

.stamp-run: requirements.lock pyproject.toml install.sh
	@sh install.sh run && touch $@

.stamp-test: requirements-test.lock pyproject.toml install.sh
	@sh install.sh test && touch $@ .stamp-run
