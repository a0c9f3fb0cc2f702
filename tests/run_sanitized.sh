#!/usr/bin/env bash
# The test suite on a build with AddressSanitizer and UndefinedBehaviorSanitizer: run_sanitized.sh PYTHON
# Leak detection is off: the interpreter keeps memory at exit on purpose; the project counts its own objects.
set -euo pipefail
python=$1
compiler=${CC:-cc}
export LD_PRELOAD="$("$compiler" -print-file-name=libasan.so) $("$compiler" -print-file-name=libubsan.so)"
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export PYTHONMALLOC=malloc
exec "$python" -m pytest -p no:cacheprovider --deselect tests/test_uv_abi.py
