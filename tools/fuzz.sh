#!/usr/bin/env bash
# Runs every fuzz target of the module for the time given, 30s if none is. What
# a target finds is kept in its package's testdata/fuzz: it belongs into the
# commit that mends it.
set -eu
cd "$(dirname "$0")/.."
for_time=${1:-30s}

targets=$(grep -r --include='*_test.go' -o '^func Fuzz[A-Za-z0-9_]*' . | sed 's|/[^/]*_test.go:func | |' | sort)
count=$(wc -l <<<"$targets")
failed=0
n=0
while read -r package target; do
	n=$((n + 1))
	echo "$n/$count $package $target"
	go test -run '^$' -fuzz "^$target\$" -fuzztime "$for_time" "$package" || failed=$((failed + 1))
done <<<"$targets"
echo "$count targets, $failed of them failed"
exit $((failed > 0))
