# One image for every Airflow service. Built from the same lock as `make setup`.
FROM python:3.13-slim

RUN useradd --create-home --uid 10001 asms \
    && install -d -o asms -g asms -m 0700 /var/lib/asms /var/lib/asms-drop

WORKDIR /opt/asms
COPY requirements.lock ./
RUN pip install --no-cache-dir uv \
    && uv pip install --system --no-cache --no-deps --require-hashes --compile-bytecode -r requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY include ./include
COPY plugins ./plugins
COPY dags ./dags
COPY dbt_project ./dbt_project
COPY expectations ./expectations
RUN uv pip install --system --no-cache --no-deps --editable .

USER asms
ENTRYPOINT ["python", "-m", "asms_airflow.run"]
CMD ["version"]
