# Tags, not digests: whoever builds decides where images come from, and the same image has another digest there. What is
# installed on top is locked by hashes in requirements/run.lock; nothing else is downloaded.
FROM python:3.13-slim AS build
RUN python -m venv --without-pip /opt/canary-operator
COPY requirements/run.lock /tmp/run.lock
RUN pip --python /opt/canary-operator/bin/python install --require-hashes --no-deps --no-cache-dir \
        --disable-pip-version-check --requirement /tmp/run.lock
# Copied, not built: a build backend would come with dependencies that no hash locks.
COPY canary_operator /opt/canary-operator/lib/python3.13/site-packages/canary_operator
RUN printf '%s\n' '#!/opt/canary-operator/bin/python' 'import sys' 'from canary_operator.cli import main' 'sys.exit(main())' \
        > /opt/canary-operator/bin/canary-operator \
 && chmod 755 /opt/canary-operator/bin/canary-operator \
 && /opt/canary-operator/bin/python -m compileall -q /opt/canary-operator/lib

FROM python:3.13-slim
# Everything is compiled already, and the root file system is read-only.
ENV PATH=/opt/canary-operator/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY --from=build /opt/canary-operator /opt/canary-operator
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["canary-operator"]
CMD ["run"]
