"""Reports predictions with the public `datarobot-mlops` package into a spool folder.

    report.py FOLDER DEPLOYMENT MODEL < REQUESTS

REQUESTS is a JSON list; each request has `rows` (objects of numbers), `predictions` and `ids`, and becomes what that
library makes of one request: its stats and its data.
"""

import json
import sys

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
    mlops.shutdown()


main()
