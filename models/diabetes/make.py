"""Writes diabetes.csv: the diabetes data that scikit-learn bundles, in its raw units.

    pip install scikit-learn==1.9.0 && python make.py
"""

import csv
import pathlib

from sklearn.datasets import load_diabetes

data = load_diabetes(scaled=False)
path = pathlib.Path(__file__).with_name("diabetes.csv")
with path.open("w", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*data.feature_names, "Y"])
    for row, target in zip(data.data, data.target):
        # The shortest text that reads back as the same number, whole numbers without a point.
        writer.writerow([int(x) if x == int(x) else repr(float(x)) for x in [*row, target]])
