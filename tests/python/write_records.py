"""Reports one of everything with the public `datarobot-mlops` package, and prints as JSON lines what was reported.

    write_records.py filesystem FOLDER      into spool files; FOLDER exists
    write_records.py kafka BROKERS TOPIC    to a topic
    write_records.py rabbitmq URL QUEUE     to a queue

Other settings, such as MLOPS_SPOOLER_DATA_FORMAT, come from the environment. Each line holds a data type and the
fields that a payload of that type must have, in the library's names; what the library itself adds (timestamps, ids of
records) is left out. A payload matches when it has these fields with these values, whatever else it has.
"""

import datetime
import json
import os
import sys

DEPLOYMENT = "65f0aa0000000000000000d1"
MODEL = "65f0aa0000000000000000a1"
BATCH = "65f0aa0000000000000000b1"
METRIC = "65f0aa0000000000000000c1"
WHEN = datetime.datetime(2024, 5, 6, 7, 8, 9, 123000)

COLUMNS = {
    "age": [59.0, 48.0, 72.5],
    "whole": [1, 2, 9007199254740993],
    "gap": [1.5, None, 2e-12],
    "wörd \"x\"": ["a", None, "ü\"x\n"],
    "flag": [True, False, True],
}


def settings(kind, arguments):
    """The package takes its settings from the environment, so they are set before it is imported."""
    os.environ["MLOPS_DEPLOYMENT_ID"] = DEPLOYMENT
    os.environ["MLOPS_MODEL_ID"] = MODEL
    if kind == "filesystem":
        (os.environ["MLOPS_FILESYSTEM_DIRECTORY"],) = arguments
    elif kind == "kafka":
        os.environ["MLOPS_KAFKA_BOOTSTRAP_SERVERS"], os.environ["MLOPS_KAFKA_TOPIC_NAME"] = arguments
    elif kind == "rabbitmq":
        os.environ["MLOPS_RABBITMQ_QUEUE_URL"], os.environ["MLOPS_RABBITMQ_QUEUE_NAME"] = arguments
    else:
        sys.exit(f"unknown kind of channel: {kind}")
    os.environ["MLOPS_SPOOLER_TYPE"] = kind.upper()


def reported(data_type, **fields):
    print(json.dumps({"dataType": data_type, "fields": fields}), flush=True)


def stats(mlops):
    mlops.report_deployment_stats(2, 12.5)
    reported("DEPLOYMENT_STATS", modelId=MODEL, numPredictions=2, executionTime=12.5, userError=False, systemError=False)
    mlops.report_deployment_stats(1, 3, user_error=True)
    reported("DEPLOYMENT_STATS", modelId=MODEL, numPredictions=1, executionTime=3, userError=True, systemError=False)
    mlops.report_deployment_stats(0, 4.25, system_error=True, batch_id=BATCH)
    reported("DEPLOYMENT_STATS", batchId=BATCH, numPredictions=0, executionTime=4.25, userError=False, systemError=True)


def rows(mlops, frame):
    # Columns of objects, so that whole numbers stay whole and gaps stay gaps.
    frame = frame({name: list(values) for name, values in COLUMNS.items()}, dtype=object)
    ids = ["row-1", "row-2", "ü/3"]
    mlops.report_predictions_data(features_df=frame, predictions=[151.5, 75, -2e-9], association_ids=ids)
    reported("PREDICTIONS_DATA", modelId=MODEL, features=COLUMNS, predictions=[151.5, 75, -2e-9], associationIds=ids)
    classes = {"predictions": [[0.2, 0.8], [0.75, 0.25], [0.5, 0.5]], "class_names": ["no", "yes"]}
    mlops.report_predictions_data(association_ids=ids, skip_drift_tracking=True, **classes)
    reported(
        "PREDICTIONS_DATA",
        predictions=classes["predictions"],
        classNames=["no", "yes"],
        associationIds=ids,
        skipDriftTracking=True,
    )
    mlops.report_predictions_data(predictions=["Completion 1", "", "ü\n"], batch_id=BATCH, skip_accuracy_tracking=True)
    reported("PREDICTIONS_DATA", predictions=["Completion 1", "", "ü\n"], batchId=BATCH, skipAccuracyTracking=True)
    series = {
        "request_parameters": {"forecastPoint": WHEN},
        "forecast_distance": [1, 2],
        "row_index": [0, 1],
        "partition": [WHEN, WHEN + datetime.timedelta(days=1)],
        "series_id": ["s", "t"],
    }
    mlops.report_raw_time_series_predictions_data(predictions=[1.0, 2.5], association_ids=["t1", "t2"], **series)
    reported("PREDICTIONS_DATA", predictions=[1.0, 2.5], forecastDistance=[1, 2], rowIndex=[0, 1], seriesId=["s", "t"])


