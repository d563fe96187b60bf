"""Writes one monitoring record of each kind with the public `datarobot-mlops` package.

    write_rabbitmq.py URL QUEUE

Prints the kinds in the order in which they were reported, one a line.
"""

import os
import sys

url, queue = sys.argv[1:]
os.environ.update(
    MLOPS_DEPLOYMENT_ID="ward",
    MLOPS_MODEL_ID="model",
    MLOPS_SPOOLER_TYPE="RABBITMQ",
    MLOPS_RABBITMQ_QUEUE_URL=url,
    MLOPS_RABBITMQ_QUEUE_NAME=queue,
)

import pandas  # noqa: E402
from datarobot_mlops.event import Event, EventType  # noqa: E402
from datarobot_mlops.mlops import MLOps  # noqa: E402

rows = pandas.DataFrame({"age": [59.0, 48.0], "ward": ["a", "ü"]})
mlops = MLOps().init()
reports = {
    "DEPLOYMENT_STATS": lambda: mlops.report_deployment_stats(2, 12.5),
    "PREDICTIONS_DATA": lambda: mlops.report_predictions_data(rows, [1.5, 2.5], ["row-1", "row-2"]),
    "CUSTOM_METRIC": lambda: mlops.report_deployment_metric("65f0aa0000000000000000c1", 3.25),
    "EVENT": lambda: mlops.report_event(Event(EventType.DEP_MODEL_REPLACED, "replaced")),
    "PING_MSG": lambda: mlops.send_ping_to_agent("hello"),
}
for kind, report in reports.items():
    report()
    print(kind)
mlops.shutdown()
