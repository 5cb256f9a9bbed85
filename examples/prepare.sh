# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# What the examples' scripts share; sourced from the repository's root, with `out` set to the example's folder below build/.
towerc=build/release/bin/towerc

say() { echo "== $*"; }
# Whether file $1 has to be made: it is not there, or one of the others is newer.
stale() {
  local file=$1 source
  shift
  [ -e "$file" ] || return 0
  for source in "$@"; do
    [ ! "$source" -nt "$file" ] || return 0
  done
  return 1
}
# Run a command quietly; show what it said if it fails.
quietly() {
  if ! "$@" >"$out/log" 2>&1; then
    tail -n 40 "$out/log" >&2
    echo "error: failed: $*" >&2
    exit 1
  fi
}
build_towerc() {
  ./test/install-packages
  [ -e build/release/build.ninja ] || quietly cmake --preset release
  if ! cmake --build --preset release --target towerc -- -n | grep -q 'no work to do'; then
    say "building towerc (preset release)"
    quietly cmake --build --preset release --target towerc -j "$(nproc)"
  fi
}
# import_data SCHEMA DATA FILE...: the dataset from a schema and the files that it names, which lie in $out.
import_data() {
  local schema=$1 data=$2
  shift 2
  if stale "$data/schema.json" "$schema" "$@"; then
    say "importing"
    cp "$schema" "$out/"
    "$towerc" data import "$out/$(basename "$schema")" --out "$data"
  fi
}
# measure_mi DATA ENTITY: what masks of correlated features need.
measure_mi() {
  local data=$1 entity=$2
  if stale "$data/$entity/mi.json" "$data/schema.json"; then
    say "measuring mutual information"
    "$towerc" data mi "$data"
  fi
}
# compile MODEL: build EXAMPLE/MODEL.txtpb. An executable that comes out the same keeps its date, and so its checkpoint.
compile() {
  local model=$1
  if stale "$out/$model.compiled" "$towerc" "$example/$model.txtpb" "$data/schema.json"; then
    say "compiling $model"
    "$towerc" "$example/$model.txtpb" --data "$data" -o "$out/$model.new"
    if cmp -s "$out/$model.new" "$out/$model"; then rm "$out/$model.new"; else mv "$out/$model.new" "$out/$model"; fi
    touch "$out/$model.compiled"
  fi
}
# recommend MODEL QUERY FLAG...: what the model's best checkpoint answers.
recommend() {
  "$out/$1" recommend --data "$data" --checkpoint "$out/$1.best.safetensors" --query "$2" -k 10 "${@:3}"
}
# train_and_evaluate MODEL FLAG...: with the flags for evaluate. Nothing is done twice.
train_and_evaluate() {
  local model=$1 split result start
  shift
  if stale "$out/$model.seconds" "$out/$model" "$data/schema.json" "$data"/*/mi.json; then
    say "training $model"
    start=$(date +%s)
    "$out/$model" train --data "$data" --checkpoint "$out/$model.safetensors" --overwrite \
      --metrics "$out/$model-metrics"
    echo $(($(date +%s) - start)) >"$out/$model.seconds"
  fi
  for split in validation test; do
    result=$out/$model.$split.json
    if stale "$result" "$out/$model.seconds"; then
      say "evaluating $model on the $split fold"
      "$out/$model" evaluate --data "$data" --checkpoint "$out/$model.best.safetensors" --split "$split" "$@" --json \
        >"$result.new"
      mv "$result.new" "$result"
    fi
  done
}
