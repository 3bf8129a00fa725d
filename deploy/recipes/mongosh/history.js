// What happened to one row, oldest first, and what it is now.
//
//   KEY=0123456-01-001 mongosh "$MONGODB_URI/padron_sf-business" --quiet history.js

const key = process.env.KEY
if (!key) throw new Error("say of which row: KEY=0123456-01-001")

const present = db.businesses.findOne({ _id: key })
const row = present ?? db.removed.findOne({ _id: key })
if (!row) throw new Error("there is no row " + key)

const iso = v => v instanceof Date ? v.toISOString().slice(0, 10) : v === undefined ? "(none)" : EJSON.stringify(v)
print(key + "\t" + (present ? (row.facets.open ? "open" : "closed") : "removed") + "\tversion " + row.lineage.version)
print(row.lineage.first_seen.toISOString() + "\tfirst seen")

// An event's _id holds key and version, so that a row's events are a range of _ids.
const range = { $gt: { key, version: MinKey() }, $lt: { key, version: MaxKey() } }
const events = db.changes.find({ _id: range }).toArray().filter(e => e._id.version <= row.lineage.version)
events.sort((a, b) => a._id.version - b._id.version)
for (const e of events) {
  print([e.at.toISOString(), e.kinds.join(", "), "version " + e._id.version, e.cause].join("\t"))
  if (e.kinds[0] === "opened") continue // it has the whole document
  for (const f of e.fields) {
    if (/^(facets|quality|source)\./.test(f.path)) continue // Padron's own
    print("\t" + f.path + ": " + iso(f.from) + " → " + iso(f.to))
  }
}
