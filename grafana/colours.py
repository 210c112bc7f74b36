"""One colour for one meaning, on every dashboard: names of Grafana's palette."""

GOOD, WARN, BAD = "green", "orange", "red"
PLAIN = "text"  # no judgement

SENTIMENT = {"positive": "green", "neutral": "#8e8e8e", "negative": "red"}
SLO = {"availability": "blue", "latency-100ms": "purple", "latency-300ms": "super-light-purple"}
QUANTILE = {"p50": "light-blue", "p95": "blue", "p99": "dark-blue"}
STAGE = {"tokenise": "yellow", "wait for a lane": "orange", "model": "blue", "whole request": "#8e8e8e"}
COMPARED = {"training": "#8e8e8e", "now": "blue"}
