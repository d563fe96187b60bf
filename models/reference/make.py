"""Asks scikit-learn what the models of this folder should predict, and writes its answers to *.json.

    pip install scikit-learn==1.9.0 pandas && python make.py

Each file holds cases: an algorithm of `outpost train` with its parameters, rows of features as they stand in a CSV
(empty = missing), and scikit-learn's predictions for them after fitting on the whole data set.
"""

import json
import pathlib

import pandas
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import SVR

HERE = pathlib.Path(__file__).parent
README_ROW = {"age": 30, "sex": 1, "bmi": 23, "bp": 100, "s1": 157, "s2": 70, "s3": 40, "s4": 4, "s5": 3, "s6": 88}

LEARNERS = {
    "linear": LinearRegression,
    "ridge": Ridge,
    # Converged, so that what is compared is what the parameters mean and not where a solver stops.
    "lasso": lambda **p: Lasso(**{"tol": 1e-12, "max_iter": 1_000_000, **p}),
    "elastic-net": lambda **p: ElasticNet(**{"tol": 1e-12, "max_iter": 1_000_000, **p}),
    "svr": SVR,
    "knn": KNeighborsRegressor,
    "gradient-boosting": lambda **p: GradientBoostingRegressor(random_state=0, **p),
}

DIABETES = [
    ("linear", {}),
    ("ridge", {}),
    ("ridge", {"alpha": 100.0}),
    ("lasso", {}),
    ("lasso", {"alpha": 0.1}),
    ("elastic-net", {}),
    ("elastic-net", {"alpha": 0.1, "l1_ratio": 0.9}),
    ("elastic-net", {"alpha": 0.5, "l1_ratio": 0.0}),
    ("svr", {}),
    ("svr", {"C": 100.0, "epsilon": 5.0, "gamma": 0.0005, "tol": 1e-6}),
    ("svr", {"kernel": "poly", "degree": 2, "C": 1.0, "coef0": 1.0, "tol": 1e-4}),
    ("svr", {"kernel": "sigmoid", "gamma": 1e-6, "C": 10.0, "tol": 1e-6}),
    ("svr", {"kernel": "linear", "C": 0.001, "tol": 1e-4}),
    ("knn", {}),
    ("knn", {"n_neighbors": 7, "weights": "distance"}),
    ("knn", {"n_neighbors": 3, "p": 1}),
    ("knn", {"n_neighbors": 4, "p": 3, "weights": "distance"}),
    ("gradient-boosting", {"n_estimators": 20, "max_depth": 2}),
]
PENGUINS = [
    ("linear", {}),
    ("ridge", {}),
    ("lasso", {}),
    ("elastic-net", {"alpha": 0.1}),
    ("knn", {"n_neighbors": 7, "weights": "distance"}),
]


def write(name, cases):
    text = json.dumps({"scikit_learn": sklearn.__version__, "cases": cases}, indent=1)
    (HERE / name).write_text(text + "\n")


def case(algorithm, parameters, rows, model, x):
    return {
        "algorithm": algorithm,
        "parameters": {name: str(value) for name, value in parameters.items()},
        "rows": rows,
        "predictions": [float(y) for y in model.predict(x)],
    }


def diabetes():
    data = pandas.read_csv(HERE.parent / "diabetes" / "diabetes.csv")
    x, y = data.drop(columns="Y").astype(float), data["Y"].astype(float)
    asked = pandas.concat([pandas.DataFrame([README_ROW], dtype=float), x.iloc[::40]])
    rows = [{name: repr(float(value)) for name, value in row.items()} for _, row in asked.iterrows()]
    for algorithm, parameters in DIABETES:
        model = LEARNERS[algorithm](**parameters).fit(x.to_numpy(), y)
        yield case(algorithm, parameters, rows, model, asked.to_numpy())


def penguins():
    data = pandas.read_csv(HERE.parent / "penguins" / "penguins.csv")
    x, y = data.drop(columns="body_mass_g"), data["body_mass_g"].astype(float)
    categories = [name for name in x if x[name].dtype.kind not in "if"]
    numbers = [name for name in x if name not in categories]
    gap = data.index[data["sex"].isna()][0]
    asked = x.loc[[0, 50, gap, 200, 300]]
    rows = [{name: "" if pandas.isna(value) else str(value) for name, value in row.items()} for _, row in asked.iterrows()]
    # Numbers first, then one column a level; neither a linear model nor a distance depends on the order.
    prepare = ColumnTransformer([
        ("numbers", "passthrough", numbers),
        (
            "categories",
            Pipeline([
                ("fill", SimpleImputer(strategy="most_frequent")),
                ("spread", OneHotEncoder(handle_unknown="ignore", sparse_output=False)),
            ]),
            categories,
        ),
    ])
    for algorithm, parameters in PENGUINS:
        model = Pipeline([("prepare", prepare), ("learn", LEARNERS[algorithm](**parameters))]).fit(x, y)
        yield case(algorithm, parameters, rows, model, asked)


if __name__ == "__main__":
    write("diabetes.json", list(diabetes()))
    write("penguins.json", list(penguins()))
