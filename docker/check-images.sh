#!/usr/bin/env bash
# Build both images with Buildah and start each once: the way to try them where no Docker engine runs.
#
#   sudo docker/check-images.sh                base images from the registry
#   sudo docker/check-images.sh --local-base   base images made from Debian's packages (mmdebstrap); no registry is asked
#
# Needs Debian's packages buildah and curl, and mmdebstrap for --local-base. Everything it makes is gone at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

work="$(mktemp -d)"
server_port=28088
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
server=
where=(--root "$work/store" --runroot "$work/run")
buildah() { command buildah "${where[@]}" "$@"; }
stop() { # the server has a process group of its own
    if [ -n "$server" ]; then kill -TERM -- "-$server" 2> /dev/null || true; wait "$server" 2> /dev/null || true; server=; fi
}
trap 'stop; buildah rm --all > /dev/null 2>&1 || true; rm -rf "$work"' EXIT
say() { printf '\n== %s\n' "$*"; }

pull=(--pull)
if [ "${1:-}" = --local-base ]; then
    pull=(--pull-never --volume /etc/ssl/certs:/etc/ssl/certs:ro)
    base() { # name, packages
        say "base image $1 from Debian's packages"
        mmdebstrap --quiet --variant=minbase --include="$2" bookworm "$work/base.tar"
        container="$(buildah from scratch)"
        buildah add -q "$container" "$work/base.tar" / > /dev/null
        if [ -f /etc/pip.conf ]; then buildah add -q "$container" /etc/pip.conf /etc/pip.conf > /dev/null; fi
        buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
        buildah commit -q --rm "$container" "docker.io/library/$1" > /dev/null
    }
    base python:3.11-slim-bookworm python3,python3-venv,python3-pip,python-is-python3,ca-certificates
    base debian:bookworm-slim ca-certificates
fi

say "server image"
buildah bud -q "${pull[@]}" --format docker --ignorefile docker/Dockerfile.dockerignore -t provisioner -f docker/Dockerfile . > /dev/null
say "Kamailio image"
buildah bud -q "${pull[@]}" --format docker -t provisioner-kamailio docker/kamailio > /dev/null

say "the server starts on an empty volume and becomes healthy"
container="$(buildah from --pull-never localhost/provisioner)"
settings=(--env PROVISIONER_PUBLIC_HOST=provisioning.example.test --env "PROVISIONER_ADMIN_PORT=$server_port"
    --env PROVISIONER_HTTPS_PORT=28443 --env PROVISIONER_HTTP_PORT=28080)
setsid buildah "${where[@]}" run "${settings[@]}" "$container" -- sh /opt/provisioner/entrypoint.sh serve &
server=$!
for _ in $(seq 60); do
    if buildah run "${settings[@]}" "$container" -- python /opt/provisioner/healthcheck.py 2> /dev/null; then break; fi
    sleep 1
done
buildah run "${settings[@]}" "$container" -- python /opt/provisioner/healthcheck.py
status="$(curl --silent --insecure --output /dev/null --write-out '%{http_code}' https://127.0.0.1:28443/p/000413AABBCC.xml)"
[ "$status" = 401 ] || { echo "a stranger's phone got $status, not 401" >&2; exit 1; }
buildah run "$container" -- sh -c '[ "$(id -u)" = 10001 ] && ! touch /app/x 2> /dev/null'
echo "healthy; a stranger's phone gets 401; runs as an account that cannot change the program"

stop

say "Kamailio takes the reference configuration"
container="$(buildah from --pull-never localhost/provisioner-kamailio)"
buildah run --env PBX_TOKEN=none --volume "$PWD/docker/kamailio/kamailio.cfg:/etc/kamailio/provisioner/kamailio.cfg:ro" \
    --volume "$PWD/docker/kamailio/site.cfg:/etc/kamailio/provisioner/site.cfg:ro" \
    "$container" -- kamailio -c -f /etc/kamailio/provisioner/kamailio.cfg

say "both images are good"
