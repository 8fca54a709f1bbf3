# docker build -t imgcdn .
# docker run --rm -p 8000:8000 -v "$PWD/sample_images:/images:ro" imgcdn

FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python3 -m venv /build && python3 -m venv --without-pip /opt/imgcdn

# The dependencies alone first: a change of the code leaves this layer as it is.
COPY pyproject.toml constraints.txt ./
RUN python3 -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' \
        > requirements.txt \
    && /build/bin/pip install --constraint constraints.txt setuptools \
    && /build/bin/pip --python /opt/imgcdn/bin/python install --constraint constraints.txt --requirement requirements.txt

COPY README.md LICENSE ./
COPY imgcdn imgcdn
RUN /build/bin/pip wheel --no-deps --no-build-isolation --no-index --wheel-dir dist . \
    && /build/bin/pip --python /opt/imgcdn/bin/python install --no-deps --no-index dist/*.whl


FROM python:3.13-slim
# Two arenas: glibc's default of eight a core keeps memory of every thread a codec ever started.
ENV PATH="/opt/imgcdn/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    MALLOC_ARENA_MAX=2 \
    IMGCDN_BIND=0.0.0.0:8000 \
    IMGCDN_ROOT=/images \
    IMGCDN_CACHE_DIR=/cache
# Like /tmp, so that `--user` with an ID of your own can write there, too.
RUN mkdir --mode=1777 /cache
COPY --from=build /opt/imgcdn /opt/imgcdn
COPY deploy/healthcheck.py /opt/imgcdn/healthcheck.py
# Something to look at until a folder is mounted over it.
COPY sample_images /images

# A number, since Kubernetes' runAsNonRoot cannot tell whether a name is root.
USER 10001:10001
VOLUME /cache
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s CMD ["python3", "/opt/imgcdn/healthcheck.py"]
ENTRYPOINT ["imgcdn"]
CMD ["serve"]
