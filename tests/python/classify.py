"""Classifies penguins with scikit-learn, and reports it with the public `datarobot-mlops` package into spool files.

    classify.py FOLDER

Two classes (`sex`, by a threshold of its own) and three (`species`), each to deployments of its own: `NAME-alike` has all rows
with their outcomes, `NAME-other` those of the last class, `NAME-summed` all rows summed up by the package. Prints for each
target what is needed to make its model package, and what scikit-learn says of the same rows, as JSON.
"""

import json
import os
import pathlib
import sys

PENGUINS = pathlib.Path(__file__).parents[2] / "models/penguins/penguins.csv"
MEASURED = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
THRESHOLD = 0.4

os.environ["MLOPS_SPOOLER_TYPE"] = "FILESYSTEM"
os.environ["MLOPS_FILESYSTEM_DIRECTORY"] = sys.argv[1]
# The package takes its settings from the environment, so they are set before it is imported.
import numpy
import pandas
from datarobot_mlops.mlops import MLOps
from scipy import stats
from sklearn import linear_model, metrics, model_selection, pipeline, preprocessing


def probabilities(features, labels):
    """What a model says of each row when it has not seen it."""
    model = pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression())
    folds = model_selection.StratifiedKFold(5, shuffle=True, random_state=7)
    p = model_selection.cross_val_predict(model, features, labels, cv=folds, method="predict_proba")
    # Rounded, so that they pass through JSON as they are, and add up to one all the same.
    p[:, :-1] = p[:, :-1].round(6)
    p[:, -1] = 1 - p[:, :-1].sum(axis=1)
    return p.clip(0, 1)


def of_two(y, p):
    """The metrics by the server's names; the second class is the positive one."""
    score, decided = p[:, 1], (p[:, 1] >= THRESHOLD).astype(int)
    tn, fp, fn, tp = (int(x) for x in metrics.confusion_matrix(y, decided).ravel())
    return decided, {
        "Accuracy": metrics.accuracy_score(y, decided),
        "AUC": metrics.roc_auc_score(y, score),
        "Balanced Accuracy": metrics.balanced_accuracy_score(y, decided),
        "LogLoss": metrics.log_loss(y, score),
        "TPR": tp / (tp + fn),
        "FPR": fp / (fp + tn),
        "TNR": tn / (fp + tn),
        "PPV": tp / (tp + fp),
        "F1": metrics.f1_score(y, decided),
    }


def of_several(y, p, names):
    decided = p.argmax(axis=1)
    answers = {
        "Accuracy": metrics.accuracy_score(y, decided),
        "AUC": metrics.roc_auc_score(y, p, multi_class="ovr", average="weighted"),
        "Balanced Accuracy": metrics.balanced_accuracy_score(y, decided),
        "LogLoss": metrics.log_loss(y, p),
    }
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(y, decided)
    for at, name in enumerate(names):
        answers |= {f"PPV of {name}": precision[at], f"TPR of {name}": recall[at], f"F1 of {name}": f1[at]}
    return decided, answers


def report(mlops, model, deployment, features, p, names):
    """All rows in a few requests; gives the association ids."""
    ids = [f"{deployment}-{row}" for row in range(len(p))]
    for first in range(0, len(p), 100):
        some = slice(first, first + 100)
        mlops.report_deployment_stats(len(p[some]), 1.5, deployment_id=deployment, model_id=model)
        mlops.report_predictions_data(
            features_df=features.iloc[some],
            predictions=p[some].tolist(),
            association_ids=ids[some],
            class_names=names,
            deployment_id=deployment,
            model_id=model,
        )
    return ids


def shares(decided, training, order):
    """How often each class was predicted, in this order, and how far that is from training, in PSI."""
    counts, before = (numpy.bincount(them, minlength=len(order))[order] for them in (decided, training))
    lifted = lambda x: numpy.maximum(x / x.sum(), max(1e-4, 0.5 / x.sum()))
    q, r = (lifted(x) / lifted(x).sum() for x in (counts, before))
    return {"counts": counts.tolist(), "training": before.tolist(), "psi": stats.entropy(q, r) + stats.entropy(r, q)}


def main():
    penguins = pandas.read_csv(PENGUINS).dropna()
    mlops = MLOps().set_deployment_id("none").set_model_id("none").init()
    told = {}
    for target, kind in [("sex", "Binary"), ("species", "Multiclass")]:
        names = sorted(penguins[target].unique())
        features = penguins.drop(columns=[target])
        y = penguins[target].map(names.index).to_numpy()
        p = probabilities(penguins[MEASURED], y)
        decided, answers = of_two(y, p) if kind == "Binary" else of_several(y, p, names)
        # In the reverse of the order that the deployment has them in.
        ids = report(mlops, target, f"{target}-alike", features, p[:, ::-1], names[::-1])
        actuals = [mlops.get_actual_map(id, value) for id, value in zip(ids, penguins[target])]
        mlops.report_actuals(actuals, deployment_id=f"{target}-alike", model_id=target)
        last = decided == len(names) - 1
        report(mlops, target, f"{target}-other", features[last], p[last], names)
        mlops.report_aggregated_predictions_data(
            predictions=p.tolist(),
            class_names=names,
            deployment_id=f"{target}-summed",
            model_id=target,
        )
        package = {"name": target, "type": kind, "classNames": names}
        if kind == "Binary":
            # The service has the positive one first.
            package |= {"classNames": names[::-1], "predictionThreshold": THRESHOLD}
        order = [names.index(name) for name in package["classNames"]]
        told[target] = {
            "target": package,
            "training": penguins.to_csv(index=False),
            "answers": answers,
            "rows": len(y),
            "alike": shares(decided, y, order),
            "other": shares(decided[last], y, order),
        }
    mlops.shutdown()
    print(json.dumps(told, default=float))


main()
