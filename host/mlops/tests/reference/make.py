"""Prints rows, and what numpy, scipy and scikit-learn make of them, as JSON.

    pip install -r tests/setup/python.txt && python make.py > cases.json

Everything random has a fixed seed, and what a model predicts is rounded, so that every machine prints the same.
"""

import decimal
import json
import math
import pathlib
import warnings

import numpy as np
import pandas as pd
from scipy import stats
from scipy.spatial import distance
from sklearn import linear_model, metrics, model_selection

# Large classifications have warnings of their own about classes that are never predicted.
warnings.filterwarnings("ignore", module="sklearn")
decimal.getcontext().prec = 60

DIABETES = pathlib.Path(__file__).parents[4] / "models/diabetes/diabetes.csv"
TWEEDIE = 1.5


def regression(name, actuals, predictions, far=False):
    """The metrics of numbers; `far` computes with 60 digits what floats of 64 bits cannot."""
    y, p = np.asarray(actuals, float), np.asarray(predictions, float)
    some = lambda keep: (y[keep], p[keep])
    answers = {
        "RMSE": metrics.root_mean_squared_error(y, p),
        "MAE": metrics.mean_absolute_error(y, p),
        "MAD": metrics.mean_absolute_error(y, p),
        "R Squared": metrics.r2_score(y, p) if len(set(y)) > 1 else None,
    }
    rows = {metric: len(y) for metric in answers}

    def add(metric, keep, function):
        rows[metric] = int(keep.sum())
        answers[metric] = function(*some(keep)) if keep.any() else None

    add("MAPE", y != 0, lambda y, p: 100 * metrics.mean_absolute_percentage_error(y, p))
    add("RMSLE", (y > -1) & (p > -1), metrics.root_mean_squared_log_error)
    for family, power, keep in [
        ("Poisson", 1, (y >= 0) & (p > 0)),
        ("Gamma", 2, (y > 0) & (p > 0)),
        ("Tweedie", TWEEDIE, (y >= 0) & (p > 0)),
    ]:
        add(f"{family} Deviance", keep, lambda y, p: metrics.mean_tweedie_deviance(y, p, power=power))
        varies = len(set(y[keep])) > 1
        explained = lambda y, p: metrics.d2_tweedie_score(y, p, power=power) if varies else None
        add(f"FVE {family}", keep, explained)
    if varies and y.min() > 0 and p.min() > 0:
        exact = with_many_digits(y, p)
        # Where the library has the digits, both must agree.
        apart = [metric for metric, value in exact.items() if not math.isclose(answers[metric], value, rel_tol=1e-9, abs_tol=1e-12)]
        assert far or not apart, (name, apart)
        answers.update(exact if far else {})
    return {"name": name, "actuals": list(y), "predictions": list(p), "answers": answers, "rows": rows}


def with_many_digits(actuals, predictions):
    """What cancels when numbers are far from zero and close together."""
    y = [decimal.Decimal(float(x)) for x in actuals]
    p = [decimal.Decimal(float(x)) for x in predictions]
    n = len(y)
    m = sum(y) / n
    power = decimal.Decimal(TWEEDIE)
    poisson = lambda a, b: 2 * (a * (a / b).ln() - a + b)
    gamma = lambda a, b: 2 * ((b / a).ln() + a / b - 1)

    def tweedie(a, b):
        first = a ** (2 - power) / ((1 - power) * (2 - power))
        return 2 * (first - a * b ** (1 - power) / (1 - power) + b ** (2 - power) / (2 - power))

    logarithms = sum(((1 + b).ln() - (1 + a).ln()) ** 2 for a, b in zip(y, p)) / n
    answers = {"RMSLE": float(logarithms.sqrt())}
    for family, deviance in [("Poisson", poisson), ("Gamma", gamma), ("Tweedie", tweedie)]:
        of_model = sum(deviance(a, b) for a, b in zip(y, p))
        of_mean = sum(deviance(a, m) for a in y)
        answers[f"{family} Deviance"] = float(of_model / n)
        answers[f"FVE {family}"] = float(1 - of_model / of_mean)
    return answers


