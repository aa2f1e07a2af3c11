#!/bin/sh
# `serve` (the default) makes the data directory on its first start; any other words go to the command line tool:
#   docker compose exec server provisioner ...      docker compose run --rm server token --help
set -eu

data="${PROVISIONER_DATA:-/data}"

if [ "${1:-serve}" = serve ] && [ -z "$(ls -A "$data" 2>/dev/null)" ]; then
    provisioner init
fi
exec provisioner "$@"
