# One image for every service: the command says which. Built from the locked, hashed requirements.
FROM python:3.13-slim AS build
WORKDIR /build
COPY requirements.lock requirements-build.lock ./
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements-build.lock \
    && /venv/bin/uv pip install --python /venv/bin/python --compile-bytecode --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY coldstart coldstart
COPY coldstart_client coldstart_client
COPY services services
COPY shared shared
COPY simulator simulator
COPY migrations migrations
RUN /venv/bin/uv pip install --python /venv/bin/python --compile-bytecode --no-deps --no-build-isolation .

FROM python:3.13-slim
COPY --from=build /venv /venv
RUN useradd --create-home --uid 10001 coldstart \
    && install --directory --owner coldstart --mode 700 /var/lib/coldstart/archive /var/lib/coldstart/router
USER coldstart
WORKDIR /home/coldstart
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
CMD ["coldstart", "--help"]
