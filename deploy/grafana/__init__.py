"""The boards of Grafana as code: `make boards` writes deploy/compose/grafana/dashboards."""