def rate_at_top(positive, scores, percent):
    """Of the rows at the edge that have the same score, each is in with the same chance."""
    rows = pd.DataFrame({"positive": positive, "score": scores})
    top = math.ceil(len(rows) * percent / 100)
    edge = rows.score.nlargest(top).min()
    above, at = rows[rows.score > edge], rows[rows.score == edge]
    return float((above.positive.sum() + (top - len(above)) * at.positive.mean()) / top)


def binary(name, positive, scores, threshold=0.5):
    y, s = np.asarray(positive, int), np.asarray(scores, float)
    predicted = (s >= threshold).astype(int)
    both = 0 < y.sum() < len(y)
    area = metrics.roc_auc_score(y, s) if both else None
    tn, fp, fn, tp = (int(x) for x in metrics.confusion_matrix(y, predicted, labels=[0, 1]).ravel())
    answers = {
        "Accuracy": metrics.accuracy_score(y, predicted),
        "AUC": area,
        "Balanced Accuracy": metrics.balanced_accuracy_score(y, predicted) if both else None,
        "FVE Binomial": metrics.d2_log_loss_score(y, s) if both else None,
        "Gini Norm": 2 * area - 1 if both else None,
        "KS": stats.ks_2samp(s[y == 1], s[y == 0]).statistic if both else None,
        "LogLoss": metrics.log_loss(y, y_proba=s, labels=[0, 1]),
        "Rate@Top5%": rate_at_top(y, s, 5),
        "Rate@Top10%": rate_at_top(y, s, 10),
        "TPR": metrics.recall_score(y, predicted) if tp + fn else None,
        "FPR": 1 - metrics.recall_score(y, predicted, pos_label=0) if tn + fp else None,
        "TNR": metrics.recall_score(y, predicted, pos_label=0) if tn + fp else None,
        "PPV": metrics.precision_score(y, predicted) if tp + fp else None,
        "F1": metrics.f1_score(y, predicted) if tp + fp + fn else None,
    }
    return {"name": name, "actuals": [int(x) for x in y], "predictions": list(s), "threshold": threshold,
            "answers": answers}


def multiclass(name, actuals, probabilities):
    y, s = np.asarray(actuals, int), np.asarray(probabilities, float)
    classes = list(range(s.shape[1]))
    predicted = s.argmax(axis=1)
    answers = {
        "Accuracy": metrics.accuracy_score(y, predicted),
        "Balanced Accuracy": metrics.balanced_accuracy_score(y, predicted),
        "LogLoss": metrics.log_loss(y, y_proba=s, labels=classes),
        "AUC": metrics.roc_auc_score(y, s, multi_class="ovr", average="weighted", labels=classes),
    }
    precision, recall, f1, happened = metrics.precision_recall_fscore_support(y, predicted, labels=classes)
    for at in classes:
        predictions = int((predicted == at).sum())
        answers[f"TPR {at}"] = recall[at] if happened[at] else None
        answers[f"PPV {at}"] = precision[at] if predictions else None
        answers[f"F1 {at}"] = f1[at] if happened[at] + predictions else None
    return {"name": name, "actuals": [int(x) for x in y], "predictions": s.tolist(), "answers": answers}


def distances(name, counts, baseline):
    a, b = np.asarray(counts, float), np.asarray(baseline, float)
    seen = (a > 0) | (b > 0)
    a, b = a[seen], b[seen]
    # No bin is rarer than one row in ten thousand, nor than half a row.
    lifted = lambda x: np.maximum(x / x.sum(), max(1e-4, 0.5 / x.sum()))
    p, q = (lifted(x) / lifted(x).sum() for x in (a, b))
    return {
        "name": name,
        "counts": [int(x) for x in counts],
        "baseline": [int(x) for x in baseline],
        "answers": {
            "psi": stats.entropy(p, q) + stats.entropy(q, p),
            "kullbackLeibler": stats.entropy(p, q),
            "jensenShannon": distance.jensenshannon(a, b, base=2),
            "hellinger": np.linalg.norm(np.sqrt(a / a.sum()) - np.sqrt(b / b.sum())) / math.sqrt(2),
            "histogramIntersection": 1 - np.minimum(a / a.sum(), b / b.sum()).sum(),
        },
    }


