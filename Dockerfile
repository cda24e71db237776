# The connector as Airbyte runs it:
#   docker build --tag airbyte/source-polygon:dev .

# Airbyte's base for Python connectors (Python 3.13, user `airbyte`), by digest because a tag can
# move. metadata.yaml names the same one.
ARG BASE_IMAGE=docker.io/airbyte/python-connector-base:4.1.0@sha256:1d1aa21d34e851df4e8a87b391c27724c06e2597608e7161f4d167be853bd7b6
# For the labels, which can read no file. The build fails where the package says otherwise.
ARG VERSION=0.1.0

FROM ${BASE_IMAGE} AS builder
ARG VERSION
USER root
WORKDIR /build

# What compiles flat files' way to messages; the base has Python's headers.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*

# The locked requirements come before our code, so that a change of the code does not fetch them
# again. They go into an environment of their own, which is copied whole: what only the build needs,
# and the base's own packages, cannot get into it. The tests of pandas and others are not needed.
COPY requirements/source.txt requirements/build.txt requirements/
RUN python3 -m venv --without-pip /opt/source-polygon \
    && python3 -m pip --python /opt/source-polygon install --no-cache-dir --no-compile --no-deps \
        --require-hashes --requirement requirements/source.txt \
    && find /opt/source-polygon -type d -name tests -prune -exec rm -r {} + \
    && python3 -m venv tools \
    && tools/bin/pip install --no-cache-dir --no-deps --require-hashes \
        --requirement requirements/build.txt

COPY LICENSE README.md VERSION pyproject.toml ./
COPY source-polygon source-polygon
# The command's first run leaves the bytecode of what a run imports. Nobody can write it later, and
# starting takes twice as long without; the bytecode of everything would be six times as large.
RUN tools/bin/hatchling build --target wheel \
    && python3 -m pip --python /opt/source-polygon install --no-cache-dir --no-compile --no-deps \
        --no-index dist/*.whl \
    && /opt/source-polygon/bin/python -B -c 'from source_polygon.streams.flat import _speedups' \
    && test "$(/opt/source-polygon/bin/source-polygon --version)" = "source-polygon ${VERSION}"

FROM ${BASE_IMAGE}
ARG BASE_IMAGE
ARG VERSION
LABEL io.airbyte.name="airbyte/source-polygon" \
      io.airbyte.version="${VERSION}" \
      org.opencontainers.image.title="source-polygon" \
      org.opencontainers.image.description="Airbyte source for Polygon.io (Massive.com)" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.base.name="${BASE_IMAGE}"
COPY --from=builder /opt/source-polygon /opt/source-polygon
# The platform runs AIRBYTE_ENTRYPOINT, `docker run` the ENTRYPOINT. The path is absolute because
# the platform changes the working directory.
ENV AIRBYTE_ENTRYPOINT="/opt/source-polygon/bin/source-polygon"
WORKDIR /airbyte
USER airbyte
ENTRYPOINT ["/opt/source-polygon/bin/source-polygon"]
