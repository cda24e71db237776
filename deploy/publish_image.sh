#!/usr/bin/env bash
# Push an image of this checkout to a registry, as REGISTRY/source-polygon:VERSION. See --help.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'HELP'
usage: deploy/publish_image.sh [--dry-run] [--image=polygon-streaming] REGISTRY

Build the image of this checkout and push it to REGISTRY/source-polygon:VERSION, where REGISTRY is
such as ghcr.io/you and VERSION is what the file of that name says. Log in first:
docker login ghcr.io

A version is pushed once. Where the registry has it already, nothing is pushed: that is fine if it
is this very image, and an error if it is another one.

  --dry-run   ask the registry, and say what would be done
  --image     source-polygon, the connector, or polygon-streaming, the streaming commands
  BASE_IMAGE  environment: another base than the Dockerfile's
HELP
}

dry_run=
image=source-polygon
registry=
for argument; do
    case $argument in
        -h | --help) usage; exit 0 ;;
        --dry-run) dry_run=yes ;;
        --image=source-polygon | --image=polygon-streaming) image=${argument#--image=} ;;
        --image=*) echo "publish: there is no image ${argument#--image=}" >&2; exit 2 ;;
        -*) echo "publish: there is no option $argument" >&2; usage >&2; exit 2 ;;
        *) registry=${argument%/} ;;
    esac
done
if [[ -z $registry ]]; then
    echo "publish: no registry is given: make publish-image REGISTRY=ghcr.io/you" >&2
    exit 2
fi
if ! docker version >/dev/null 2>&1; then
    echo "publish: no Docker engine answers. Start one, or set DOCKER_HOST." >&2
    exit 1
fi

version=$(<VERSION)
name=$registry/$image:$version
dockerfile=Dockerfile
[[ $image == polygon-streaming ]] && dockerfile=streaming/Dockerfile
# A registry on this machine may do without TLS, as docker push allows as well.
insecure=()
[[ ${registry%%[:/]*} == 127.0.0.1 || ${registry%%[:/]*} == localhost ]] && insecure=(--insecure)

# What the registry has, with all its digests; empty if it has no such version.
error=$(mktemp)
trap 'rm -f "$error"' EXIT
if ! published=$(docker manifest inspect --verbose "${insecure[@]}" "$name" 2>"$error"); then
    published=
    if ! grep -qi -e "no such manifest" -e "manifest unknown" -e "not found" "$error"; then
        echo "publish: the registry does not answer for $name: $(cat "$error")" >&2
        exit 1
    fi
fi

if [[ -n $dry_run && -z $published ]]; then
    echo "Would build the image and push it as $name, which the registry does not have."
    echo "Dry run, nothing was changed."
    exit 0
fi

docker build ${BASE_IMAGE:+--build-arg BASE_IMAGE="$BASE_IMAGE"} \
    --build-arg VERSION="$version" --file "$dockerfile" --quiet --tag "$name" . >/dev/null
id=$(docker image inspect --format '{{.Id}}' "$name")
# An engine calls an image by the digest of its configuration, or by that of its manifest.
if [[ $published == *"$id"* ]]; then
    echo "$name is there already, and is this image ($id). Nothing to do."
elif [[ -n $published ]]; then
    echo "publish: $name is there already, and is not this image ($id)." >&2
    echo "A version is never overwritten. Raise it: make version TO=X.Y.Z" >&2
    exit 1
else
    echo "Pushing $name ($id)"
    docker push --quiet "$name"
fi
