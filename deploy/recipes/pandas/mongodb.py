"""Counts open and closed locations by neighborhood, straight from MongoDB.

    MONGODB_URI=mongodb://127.0.0.1:27017 python3 mongodb.py padron_sf-business
"""

import os
import sys

import pandas as pd
import pymongo


def open_locations(db):
    """The open locations as a table, with the columns that are asked for."""
    fields = {"dba_name": 1, "facets.neighborhood": 1, "facets.sector": 1, "dates.location_start_date": 1}
    # This reads every document: of facets.open alone there is no index. Only what
    # is asked for comes over the wire, and nothing that is private.
    return pd.json_normalize(list(db.businesses.find({"facets.open": True}, fields)))


def counts(db):
    """Open and closed locations by neighborhood, counted by the server."""
    pipeline = [
        {"$group": {
            "_id": "$facets.neighborhood",
            "open": {"$sum": {"$cond": ["$facets.open", 1, 0]}},
            "closed": {"$sum": {"$cond": ["$facets.open", 0, 1]}},
        }},
    ]
    table = pd.DataFrame(list(db.businesses.aggregate(pipeline))).rename(columns={"_id": "neighborhood"})
    table["neighborhood"] = table["neighborhood"].fillna("(unknown)")
    return table.sort_values(["open", "neighborhood"], ascending=[False, True])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    client = pymongo.MongoClient(os.environ.get("MONGODB_URI", "mongodb://127.0.0.1:27017"), tz_aware=True)
    database = client[sys.argv[1]]
    newest = database.runs.find_one({"certificate.outcome": {"$exists": True}}, sort=[("started", -1)])
    print(f"run {newest['_id']}: {newest['certificate']['outcome']}", file=sys.stderr)
    print(f"{len(open_locations(database))} open locations", file=sys.stderr)
    counts(database).to_csv(sys.stdout, index=False)
