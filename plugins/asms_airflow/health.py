"""``python -m asms_airflow.health HOST PORT [PART …]``: ask the web server whether Airflow's parts are healthy.

Exit code 0 when all are. It imports nothing of Airflow, so that a health check costs no seconds.
"""

import json
import sys
from collections.abc import Iterable
from http.client import HTTPConnection, HTTPException

PARTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")


def sick_parts(host: str, port: int, parts: Iterable[str] = PARTS) -> list[str]:
    """Those of ``parts`` that are not called healthy; all of them when the web server does not answer."""
    connection = HTTPConnection(host, port, timeout=10)
    try:
        connection.request("GET", "/api/v2/monitor/health")
        health = json.loads(connection.getresponse().read())
    except (OSError, HTTPException, ValueError):
        return list(parts)
    finally:
        connection.close()
    return [part for part in parts if (health.get(part) or {}).get("status") != "healthy"]


def main(arguments: list[str]) -> int:
    host, port, *parts = arguments
    sick = sick_parts(host, int(port), parts or PARTS)
    if sick:
        sys.stderr.write(f"not healthy: {', '.join(sick)}\n")
    return len(sick)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
