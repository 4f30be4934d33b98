# Two stages: the first makes a virtual environment, the second carries it and nothing that builds.
# The tag names one Python release; pin the digest as well with
#   --build-arg PYTHON_IMAGE=docker.io/library/python:3.11.14-slim-bookworm@sha256:...
ARG PYTHON_IMAGE=docker.io/library/python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_CONSTRAINT=/src/constraints.txt
WORKDIR /src
RUN python -m venv --without-pip /opt/extractor
# The dependencies first, so that a change of the code does not install them again.
COPY pyproject.toml constraints.txt ./
# The extras: the system's tesseract, and what the extra "queues" stands for (every broker, traces).
ARG EXTRAS="pytesseract amqp redis postgresql sqs telemetry"
RUN python -c 'import os, tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; print("\n".join(p["dependencies"] + [line for name in os.environ["EXTRAS"].split() for line in p["optional-dependencies"][name]]))' > requirements.txt \
    && python -m pip --python /opt/extractor/bin/python install --no-cache-dir --only-binary :all: -r requirements.txt
COPY README.md LICENSE ./
COPY configs ./configs
COPY fixtures/gold ./fixtures/gold
COPY models ./models
COPY extractor ./extractor
RUN python -m pip --python /opt/extractor/bin/python install --no-cache-dir --no-deps .

FROM ${PYTHON_IMAGE}
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="lifescience-extractor" \
      org.opencontainers.image.description="Life-science documents in, governed Delta tables out" \
      org.opencontainers.image.licenses="AGPL-3.0-or-later" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# The default OCR engine is the tesserocr wheel with the English data in models/. The tesseract program is here as well,
# for the engine named "tesseract" and for languages beyond English (add tesseract-ocr-LANG).
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tesseract-ocr=5.3.0-2 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 extractor \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin extractor
COPY --from=build /opt/extractor /opt/extractor
# One process per core: threads inside Tesseract cost four times the processor time. Nothing is written outside /tmp and
# the lake, so the root file system may be read-only. onnxruntime would send usage figures to its maker: switched off.
ENV PATH=/opt/extractor/bin:${PATH} \
    HOME=/tmp \
    OMP_THREAD_LIMIT=1 \
    ORT_DISABLE_TELEMETRY=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /data
# `extractor worker` answers /healthz, /readyz and /metrics here when telemetry.host is 0.0.0.0, and drains on SIGTERM.
EXPOSE 9464
STOPSIGNAL SIGTERM
# Most commands end by themselves, and their exit code is their health. Who runs a worker asks /healthz (deploy/).
HEALTHCHECK NONE
ENTRYPOINT ["extractor"]
CMD ["--help"]
