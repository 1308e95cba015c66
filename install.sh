#!/bin/sh
# Installs into .venv what `make run` or `make test` needs; called by the Makefile.
set -eu
python=${PYTHON:-python3}
bin=.venv/bin

lock() {  # names, versions and hashes only: where packages come from is the machine's business
    common="--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet"
    $bin/uv pip compile pyproject.toml --group build $common -o requirements.lock
    $bin/uv pip compile pyproject.toml --group build --group test $common -o requirements-test.lock
}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "Python 3.11 or newer is needed ('$python' is older or missing). Set PYTHON=/path/to/python3.11 and try again." >&2
    exit 1
fi
[ "${1:-}" = lock ] && { lock; exit; }

if [ ! -x $bin/python ] && ! "$python" -m venv .venv; then
    rm -rf .venv
    echo "Python's venv module is incomplete here. On Debian or Ubuntu: sudo apt-get install python3-venv" >&2
    exit 1
fi
case "${1:-run}" in
    run) locked=requirements.lock ;;
    test) locked=requirements-test.lock ;;
    *) echo "usage: sh install.sh run|test|lock" >&2; exit 2 ;;
esac

echo "Installing what \`make $1\` needs into .venv (once; about half a minute) ..."
$bin/python -m pip install --quiet --disable-pip-version-check uv 2>/dev/null || true
if [ -x $bin/uv ]; then
    $bin/uv pip install --quiet --compile-bytecode --python $bin/python --require-hashes -r $locked
    $bin/uv pip install --quiet --python $bin/python --no-deps --no-build-isolation -e .
else
    $bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $locked
    $bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
fi
$bin/python -m compileall -q matrix questionnaires scoring data reports dashboard  # the first start is the one people judge
if [ "$1" = test ]; then
    $bin/python tests/browser.py
    $bin/python tests/postgres.py
fi
