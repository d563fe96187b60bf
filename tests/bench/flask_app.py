"""The service that a user would otherwise write: Flask and scikit-learn, served by gunicorn.

    gunicorn --workers 2 --bind 127.0.0.1:PORT --chdir tests/bench flask_app:app

It answers the same form with the same number as the gateway, and leaves no record of it.
"""

import csv
import pathlib

from flask import Flask, jsonify, request
from sklearn.linear_model import Ridge

DATA = pathlib.Path(__file__).parents[2] / "models" / "diabetes" / "diabetes.csv"

with DATA.open(newline="") as file:
    header, *rows = csv.reader(file)
features = header[:-1]
table = [[float(value) for value in row] for row in rows]
model = Ridge(alpha=1.0).fit([row[:-1] for row in table], [row[-1] for row in table])

app = Flask(__name__)


@app.route("/predict", methods=["GET", "POST"])
def predict():
    row = [float(request.form[name]) for name in features]
    return jsonify(predictions=[{"rowId": 0, "prediction": float(model.predict([row])[0])}])


@app.route("/readyz")
def readyz():
    return "ready"
