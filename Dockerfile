# One image for web, worker and beat; the command chooses. Build: `docker build -t trading-platform .`
FROM node:24-bookworm-slim AS assets
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund

FROM python:3.11-slim-bookworm
ENV PYTHONUNBUFFERED=1 PATH=/app/.venv/bin:$PATH HOST=0.0.0.0 DATA_DIR=/data DOTENV_PATH=/data/.env
WORKDIR /app
RUN pip install --no-cache-dir uv==0.13.9 \
 && useradd --create-home --uid 10001 platform \
 && install -d -o platform /data
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --no-python-downloads --compile-bytecode
COPY . .
COPY --from=assets /app/node_modules/lightweight-charts/dist/lightweight-charts.standalone.production.js \
     /app/node_modules/lightweight-charts/LICENSE static/vendor/lightweight-charts/
COPY --from=assets /app/node_modules/uplot/dist/uPlot.iife.min.js /app/node_modules/uplot/dist/uPlot.min.css \
     /app/node_modules/uplot/LICENSE static/vendor/uplot/
USER platform
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD python -c "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ.get(\"PORT\", 8000)}/healthz', timeout=2)"
CMD ["python", "manage.py", "web"]
