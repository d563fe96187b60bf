"""Does everything that the public connected client can do, against a server.

    connected_client.py URL TOKEN FOLDER PACKAGE

The whole command set of `mlops-cli`, subject by subject, and the methods of `MLOpsClient` that no command reaches. PACKAGE is the id of
a package with a file. FOLDER takes the files that come and go. Prints one line of JSON for every step: its name, the exit code, and what it
said: JSON where it is JSON.
"""

import asyncio
import contextlib
import io
import json
import logging
import os
import sys
from pathlib import Path

URL, TOKEN, FOLDER, PACKAGE = sys.argv[1:]
FOLDER = Path(FOLDER)
os.environ.update(MLOPS_SERVICE_URL=URL, MLOPS_API_TOKEN=TOKEN)
os.chdir(FOLDER)

import pandas
from datarobot_mlops.common.exception import DRCommonException
from datarobot_mlops.connected import mlops_cli
from datarobot_mlops.connected.client import MLOpsClient
from datarobot_mlops.mlops import MLOps


def told(name, code, answer):
    print(json.dumps({"step": name, "code": code, "answer": answer}), flush=True)
    return answer


def command(*arguments, json_config=None, name=None):
    """Runs one command as a shell would."""
    arguments = [str(argument) for argument in arguments]
    if json_config is not None:
        Path("config.json").write_text(json.dumps(json_config))
        arguments += ["--json-config", "config.json"]
    said, code = io.StringIO(), 0
    # Every run adds one.
    logging.getLogger().handlers.clear()
    sys.argv = ["mlops-cli", "--json", *arguments]
    with contextlib.redirect_stdout(said):
        try:
            mlops_cli.main()
        except SystemExit as end:
            code = getattr(end.code, "value", end.code)
        except DRCommonException as error:
            # Some commands do not catch what they raise.
            code = str(error)
    text = said.getvalue()
    try:
        answer = json.loads(text)
    except ValueError:
        answer = text.strip()
    return told(name or " ".join(arguments[:2]), code, answer)


def method(name, call):
    """Runs one method of the client."""
    try:
        answer = call()
        if asyncio.iscoroutine(answer):
            answer = asyncio.get_event_loop().run_until_complete(answer)
        return told(name, 0, answer)
    except DRCommonException as error:
        return told(name, type(error).__name__, str(error))


asyncio.set_event_loop(asyncio.new_event_loop())
rows = pandas.DataFrame(
    {
        "a": [1.0, 2.0, 3.0, 4.0],
        "c": ["x", "y", "x", "x"],
        "y": [1.5, 2.5, 3.5, 5.5],
        "id": ["p", "q", "r", "s"],
        "happened": [2.0, 2.0, 4.0, 5.0],
    }
)
rows.to_csv("rows.csv", index=False)
rows[["a", "c", "y"]].rename(columns={"y": "target"}).to_csv("training.csv", index=False)

# Environments
environment = {"name": "edge", "platform": "Other", "supportedModelFormats": ["external"]}
environment = command("prediction-environment", "create", json_config=environment)["id"]
at = ["--prediction-environment-id", environment]
command("prediction-environment", "get", *at)
command("prediction-environment", "list")
command("prediction-environment", "restart-monitoring-agent", *at)
command("prediction-environment", "restart-management-agent", *at)

# Files
training = command("dataset", "upload", "--input", "training.csv")["id"]
holdout = pandas.DataFrame({"target": [1.5, 2.5, 3.5, 5.5], "prediction": [1.0, 3.0, 3.0, 6.0]})
holdout.to_csv("holdout.csv", index=False)
holdout = command("dataset", "upload", "--input", "holdout.csv", name="dataset upload holdout")["id"]
command("dataset", "get", "--dataset-id", training)
command("dataset", "list")

