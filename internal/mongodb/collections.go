package mongodb

// Names of the collections of a dataset's database. Any other collection
// belongs to users and is never touched.
const (
	Businesses = "businesses" // exactly the portal's rows, cleaned
	Removed    = "removed"    // the last document of rows that the portal no longer has
	Changes    = "changes"    // one event for each row and version
	Quarantine = "quarantine" // rows that could not become documents
	Snapshots  = "snapshots"  // headers and series
	Boundaries = "boundaries" // outlines of neighborhoods
	Runs       = "runs"       // one record for each run
	RunOrder   = "runs.order" // lists of runs by the time of their start
	Windows    = "windows"    // what became of each window of a backfill
	Alerts     = "alerts"     // one record for each condition

	LandingFiles    = "landing.files"    // committed pages, as GridFS names them
	LandingChunks   = "landing.chunks"   // their content
	LandingAttempts = "landing.attempts" // pages whose chunks may be incomplete

	marker = "padron" // says that Padron owns the database, and for which dataset
)
