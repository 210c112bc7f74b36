"""Draws each dashboard from data that a Prometheus answers with. Not Grafana, and it says so."""