# Packages
model = {
    "name": "a model",
    "modelDescription": {"description": "d", "modelName": "n"},
    "target": {"type": "Regression", "name": "target"},
}
data = ["--training-dataset-id", training, "--holdout-dataset-id", holdout]
package = command("model", "create", *data, json_config=model)["id"]
other = command("model", "create", json_config=model | {"name": "another"}, name="model create other")["id"]
of = ["--model-package-id", package]
command("model", "get", *of)
command("model", "features", *of)
command("model", "list")
command("model", "list", "--search", "ANOTHER", name="model list search")
command("model", "list", "--limit", 1, name="model list limit")

# Deployments
deployment = command("model", "deploy", *of, "--deployment-label", "by the client", *at, "--enable-batch-monitoring")["id"]
on = ["--deployment-id", deployment]
command("deployment", "get", *on)
command("deployment", "list")
model_id = command("deployment", "get-model", *on)
client = MLOpsClient(URL, TOKEN)
model_id = method("get_model_id", lambda: client.get_model_id(deployment))
method("get_deployment_type", lambda: client.get_deployment_type(deployment))
method("get_deployment_settings", lambda: client.get_deployment_settings(deployment))
with_model = [*on, "--model-id", model_id]

# Batches
batch = command("batch", "create", *on, json_config={"batchName": "of the night"})["id"]
command("batch", "list", *on)

# Predictions and outcomes
columns = ["--target-col", "y", "--assoc-id-col", "id"]
features = rows.drop(columns=["happened"])
features.to_csv("scored.csv", index=False)
command("predictions", "report", *with_model, "--input", "scored.csv", "--prediction-cols", "y", "--assoc-id-col", "id", "--batch-id", batch)
command("actuals", "report", *on, "--input", "rows.csv", "--actual-value-col", "happened", "--assoc-id-col", "id")
command("predictions", "count", *with_model)
command("predictions", "get", *with_model)
command("actuals", "count", *with_model)
command("service-stats", "get", *with_model)
command("service-stats", "get", *on, name="service-stats get all")
command("batch", "get", *on, "--batch-id", batch, "--service-stats", name="batch get stats")
command("batch", "get", *on, "--batch-id", batch, "--data-drift", name="batch get drift")
command("predictions", "upload", *with_model, "--input", "scored.csv", "--prediction-cols", "y", "--status-file", "upload.json")
method("get_target_drift", lambda: client.get_target_drift(deployment))
method("get_predictions_and_actuals_stats", lambda: client.get_predictions_and_actuals_stats(deployment))

# Classes: a test of speed needs them
binary = {
    "name": "classes",
    "target": {"type": "Binary", "name": "taken", "classNames": ["yes", "no"], "predictionThreshold": 0.5},
}
binary = command("model", "create", json_config=binary, name="model create binary")["id"]
binary = command("model", "deploy", "--model-package-id", binary, "--deployment-label", "classes", name="model deploy binary")["id"]
pandas.DataFrame({"a": [1.0, 2.0], "taken": [0.25, 0.75]}).to_csv("perf.csv", index=False)
command("perf", "run", "--deployment-id", binary, "--model-id", "m", "--input", "perf.csv", "--target-col", "taken", "--class-names", "yes", "no", "--count", 2)
command("service-stats", "get", "--deployment-id", binary, name="service-stats get perf")

# A spool of the library, with everything in it that the client can report
os.mkdir("spool")
os.environ.update(MLOPS_SPOOLER_TYPE="FILESYSTEM", MLOPS_FILESYSTEM_DIRECTORY=str(FOLDER / "spool"))
spooled = command("model", "deploy", *of, "--deployment-label", "spooled", name="model deploy spooled")["id"]
kinds = {"a": "numeric", "c": "category"}
kinds = [{"name": name, "feature_type": kind, "format": None} for name, kind in kinds.items()]
mlops = MLOps().set_deployment_id(spooled).set_model_id(model_id)
mlops.set_feature_types(kinds)
mlops.init()
mlops.report_deployment_stats(3, 12.5)
mlops.report_predictions_data(rows[["a", "c"]], predictions=list(rows["y"]), association_ids=list(rows["id"]))
mlops.report_actuals([mlops.get_actual_map("p", 2.0)])
mlops.report_deployment_metric("spooled", 7.5)
mlops.report_aggregated_predictions_data(rows[["a", "c"]], list(rows["y"]))
mlops.shutdown()
command("predictions", "report", "--from-spool", "--filesystem-directory", "spool", name="predictions report spool")
method("spooled stats", lambda: client.get_service_stats(spooled))
method("spooled outcomes", lambda: client.get_predictions_and_actuals_stats(spooled))
method("spooled metrics", lambda: client.list_custom_metrics(spooled))

