// Package engine finds or sets up a MongoDB-compatible server for a stack, in
// the first of these ways that works: the one that MONGODB_URI names, mongod on
// PATH, Docker, or FerretDB in front of PostgreSQL with DocumentDB, which it
// installs in a folder of its own. It knows nothing of Padron's data.
package engine
