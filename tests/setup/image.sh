#!/usr/bin/env bash
# image.sh BINARY FOLDER: builds the image of the Dockerfile around a binary that is there already, and unpacks it: FOLDER/root is its
# root folder, FOLDER/config.json its settings. The stages that compile are not run, for no base image is needed; the last
# one is the Dockerfile's own.
. "$(dirname "$0")/lib.sh"
binary=$1
folder=$(realpath -m "$2")
mkdir -p "$folder"
store=$(mktemp -d "$folder/store.XXXXXX")
trap 'rm -rf "$store"' EXIT
build() { buildah --storage-driver vfs --root "$store/images" --runroot "$store/run" "$@"; }

"$root/containers/root.sh" "$binary" "$store/laid-out"
build build --quiet --isolation chroot --build-context "root=$store/laid-out" --tag outpost "$root" > /dev/null
build inspect --type image outpost > "$folder/config.json"
container=$(build from outpost)
rm -rf "$folder/root"
cp -a "$(build mount "$container")" "$folder/root"
build rm "$container" > /dev/null
