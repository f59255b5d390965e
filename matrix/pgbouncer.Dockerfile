# PgBouncer as Debian has it, and psql to ask it whether it works, for docker-compose.yml. BASE is any
# image of Debian.
ARG BASE=debian:trixie-slim
FROM ${BASE}
RUN apt-get update -q \
    && DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends pgbouncer postgresql-client \
    && rm -rf /var/lib/apt/lists/*
COPY matrix/pgbouncer-entry.sh /usr/local/bin/
# Debian's package makes this user, as whom its own service runs.
USER postgres
EXPOSE 6432
CMD ["sh", "/usr/local/bin/pgbouncer-entry.sh"]
