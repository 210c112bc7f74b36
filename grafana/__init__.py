"""Dashboards as code: `python -m grafana.generate` makes them, `python -m grafana.picture` draws them."""
