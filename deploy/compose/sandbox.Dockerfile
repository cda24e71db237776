# The made-up market, for trying out.
FROM python:3.13-slim-bookworm
COPY sandbox /sandbox
RUN pip install --no-cache-dir /sandbox
USER 10001:10001
ENTRYPOINT ["polygon-sandbox"]
