# The hub's workers and console: docker build -t kraamzorg-waitlist-hub .
FROM python:3.11.14-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
RUN python -m venv /opt/hub
# The lock first: a change of the code leaves this layer as it is. Only files with the lock's hashes are taken.
COPY requirements-image.lock /tmp/
RUN /opt/hub/bin/pip install --require-hashes -r /tmp/requirements-image.lock

FROM python:3.11.14-slim-bookworm
LABEL org.opencontainers.image.title="kraamzorg-waitlist-hub" org.opencontainers.image.licenses="EUPL-1.2"
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin hub
COPY --from=build /opt/hub /opt/hub
# The code runs from its own tree, where schemas/ lies beside hub/ as it does in a clone.
WORKDIR /srv/hub
COPY LICENSE ./
COPY schemas ./schemas
COPY hub ./hub
ENV PATH=/opt/hub/bin:$PATH PYTHONPATH=/srv/hub PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001
ENTRYPOINT ["python", "-m", "hub"]
CMD ["run"]
