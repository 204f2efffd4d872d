#!/usr/bin/env bash
# Installs a missing part of the machine: install.sh compiler|vulkan|venv|strace
#
# On Debian and Ubuntu it asks apt-get, as root or through sudo. Elsewhere, and without the right to
# install, it says what is missing. Only a missing compiler or venv is an error: without a Vulkan
# driver everything still runs on the host, and without strace one test says that it was skipped.
set -euo pipefail

install() {
  local packages=("$@") root=()
  if ! command -v apt-get >/dev/null; then
    echo "no apt-get here: install what Debian calls ${packages[*]}" >&2
    return 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "as root: apt-get install ${packages[*]}" >&2; return 1; }
    root=(sudo)
  fi
  echo "installing ${packages[*]}"
  "${root[@]}" apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
}

# A Vulkan loader and at least one driver that it would find.
has_vulkan() {
  local drivers=(/usr/share/vulkan/icd.d/*.json /usr/local/share/vulkan/icd.d/*.json /etc/vulkan/icd.d/*.json)
  ldconfig -p 2>/dev/null | grep -q 'libvulkan\.so\.1' || return 1
  [ -n "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}" ] && return 0
  for driver in "${drivers[@]}"; do
    [ -e "$driver" ] && return 0
  done
  return 1
}

case "${1:-}" in
  compiler)
    command -v cargo >/dev/null || { echo "cargo is missing: install the Rust toolchain, for example with rustup" >&2; exit 1; }
    command -v cc >/dev/null || install gcc libc6-dev
    ;;
  vulkan)
    [ "$(uname -s)" = Linux ] || exit 0 # Metal and Direct3D come with the system
    has_vulkan || install mesa-vulkan-drivers libvulkan1 \
      || echo "no Vulkan driver: computing on the host only" >&2
    ;;
  venv)
    python3 -c 'import ensurepip, venv' 2>/dev/null || install python3 python3-venv
    ;;
  strace)
    [ "$(uname -s)" = Linux ] || exit 0
    command -v strace >/dev/null || install strace \
      || echo "no strace: system calls are not looked at" >&2
    ;;
  *)
    echo "usage: install.sh compiler|vulkan|venv|strace" >&2
    exit 2
    ;;
esac