def tally(name, training, values):
    """Counts below the training range, in ten steps of it, above it, and missing."""
    present = values[~np.isnan(values)]
    lowest, highest = float(np.min(training)), float(np.max(training))
    steps = np.histogram(present, bins=10, range=(lowest, highest))[0]
    counts = [(present < lowest).sum(), *steps, (present > highest).sum(), np.isnan(values).sum()]
    return {"name": name, "training": list(training), "values": [None if np.isnan(x) else x for x in values],
            "baseline": [0, *np.histogram(training, bins=10)[0].tolist(), 0, 0], "counts": [int(x) for x in counts]}


def decisions(name, training, probabilities, threshold=None):
    """Which classes are predicted, beside those of training: two by a threshold, several by the largest."""
    p = np.asarray(probabilities, float)
    decided = (p[:, -1] >= threshold).astype(int) if threshold is not None else p.argmax(axis=1)
    classes = p.shape[1]
    # New classes, others and missing ones are not there.
    counts = lambda them: [*np.bincount(them, minlength=classes), 0, 0, 0]
    compared = distances(name, counts(decided), counts(np.asarray(training)))
    return {**compared, "threshold": threshold, "training": list(training), "probabilities": p.tolist()}


def quantiles(name, times):
    shares = [0.0, 0.25, 0.5, 0.9, 0.95, 0.99, 1.0]
    return {"name": name, "times": list(times), "shares": shares,
            "answers": [float(x) for x in np.quantile(times, shares, method="lower")]}


def load(name, minutes):
    busy = np.asarray([x for x in minutes if x])
    return {"name": name, "minutes": [int(x) for x in minutes], "median": float(np.median(busy)), "peak": int(busy.max())}


