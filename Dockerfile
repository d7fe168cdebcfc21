# One image trains and serves. The arguments of `docker run … regulars` are those of the command `regulars`:
#
#   docker build -t regulars .
#   docker run --rm -v regulars:/var/lib/regulars -v "$PWD/data:/data:ro" regulars \
#       train --purchases /data/purchases.parquet
#   docker run -p 8000:8000 -v regulars:/var/lib/regulars -e REGULARS_API_KEY=… -e REGULARS_UNASKED=allow regulars

FROM python:3.13-slim AS build
WORKDIR /build
RUN python -m venv /opt/regulars
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY regulars.py ./
COPY models models
COPY service service
COPY training training
# Install wheels only: if one is missing, the build ends here instead of asking for a compiler.
RUN /opt/regulars/bin/python -m pip install --no-cache-dir --only-binary :all: -c constraints.txt '.[training,postgres,telemetry]'

FROM python:3.13-slim
# The wheel of implicit needs the OpenMP runtime of the system.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home regulars \
    && install --directory --owner regulars --group regulars /var/lib/regulars /var/lib/regulars/registry
COPY --from=build /opt/regulars /opt/regulars
ENV PATH=/opt/regulars/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    REGULARS_HOST=0.0.0.0 \
    REGULARS_PORT=8000 \
    REGULARS_REGISTRY=/var/lib/regulars/registry
RUN python -c "import implicit, service, training"
USER regulars
VOLUME /var/lib/regulars
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['REGULARS_PORT'] + '/healthz', timeout=2)"]
ENTRYPOINT ["regulars"]
CMD ["serve"]
