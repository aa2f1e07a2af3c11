#!/bin/sh
# Start Kamailio in its container.  Options (-A WITH_PRES ...) may be given as arguments.
set -eu

if [ -z "${PBX_TOKEN:-}" ]; then
    echo "PBX_TOKEN is empty: make a PBX token on the server and write it into .env" >&2
    exit 1
fi

run=/run/kamailio
tables=/usr/share/kamailio/db_sqlite

# An empty scratch database at every start: 5.6.3 crashes when sca finds subscriptions of its last life.
rm -f "$run/scratch.sqlite"
cat "$tables/standard-create.sql" "$tables/presence-create.sql" "$tables/sca-create.sql" \
    | sqlite3 "$run/scratch.sqlite"

exec kamailio -DD -E -f /etc/kamailio/provisioner/kamailio.cfg -w "$run" -Y "$run" -m 256 -M 64 "$@"
