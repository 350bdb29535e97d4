#!/bin/sh
# Starts the broker with redis.conf and the users of users.acl beside it; arguments are added to its
# configuration. The server is given the digests of passwords, never a password.
set -eu
here=$(dirname "$0")
users=${TMPDIR:-/tmp}/users.acl
umask 077

digest() {
    printf %s "$1" | sha256sum | cut -d " " -f 1
}

: "${MARKET_PULSE_REDIS_PASSWORD:?is missing: the password of the user pulse}"
viewer=${REDIS_VIEWER_PASSWORD:-}
sed -e "/^user pulse /s/>PASSWORD/#$(digest "$MARKET_PULSE_REDIS_PASSWORD")/" \
    -e "/^user viewer /s/on >PASSWORD/${viewer:+on #$(digest "$viewer")}/" \
    "$here/users.acl" >"$users"
# Nobody has to know them any more.
unset MARKET_PULSE_REDIS_PASSWORD REDIS_VIEWER_PASSWORD

server=$(command -v valkey-server || command -v redis-server)
exec "$server" "$here/redis.conf" --aclfile "$users" "$@"
