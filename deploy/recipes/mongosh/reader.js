// Makes a role that may read what the read model lists, and nothing else, and a
// user who has it. Run it once, as somebody who may:
//
//   mongosh "$MONGODB_URI/padron_sf-business?authSource=admin" reader.js
//
// The built-in role "read" would show the raw pages of the landing and the rows
// in quarantine too.

const collections = ["businesses", "removed", "changes", "snapshots", "runs", "runs.order", "windows", "alerts"]
db.createRole({
  role: "padronReader",
  privileges: collections.map(collection => ({
    resource: { db: db.getName(), collection },
    actions: ["find", "listIndexes", "collStats"],
  })),
  roles: [],
})
db.createUser({ user: "analyst", pwd: passwordPrompt(), roles: ["padronReader"] })
print("user analyst may read " + collections.join(", ") + " of " + db.getName())
