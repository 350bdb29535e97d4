# The page with the API beside it. docs/proxies.md says how to run it, and .ci/rehearse.py rehearses
# what it rests on: the code read-only, another user, no home, and the server as process 1.

FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements.txt /tmp/
# With the packages' own tests: some packages need theirs to be imported.
RUN /opt/venv/bin/pip install -r /tmp/requirements.txt
COPY . /app
# Nobody may write them later, so they are compiled now.
RUN /opt/venv/bin/python -m compileall -q -j 0 /opt/venv/lib /app

FROM python:3.11-slim
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
RUN mkdir /data && chown 10001:10001 /data
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MARKET_PULSE_DATA=/data \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_SERVER_PORT=8501 \
    STREAMLIT_SERVER_HEADLESS=true
WORKDIR /app
USER 10001:10001
VOLUME /data
EXPOSE 8501
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"STREAMLIT_SERVER_PORT\"]}/readyz', timeout=2)"]
CMD ["python", "server.py"]
