"""Reports predictions, and their outcomes, with the public `datarobot-mlops` package.

    report.py DEPLOYMENT MODEL filesystem FOLDER < REQUESTS     into spool files
    report.py DEPLOYMENT MODEL kafka BROKERS TOPIC < REQUESTS   to a topic
    report.py DEPLOYMENT MODEL rabbitmq URL QUEUE < REQUESTS    to a queue
    report.py DEPLOYMENT MODEL api URL TOKEN < REQUESTS         straight to a server

REQUESTS is a JSON list; each request has `rows` (objects of numbers), `predictions`, `ids` and `actuals` (one a row), and
becomes what that library makes of one request: its stats, its data, and later its actuals.
"""

import json
import os
import sys
from datetime import datetime, timezone

SETTINGS = {
    "filesystem": ["MLOPS_FILESYSTEM_DIRECTORY"],
    "kafka": ["MLOPS_KAFKA_BOOTSTRAP_SERVERS", "MLOPS_KAFKA_TOPIC_NAME"],
    "rabbitmq": ["MLOPS_RABBITMQ_QUEUE_URL", "MLOPS_RABBITMQ_QUEUE_NAME"],
    "api": ["DATAROBOT_ENDPOINT", "DATAROBOT_API_TOKEN"],
}


def main():
    deployment, model, kind, *arguments = sys.argv[1:]
    # The package takes its settings from the environment, so they are set before it is imported.
    os.environ["MLOPS_SPOOLER_TYPE"] = kind.upper()
    os.environ.update(zip(SETTINGS[kind], arguments, strict=True))

    import pandas
    from datarobot_mlops.mlops import MLOps

    mlops = MLOps().set_deployment_id(deployment).set_model_id(model).init()
    for request in json.load(sys.stdin):
        mlops.report_deployment_stats(len(request["rows"]), 1.5)
        mlops.report_predictions_data(
            features_df=pandas.DataFrame(request["rows"]),
            predictions=request["predictions"],
            association_ids=request["ids"],
        )
        actuals = zip(request["ids"], request["actuals"])
        when = datetime(2024, 5, 6, 7, 8, 9, 123000, timezone.utc)
        mlops.report_actuals(
            [mlops.get_actual_map(id, value, acted_on=True, timestamp=when) for id, value in actuals]
        )
    mlops.shutdown()


main()
