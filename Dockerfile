# The server's image: dependencies, model and code in a layer each. `make image` builds it and says what is in it.
ARG BASE=docker.io/library/python:3.11-slim

FROM ${BASE} AS dependencies
COPY requirements/serve.txt /tmp/serve.txt
# The lock is complete, so nothing is resolved; wheels only, so nothing is compiled.
RUN --mount=type=secret,id=certificates \
    if [ -f /run/secrets/certificates ]; then export PIP_CERT=/run/secrets/certificates; fi \
    && python3 -m venv --without-pip /opt/venv \
    && python3 -m pip --python /opt/venv/bin/python install --no-cache-dir --disable-pip-version-check \
       --only-binary=:all: --no-deps --require-hashes --requirement /tmp/serve.txt

FROM ${BASE} AS code
COPY bento /app/bento
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /app/bento

FROM ${BASE}
COPY --from=dependencies /opt/venv /opt/venv
COPY .valence/image/model /app/model
COPY --from=code /app /app
# An image is one model: it shows this version, and serves this digest and no other.
ARG MODEL_VERSION
ARG MODEL_DIGEST
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    VALENCE_MODEL=/app/model \
    VALENCE_MODEL_VERSION=${MODEL_VERSION} \
    VALENCE_MODEL_DIGEST=${MODEL_DIGEST}
WORKDIR /app
USER 10001:10001
EXPOSE 3000
ENTRYPOINT ["python", "-m", "bento.serve", "--host", "0.0.0.0", "--port", "3000"]
