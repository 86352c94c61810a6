# The gateway with the Claude Code CLI, as a container: docs/containers.md.
#
#   docker build --tag claudecode2api .
#   docker build --tag claudecode2api --build-arg CLAUDE_VERSION=2.1.330 .

# A Debian with Python 3.11 or newer. One of yours can add the certificates of your network.
ARG BASE=docker.io/library/debian:trixie-slim
# Only npm is used of it, to fetch the CLI.
ARG NODE=docker.io/library/node:24-slim

# --- The CLI. npm checks it against the registry's checksum. ---
FROM ${NODE} AS claude
ARG CLAUDE_VERSION=2.1.330
WORKDIR /claude
RUN npm pack --silent "@anthropic-ai/claude-code-linux-$(node -p process.arch)@${CLAUDE_VERSION}" \
    && tar -xzf ./*.tgz --strip-components=1 \
    && rm ./*.tgz

# --- What jobs use, beside the gateway. ---
FROM ${BASE} AS tools
# More of Debian's packages for your projects, such as "build-essential nodejs".
ARG PACKAGES=""
# Debian has one version of a package at a time: a build with a pinned one fails after an update.
# PACKAGES is a list.
# hadolint ignore=DL3008,SC2086
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        ca-certificates curl git jq openssh-client procps python3 ripgrep tini ${PACKAGES} \
    && rm -rf /var/lib/apt/lists/*

# --- The gateway's packages. ---
FROM tools AS packages
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/*
COPY requirements.txt /
RUN python3 -m venv /opt/claudecode2api/venv \
    && /opt/claudecode2api/venv/bin/pip install --no-cache-dir --requirement /requirements.txt \
    && /opt/claudecode2api/venv/bin/pip uninstall --yes pip

FROM tools
COPY --from=claude /claude/claude /usr/local/bin/claude
COPY --from=packages /opt/claudecode2api/venv /opt/claudecode2api/venv
COPY gunicorn.conf.py requirements.txt /opt/claudecode2api/
COPY scripts/claudecode2api /opt/claudecode2api/scripts/
COPY vendored /opt/claudecode2api/vendored
COPY console/dist /opt/claudecode2api/console/dist
COPY app /opt/claudecode2api/app
# The code is root's: no job can change it. The three folders are for volumes. Any user of group 0
# can write there, so the container also runs as a user that has no name (OpenShift). Projects may
# belong to another user of the host; git would refuse to read them.
RUN python3 -m compileall -q /opt/claudecode2api/app \
    && ln -s /opt/claudecode2api/scripts/claudecode2api /usr/local/bin/ \
    && useradd --uid 1000 --gid 0 --home-dir /home/claude --no-create-home claude \
    && install --directory --owner=1000 --group=0 --mode=2770 \
        /home/claude /var/lib/claudecode2api /projects \
    && git config --system --add safe.directory '*'

# 0.0.0.0 is the container's own address; what is published decides who reaches it.
# The CLI is replaced with the image. Workers' heartbeats are in memory.
ENV HOME=/home/claude \
    LANG=C.UTF-8 \
    HOST=0.0.0.0 \
    PORT=9876 \
    STATE_DIR=/var/lib/claudecode2api \
    RUNTIME_DIRECTORY=/dev/shm \
    CLAUDE_PATH=/usr/local/bin/claude \
    DISABLE_AUTOUPDATER=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 1000:0
WORKDIR /projects
EXPOSE 9876
STOPSIGNAL SIGTERM
# In the shell's form, for PORT.
# hadolint ignore=DL3025
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD curl --fail --silent --show-error --noproxy '*' --output /dev/null "http://127.0.0.1:${PORT}/ready"
# tini adopts the processes that jobs leave, and reaps them. Only the gateway gets its signals.
ENTRYPOINT ["tini", "--"]
CMD ["claudecode2api", "serve"]
