// What changed since a day, newest run first.
//
//   SINCE=2026-11-01 mongosh "$MONGODB_URI/padron_sf-business" --quiet changes-since.js
//
// There is no index on a change's time, and none is needed: the runs since that
// day are few, and the events of a run are a range of the index "page".

const since = new Date(process.env.SINCE ?? Date.now() - 7 * 24 * 3600 * 1000)
if (isNaN(since)) throw new Error("SINCE must be a day such as 2026-11-01")

print("at\tkey\twhat\tname now")
for (const run of db.runs.find({ started: { $gte: since } }, { change_pages: 1 }).sort({ started: -1 }).toArray()) {
  if (!run.change_pages) continue // it changed nothing
  const events = db.changes.find({ page: { $gt: run._id + "/", $lt: run._id + "0" }, cause: "source" })
  while (events.hasNext()) {
    const e = events.next()
    const key = e._id.key
    const row = db.businesses.findOne({ _id: key }, { dba_name: 1, "lineage.version": 1 }) ??
      db.removed.findOne({ _id: key }, { dba_name: 1, "lineage.version": 1 })
    // An event above its row's version has not happened, or not yet.
    if (!row || e._id.version > row.lineage.version) continue
    print([e.at.toISOString(), key, e.kinds.join(", "), row.dba_name ?? ""].join("\t"))
  }
}