def feature(name, kind):
    return {"name": name, "feature_type": kind, "format": None}


def sums(mlops, frame):
    ages = [float(age) for age in range(20, 80)]
    words = ["low", "high", "high"] * 20
    predictions = [age / 2 for age in ages]
    mlops.report_aggregated_predictions_data(frame({"age": ages, "level": words}), predictions)

    def numbers(values, decisions):
        return {
            "count": len(values),
            "missingCount": 0,
            "min": min(values),
            "max": max(values),
            "sum": sum(values),
            "sumOfSquares": sum(value * value for value in values),
            "decisionCount": decisions,
        }

    reported(
        "PREDICTION_STATS",
        modelId=MODEL,
        numericAggregateMap={"age": numbers(ages, 0)},
        categoricalAggregateMap={"level": {"count": 60, "missingCount": 0, "categoryCounts": {"low": 20, "high": 40}}},
        predictionAggregateMap={"0": numbers(predictions, 60)},
    )


def rest(mlops, event):
    acted = {"associationId": "row-1", "actualValue": 151.0, "wasActedOn": True, "timestamp": "2024-05-06 07:08:09.123"}
    actuals = [
        mlops.get_actual_map("row-1", 151.0, acted_on=True, timestamp=WHEN),
        mlops.get_actual_map("row-2", "yes"),
    ]
    mlops.report_actuals(actuals)
    reported("ACTUALS_DATA", modelId=MODEL, actualsList=[acted, {"associationId": "row-2", "actualValue": "yes"}])
    mlops.report_event(event)
    reported("EVENT", eventType="externalNaNPredictions", message="NaNs seen", deploymentId=DEPLOYMENT, data={"k": "v"})
    mlops.report_deployment_metric(METRIC, 3.25)
    reported("CUSTOM_METRIC", customMetricId=METRIC, buckets=[{"value": 3.25}])
    mlops.report_model_metric(METRIC, 4, timestamp=WHEN)
    buckets = [{"value": 4, "timestamp": "2024-05-06 07:08:09.123"}]
    reported("CUSTOM_METRIC", customMetricId=METRIC, modelId=MODEL, buckets=buckets)
    # It has no deployment, which the package cannot write in its binary form.
    if os.environ.get("MLOPS_SPOOLER_DATA_FORMAT") != "BYTE_ARRAY":
        mlops.send_ping_to_agent("hello")
        reported("PING_MSG", message="hello")


def main():
    kind, *arguments = sys.argv[1:]
    settings(kind, arguments)
    from datarobot_mlops.event import Event, EventType
    from datarobot_mlops.mlops import MLOps
    from pandas import DataFrame

    mlops = MLOps()
    mlops.set_feature_types([feature("age", "numeric"), feature("level", "category")])
    mlops.init()
    stats(mlops)
    rows(mlops, DataFrame)
    sums(mlops, DataFrame)
    rest(mlops, Event(EventType.EXTERNAL_NAN_PREDICTIONS, "NaNs seen", data={"k": "v"}))
    mlops.shutdown()


main()
