"""A ridge regression of the progress of diabetes, written by hand."""

from math import isfinite, isnan

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.scoring import Batch, Decline, Feature, Predictions, Signature

# Each feature with what it adds to the prediction for each unit.
WEIGHTS = {
    "age": -0.03285239685543177,
    "sex": -22.607045432279943,
    "bmi": 5.6404052343656526,
    "bp": 1.1189975700485106,
    "s1": -0.9146734842698865,
    "s2": 0.5849098252881734,
    "s3": 0.17788523837880751,
    "s4": 6.250441778661595,
    "s5": 63.179080873617174,
    "s6": 0.2877669028997868,
}
INTERCEPT = -316.0771186042882


class Scoring(exports.Scoring):
    def describe(self) -> Signature:
        features = [Feature(name, "numeric", [], []) for name in WEIGHTS]
        return Signature(features, "regression", "Y", [], [])

    def score(self, batch: Batch) -> Predictions:
        width = len(WEIGHTS)
        if len(batch.numbers) != batch.rows * width or batch.texts:
            raise Err(Decline("wrong-shape", f"a row has {width} numbers", None, None))
        rows = (batch.numbers[at : at + width] for at in range(0, len(batch.numbers), width))
        return Predictions([score_row(row, numbers) for row, numbers in enumerate(rows)], [])


def score_row(row: int, numbers: list[float]) -> float:
    total = INTERCEPT
    for (name, weight), value in zip(WEIGHTS.items(), numbers):
        if isnan(value):
            raise Err(Decline("missing-value", f"{name} is missing", row, name))
        total += weight * value
    if not isfinite(total):
        raise Err(Decline("not-finite", "the numbers are too large to add up", row, None))
    return total