def everything():
    random = np.random.default_rng(20240229)
    data = pd.read_csv(DIABETES)
    inputs, target = data.drop(columns="Y"), data["Y"].to_numpy(float)
    folds = model_selection.KFold(5)
    learned = model_selection.cross_val_predict(linear_model.LinearRegression(), inputs, target, cv=folds).round(6)

    far = 1e9 + random.integers(-4000, 4000, 200) / 1024
    counts = random.poisson(3, 200).astype(float)
    mixed = random.normal(0, 3, 200).round(6)
    yield "regression", [
        regression("diabetes", target, learned),
        regression("far from zero", far, far + random.integers(-900, 900, 200) / 1024, far=True),
        regression("counts with zeros", counts, (counts * 0.7 + 1).round(6)),
        regression("below zero and around it", mixed, (mixed + random.normal(0, 1, 200)).round(6)),
        regression("many sizes", (10 ** random.uniform(-6, 8, 100)).round(8), (10 ** random.uniform(-6, 8, 100)).round(8)),
        regression("constant actuals", [5.5] * 20, np.linspace(4, 7, 20).round(6)),
        regression("a constant that has no exact sum", [0.1] * 30, [0.3] * 30),
        regression("two rows", [1.0, 2.0], [1.5, 1.75]),
        regression("perfect", [1.0, 2.0, 4.0], [1.0, 2.0, 4.0]),
        regression("nothing that a logarithm takes", [-5.0, -2.0, -3.0], [-4.0, -2.5, -1.5]),
    ]

    high = (target > 140).astype(int)
    model = linear_model.LogisticRegression(max_iter=5000)
    scaled = (inputs - inputs.mean()) / inputs.std()
    scores = model_selection.cross_val_predict(model, scaled, high, cv=folds, method="predict_proba")[:, 1].round(6)
    rare = (random.uniform(size=300) < 0.03).astype(int)
    yield "binary", [
        binary("diabetes", high, scores),
        binary("diabetes, many ties", high, scores.round(1)),
        binary("another threshold", high, scores, 0.3),
        binary("all the same score", high[:50], [0.5] * 50),
        binary("certain and wrong", [1, 0, 1, 0, 1], [0.0, 1.0, 1.0, 0.0, 0.7]),
        binary("a rare class", rare, (random.beta(1, 5, 300) * (1 - rare) + random.beta(3, 4, 300) * rare).round(6)),
        binary("one class", [1, 1, 1], [0.2, 0.6, 0.9]),
        binary("two rows", [0, 1], [0.2, 0.1]),
    ]

    third = np.digitize(target, [100, 180])
    scores = model_selection.cross_val_predict(model, scaled, third, cv=folds, method="predict_proba")
    # Sixteenths add up to one exactly.
    coarse = random.multinomial(16, [0.25, 0.25, 0.25, 0.25], 120) / 16
    yield "multiclass", [
        multiclass("diabetes", third[:200], np.column_stack([scores[:200, :2].round(6), 1 - scores[:200, :2].round(6).sum(axis=1)])),
        multiclass("many ties", random.integers(0, 4, 120), coarse),
        multiclass("a class that is never predicted", [0, 1, 2, 0, 1, 2], [[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.5, 0.25, 0.25], [0.75, 0.125, 0.125], [0.5, 0.5, 0], [0, 1, 0]]),
    ]

    training = random.multinomial(10000, stats.norm.pdf(np.linspace(-2, 2, 13)) / stats.norm.pdf(np.linspace(-2, 2, 13)).sum())
    yield "distances", [
        distances("alike", training, training),
        distances("shifted", np.roll(training, 2), training),
        distances("an empty bin", [0, *training[1:]], training),
        distances("new places", [500, *training[1:]], [0, *training[1:]]),
        distances("empty on both sides", [0, 10, 0, 20, 30], [0, 300, 0, 200, 100]),
        distances("nothing in common", [100, 0, 0, 0], [0, 0, 100, 100]),
        distances("few rows", [1, 0, 2], [300, 400, 300]),
        distances("one row among millions", [1, 9_999_999], [5_000, 5_000]),
        distances("one bin", [7], [9]),
        distances("very many rows", [2**40, 2**41, 2**39], [2**41, 2**40, 2**40]),
    ]

    # A little off, so that no value lies on an edge: there two ways to compute the same edge may differ by one bit.
    bmi = data["bmi"].to_numpy(float)[:200] + random.uniform(0, 1e-3, 200).round(6)
    moved = np.where(random.uniform(size=200) < 0.1, np.nan, (random.permutation(bmi) * 1.2 - 1).round(6))
    yield "tallies", [tally("diabetes, moved", bmi, moved), tally("nothing but missing", bmi[:20], np.array([np.nan] * 3))]

    # A generator of their own, so that what follows stays as it was.
    shares = np.random.default_rng(11)
    some, rare = [0.5, 0.3, 0.2], [0.9, 0.07, 0.03]
    scores = shares.beta(2, 2, 300).round(2)
    pairs, triples = np.column_stack([1 - scores, scores]), shares.dirichlet(some, 200).round(6)
    yield "decisions", [
        decisions("two classes", shares.integers(0, 2, 150), pairs, 0.5),
        decisions("two classes, on the threshold", shares.integers(0, 2, 150), pairs, float(scores[0])),
        decisions("several classes", shares.choice(3, 150, p=some), triples),
        decisions("several classes, ties", shares.choice(3, 150, p=rare), shares.multinomial(4, [1 / 3] * 3, 200) / 4),
        decisions("a class that training did not have", shares.integers(0, 2, 150), triples),
    ]

    yield "times", [
        quantiles("usual", np.exp(random.normal(1, 1.2, 1500)).round(6)),
        quantiles("all the same", [12.5] * 10),
        quantiles("of every size", (10 ** random.uniform(-6, 7, 500)).round(9)),
        quantiles("one", [3.25]),
    ]
    minutes = random.poisson(4, 180)
    minutes[:70] = 0
    yield "loads", [load("three hours, one of them silent", minutes)]

    mixed_sizes = [1e16, 1.0, -1e16, 0.1, 1e-9, 3e15, -3e15, 7.25]
    yield "sums", [{"name": "of every size", "numbers": mixed_sizes, "answer": math.fsum(mixed_sizes)},
                   {"name": "tenths", "numbers": [0.1] * 100, "answer": math.fsum([0.1] * 100)}]


def line(case):
    return json.dumps(case, allow_nan=False, default=lambda x: x.item())


parts = []
for part, cases in everything():
    lines = ",\n".join(line(case) for case in cases)
    parts.append(f"{json.dumps(part)}: [\n{lines}\n]")
print("{\n" + ",\n".join(parts) + "\n}")
