"""Counts open and closed locations by neighborhood, from an exported file.

    starter export --file businesses.csv
    python3 files.py businesses.csv

    starter export -o parquet --file businesses.parquet
    python3 files.py businesses.parquet      # needs pyarrow
"""

import json
import sys

import pandas as pd


def read(file):
    """The file's rows, with the types that the columns have."""
    if file.endswith(".parquet"):
        return pd.read_parquet(file)
    # Everything is text first. Leading zeros matter, and a business may be called
    # "NA" or "null": only an empty cell is a missing value.
    rows = pd.read_csv(file, dtype=str, keep_default_na=False, na_values=[""])
    for name in rows.columns:
        if name.startswith("dates."):
            # Days of 1848 and of 2205 are in it: both fit, others may not.
            rows[name] = pd.to_datetime(rows[name], format="%Y-%m-%d", errors="coerce")
        elif name in ("facets.open", "administratively_closed") or name.startswith("taxes."):
            rows[name] = rows[name].map({"true": True, "false": False}).astype("boolean")
        elif name in ("location.longitude", "location.latitude"):
            rows[name] = rows[name].astype(float)
        else:
            # The apostrophe keeps spreadsheets from running text as a formula.
            rows[name] = rows[name].str.replace(r"^'(?=[=+\-@\t\r])", "", regex=True)
    return rows


def count(rows):
    """Open and closed locations by neighborhood, most open ones first."""
    rows = rows.assign(neighborhood=rows["facets.neighborhood"].fillna("(unknown)"), open=rows["facets.open"].astype(bool))
    counts = rows.groupby("neighborhood")["open"].agg(open="sum", closed=lambda o: (~o).sum())
    return counts.reset_index().sort_values(["open", "neighborhood"], ascending=[False, True])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1] + ".about.json", encoding="utf-8") as text:
        about = json.load(text)
    certificate = about["certificate"] or {}
    print(f"{about['rows']} rows of {certificate.get('version')}, {certificate.get('outcome')}", file=sys.stderr)
    if about["run_under_way"]:
        print("a run was under way: rows may be of two states of the portal", file=sys.stderr)
    count(read(sys.argv[1])).to_csv(sys.stdout, index=False)
