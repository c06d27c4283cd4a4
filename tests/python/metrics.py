"""Reads an exporter's metrics with the parser of Prometheus' own client, and prints the samples as JSON.

`metrics.py PORT`
"""

import json
import sys
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families

with urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/metrics", timeout=30) as page:
    assert page.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0"), page.headers
    text = page.read().decode()
families = list(text_string_to_metric_families(text))
assert all(family.documentation and family.type != "unknown" for family in families), text
print(json.dumps([[it.name, it.labels, it.value] for family in families for it in family.samples]))
