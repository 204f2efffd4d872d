#!/usr/bin/env bash
# The main job on a model in this repository that real Keras wrote: demo.sh KERAUNOS
#
# Loads it, predicts, compares with the predictions that Keras recorded, saves it, loads the saved
# file and compares again: on a GPU, a software GPU where there is no other, and on the host.
set -euo pipefail

keraunos=$1
model=tests/models/demo_cnn
work=target/demo
mkdir -p "$work"

run() {
  echo
  echo "\$ keraunos $*"
  "$keraunos" "$@"
}

# The device to show beside the host: a GPU, else the software adapter, else none.
gpu_device() {
  for device in gpu software; do
    if "$keraunos" predict "$model.keras" --inputs "$model.npz" --output "$work/probe.npz" \
      --device "$device" >/dev/null 2>&1; then
      echo "$device"
      return
    fi
  done
}

run adapters
run summary "$model.keras"
for device in $(gpu_device) host; do
  copy=$work/copy_$device.keras
  run predict "$model.keras" --inputs "$model.npz" --output "$work/$device.npz" --device "$device"
  run compare "$model.keras" --inputs "$model.npz" --expected "$model.npz" --device "$device"
  run convert "$model.keras" "$copy"
  run compare "$copy" --inputs "$model.npz" --expected "$model.npz" --device "$device"
done
