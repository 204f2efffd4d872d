#!/usr/bin/env bash
# Adds up the summaries of a cargo test log: total.sh LOG STARTED (seconds since the epoch)
set -euo pipefail
awk -v seconds=$(($(date +%s) - $2)) '
  /^test result:/ { passed += $4; failed += $6; skipped += $8 }
  END {
    printf "\nall checks took %d s\n", seconds
    printf "%d passed, %d failed%s\n", passed, failed, skipped ? ", " skipped " skipped" : ""
    exit passed == 0
  }' "$1"
