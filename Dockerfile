# One image for every program of the portal; compose.yaml says which one a container runs.
FROM python:3.11-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends g++ cmake make && rm -rf /var/lib/apt/lists/*
WORKDIR /portal
COPY Makefile requirements.txt constraints.txt ./
RUN make .venv/.runs

FROM python:3.11-slim
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 portal
WORKDIR /portal
COPY --from=build /portal/.venv .venv
COPY --chown=portal . .
RUN mkdir -p var/models var/workshop && chown -R portal var
USER portal
ENV PATH=/portal/.venv/bin:$PATH PYTHONUNBUFFERED=1
CMD ["uvicorn", "eyecare.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--workers", "2"]
