#!/usr/bin/env bash
# The hostile set (T-0) and the entries of the fuzz targets on a target of 32 bits, where a size beyond 2^32
# does not fit an index: built for i686 with musl, which Rust links without a system's libraries, and run
# here. Needs rustup and a kernel that runs programs of 32 bits; has a target folder of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
target=i686-unknown-linux-musl
rustup target add "$target"
folder=target/narrow
mkdir -p "$folder"
# musl has in one library what others have in two.
ar crs "$folder/libdl.a"
lld=$(find "$(rustc --print sysroot)" -name rust-lld | head -1)
printf '#!/bin/sh\nexec %s "$@" -L %s\n' "$lld" "$PWD/$folder" >"$folder/rust-lld"
chmod +x "$folder/rust-lld"
export CARGO_TARGET_I686_UNKNOWN_LINUX_MUSL_LINKER="$PWD/$folder/rust-lld"
exec cargo test --no-default-features --target "$target" --target-dir "$folder" \
  --test hostile --test fuzzed "$@"
