#!/usr/bin/env bash
# Runs the tests on extension modules built with UVNET_SANITIZE=1 by GCC:
#   tests/run_sanitized.sh PYTHON [argument of pytest]...
# Fails when a test fails, or when any process of the run, subprocesses of tests too, has left a report.
set -euo pipefail

python=$1
shift
cd "$(dirname "$0")/.."

modules=$("$python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')/uvnet
if [ -z "$(find "$modules" -name '*.so')" ] ||
    [ -n "$(find "$modules" -name '*.so' -exec grep -L __asan_init {} +)" ]; then
    echo "the modules in $modules are not built with UVNET_SANITIZE=1" >&2
    exit 2
fi

# The interpreter is not instrumented, so nothing but the preload brings the runtimes in before our modules.
preload=
for runtime in libasan.so libubsan.so; do
    path=$("${CC:-cc}" -print-file-name="$runtime")
    if [ "$path" = "$runtime" ]; then
        echo "${CC:-cc} has no $runtime (it comes with GCC)" >&2
        exit 2
    fi
    preload="$preload${preload:+:}$(realpath "$path")"
done

# Reports go to files: what pytest or a test has captured is lost when the process is aborted.
reports=$PWD/build/sanitizer-reports
rm -rf "$reports"
mkdir -p "$reports"

# detect_leaks=0: neither CPython nor pytest frees everything at exit; the counters that the fixtures
# assert to be zero find ours.  handle_*=2: faulthandler would take the signals from the sanitizer.
export ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1:handle_segv=2:handle_sigbus=2:handle_sigill=2:handle_sigfpe=2:log_path=$reports/asan"
export UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1:log_path=$reports/ubsan"
# obmalloc would hide uses of freed memory inside its pools.
export PYTHONMALLOC=malloc

# Left out is what runs compilers, linters, other programs and many interpreters rather than our C code, and what is
# large and nothing else.
left_out=(
    tests/project/test_{bench,bench_load,cython_patterns,docs,docs_options,layers,rooms,rules_covered,typing,uv_abi,wheel}.py
    tests/attacks tests/cli tests/cluster tests/transports/programs tests/transports/test_large_exchanges.py
    tests/quic/interoperation tests/quic/test_{lossy_network,many}.py
)
status=0
LD_PRELOAD=$preload "$python" -m pytest --timeout=300 "${left_out[@]/#/--ignore=}" "$@" || status=$?

if [ -n "$(ls -A "$reports")" ]; then
    echo "=== sanitizer reports ===" >&2
    cat "$reports"/* >&2
    status=1
fi
exit "$status"