# Metrics
metric = command("custom_metric", "create", *on, json_config={"name": "cost", "units": "EUR", "type": "sum", "directionality": "lowerIsBetter", "baselineValues": 5})["id"]
command("custom_metric", "list", *on)
now = pandas.Timestamp.now(tz="UTC").strftime("%Y-%m-%dT%H:%M:%SZ")
pandas.DataFrame({"when": [now, now], "cost": [4.0, 6.0]}).to_csv("costs.csv", index=False)
measured = ["--metric-id", metric]
command("custom_metric", "report", *with_model, *measured, "--input", "costs.csv", "--timestamp-col", "when", "--value-col", "cost")
command("custom_metric", "get", *with_model, *measured)

# Monitoring jobs
job = {
    "deploymentId": deployment,
    "intakeSettings": {"type": "localFile"},
    "monitoringColumns": {"predictionsColumns": "y", "associationIdColumn": "job_id", "actualsValueColumn": "happened"},
}
rows.rename(columns={"id": "job_id"}).assign(job_id=["j1", "j2", "j3", "j4"]).to_csv("job.csv", index=False)
first = command("monitoring-job", "create", json_config=job)["id"]
named = ["--monitoring-job-id", first]
command("monitoring-job", "get", *named, name="monitoring-job get new")
command("monitoring-job", "upload", *named, "--input", "job.csv")
command("monitoring-job", "get", *named)
command("monitoring-job", "upload", *named, "--input", "job.csv", name="monitoring-job upload again")
second = command("monitoring-job", "create", json_config=job, name="monitoring-job create second")["id"]
command("monitoring-job", "cancel", "--monitoring-job-id", second)
command("monitoring-job", "get", "--monitoring-job-id", second, name="monitoring-job get cancelled")
method("outcomes after the job", lambda: client.get_predictions_and_actuals_stats(deployment))

# Packages again
command("model", "replace", *on, "--model-package-id", other, "--reason", "ACCURACY")
command("model", "download", *on, "--output-dir", FOLDER, name="model download external")
command("model", "download", "--model-package-id", PACKAGE, "--output-dir", FOLDER)
served = command("model", "deploy", "--model-package-id", PACKAGE, "--deployment-label", "served", name="model deploy served")["id"]
method("download_dr_current_model_package", lambda: client.download_dr_current_model_package(served, str(FOLDER)))
for binary in [False, True]:
    method(
        f"download scoring code {binary}",
        lambda: client.download_model_package_from_registry(PACKAGE, str(FOLDER), download_scoring_code=True, scoring_code_binary=binary),
    )

# What is not there, and what is not any more
command("prediction-environment", "delete", *at, name="prediction-environment delete used")
command("deployment", "delete", *on)
command("deployment", "get", *on, name="deployment get gone")
command("prediction-environment", "delete", *at)
command("prediction-environment", "get", *at, name="prediction-environment get gone")
command("model", "delete", *of)
command("model", "delete", *of, name="model delete gone")
command("dataset", "delete", "--dataset-id", training)
command("dataset", "delete", "--dataset-id", training, name="dataset delete gone")
command("batch", "get", "--deployment-id", served, "--batch-id", "none", "--service-stats", name="batch get none")
command("custom_metric", "get", "--deployment-id", served, "--model-id", "m", "--metric-id", "none", name="custom_metric get none")
command("service-stats", "get", "--deployment-id", served, "--model-id", "none", name="service-stats get none")
command("monitoring-job", "get", "--monitoring-job-id", "none", name="monitoring-job get none")
method("get_dataset none", lambda: client.get_dataset("none"))
