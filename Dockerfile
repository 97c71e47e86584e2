# Tags, not digests: whoever builds decides where images come from, and the same image has another digest there. What is
# installed on top is locked by hashes in requirements/; nothing else is downloaded. Plain docker and buildkit read this.

# The environment of the operator, under /opt. The package is built to a wheel first, so that it is installed as by pip:
# with its commands, its version and its licence. What builds it stays in this stage.
FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements/build.lock requirements/run.lock requirements/
RUN pip install --require-hashes --no-deps --requirement requirements/build.lock \
 && python -m venv --without-pip /opt/canary-operator \
 && pip --python /opt/canary-operator/bin/python install --require-hashes --no-deps --no-compile \
        --requirement requirements/run.lock
COPY LICENSE README.md pyproject.toml ./
COPY canary_operator canary_operator
# Bytecode that is never compared with its source: whatever copies the layers may change times.
RUN python -m hatchling build --target wheel --directory dist \
 && pip --python /opt/canary-operator/bin/python install --no-index --no-deps --no-compile dist/*.whl \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/canary-operator/lib

# docker build --target sbom --output type=local,dest=dist .     (CycloneDX; docs/releasing.md says how without buildkit)
FROM build AS inventory
COPY requirements/sbom.lock requirements/
RUN pip install --require-hashes --no-deps --requirement requirements/sbom.lock \
 && cyclonedx-py environment --output-reproducible --output-file /src/sbom.cdx.json \
        /opt/canary-operator/bin/python

FROM scratch AS sbom
COPY --from=inventory /src/sbom.cdx.json /sbom.cdx.json

FROM python:3.13-slim
# The slim image has no bytecode of the standard library, and a root that cannot be written to would never get it: each
# start would compile it anew. Nothing is installed into a running operator.
RUN pip uninstall --yes --quiet --root-user-action ignore pip \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /usr/local/lib
ENV PATH=/opt/canary-operator/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY --from=build /opt/canary-operator /opt/canary-operator
ARG VERSION
ARG REVISION
ARG CREATED
LABEL org.opencontainers.image.title="canary-operator" \
      org.opencontainers.image.description="SLO-gated canary promotion for Argo Rollouts" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED"
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["canary-operator"]
CMD ["run"]
