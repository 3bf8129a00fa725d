// Open and closed locations by neighborhood, most open ones first.
//
//   mongosh "$MONGODB_URI/padron_sf-business" --quiet counts.js
//
// The first way counts all documents, which takes a second or two; the second
// reads the counts that the last run stored, which takes a millisecond.

const counted = db.businesses.aggregate([
  { $group: {
    _id: "$facets.neighborhood",
    open: { $sum: { $cond: ["$facets.open", 1, 0] } },
    closed: { $sum: { $cond: ["$facets.open", 0, 1] } },
  } },
  { $sort: { open: -1, _id: 1 } },
]).toArray()

print("neighborhood\topen\tclosed")
for (const n of counted) print([n._id ?? "(unknown)", n.open, n.closed].join("\t"))

// The header of the newest observed snapshot: _ids begin with the date, and those
// of the series with "series/".
const snapshot = db.snapshots.find({ _id: { $lt: ":" }, basis: "observed", outcome: "green" }).sort({ _id: -1 }).limit(1).next()
const stored = db.snapshots.findOne({ _id: "series/" + snapshot._id + "/neighborhood" })
// Stored counts are 64 bits wide: Number makes them comparable.
const same = stored.rows.every(s => counted.some(n =>
  (n._id ?? "") === s.name && n.open === Number(s.open) && n.closed === Number(s.closed)))
print("\nas of " + snapshot.as_of.toISOString().slice(0, 10) + ", run " + snapshot.run + ": " +
  (same ? "the snapshot says the same" : "the mirror has changed since the snapshot"))
