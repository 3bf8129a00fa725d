// Shows which index a query uses: the open locations of a neighborhood.
//
//   NEIGHBORHOOD=Mission mongosh "$MONGODB_URI/padron_sf-business" --quiet explain.js
//
// What it prints differs between MongoDB and other engines; the name of the index
// is in it on each.

const filter = { "facets.neighborhood": process.env.NEIGHBORHOOD ?? "Mission", "facets.open": true }

// Every name of an index that the plan mentions, save in what was weighed and
// not taken.
function indexes(plan, found = new Set()) {
  for (const [name, value] of Object.entries(plan ?? {})) {
    if (name === "indexName") found.add(value)
    else if (typeof value === "object" && name !== "rejectedPlans" && name !== "IndexCosts") indexes(value, found)
  }
  return [...found]
}

print("filter\t" + EJSON.stringify(filter))
print("index\t" + indexes(db.businesses.find(filter).explain().queryPlanner).join(", "))
print("rows\t" + db.businesses.countDocuments(filter))
