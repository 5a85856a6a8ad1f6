# syntax=docker/dockerfile:1
# One image for the web service and the worker (`python -m sync.jobs.worker`). It writes to /tmp alone, so the root may
# be read-only. How it is run where: deploy/README.md.
FROM python:3.13-slim-trixie AS build
RUN python -m venv /opt/venv
COPY requirements.txt /build/
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /build/requirements.txt

FROM python:3.13-slim-trixie
# A number, so that Kubernetes can see by itself that it is not root.
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin monitor
COPY --from=build /opt/venv /opt/venv
WORKDIR /srv
COPY app.py gunicorn.conf.py ./
COPY supabase/migrations/ supabase/migrations/
COPY sync/ sync/
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PORT=8080
USER 10001
EXPOSE 8080
# The worker has no port: switch this off for it, as compose.yaml does.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
CMD ["gunicorn", "-c", "gunicorn.conf.py", "app:create_app()"]
