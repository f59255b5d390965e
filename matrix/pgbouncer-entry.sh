#!/bin/sh
# Configures PgBouncer from the environment and becomes it: PGHOST, PGUSER and PGPASSWORD say what is
# behind it and how to log in, in front too; POOL_MODE is transaction unless it says otherwise.
set -eu
umask 077
folder=$(mktemp -d)
quoted() { printf '%s' "$1" | sed 's/"/""/g'; }
printf '"%s" "%s"\n' "$(quoted "$PGUSER")" "$(quoted "$PGPASSWORD")" >"$folder/users"
cat >"$folder/pgbouncer.ini" <<INI
[databases]
* = host=$PGHOST port=${PGPORT:-5432}
[pgbouncer]
listen_addr = *
listen_port = 6432
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $folder/users
pool_mode = ${POOL_MODE:-transaction}
max_client_conn = 300
# psycopg2 sends it; PgBouncer refuses startup parameters that it does not know.
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
INI
exec pgbouncer "$folder/pgbouncer.ini"
