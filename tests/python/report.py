"""Reports predictions with the public `datarobot-mlops` package into a spool folder.

    report.py FOLDER DEPLOYMENT MODEL < REQUESTS

REQUESTS is a JSON list; each request has `rows` (objects of numbers), `predictions`, `ids` and `actuals` (one a row), and
becomes what that library makes of one request: its stats, its data, and later its actuals.
"""

import json
import sys
from datetime import datetime, timezone

import pandas
from datarobot_mlops.mlops import MLOps


def main():
    folder, deployment, model = sys.argv[1:]
    mlops = MLOps().set_deployment_id(deployment).set_model_id(model)
    mlops = mlops.set_filesystem_spooler(folder).init()
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
