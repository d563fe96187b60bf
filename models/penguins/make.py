"""Writes penguins.csv: the Palmer penguins as the palmerpenguins wheel has them, without the birds that were not
weighed (body mass is what the models predict) and without the year.

    pip install palmerpenguins && python make.py
"""

import csv
import importlib.util
import pathlib

package = pathlib.Path(importlib.util.find_spec("palmerpenguins").origin).parent
with (package / "data" / "penguins.csv").open(newline="") as file:
    rows = list(csv.DictReader(file))
columns = [name for name in rows[0] if name != "year"]
path = pathlib.Path(__file__).with_name("penguins.csv")
with path.open("w", newline="") as file:
    writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(row for row in rows if row["body_mass_g"] not in ("", "NA"))
