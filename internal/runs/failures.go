package runs

// Types of failures, as Temporal shows the errors of activities. CircuitOpen is
// guard's.
const (
	UnknownDataset     = "UnknownDataset"     // the worker does not serve the dataset; retried elsewhere
	SpecUnusable       = "SpecUnusable"       // the spec's rules make no cleaner; not retried
	WrongBuild         = "WrongBuild"         // the worker's spec is not the run's; retried elsewhere
	WorkerStopping     = "WorkerStopping"     // the worker drained the step; retried elsewhere
	SchemaChanged      = "SchemaChanged"      // the portal's columns do not fit the spec; not retried
	PortalRefused      = "PortalRefused"      // token wrong, dataset private or missing; not retried
	PortalUnavailable  = "PortalUnavailable"  // retried
	BotCheck           = "BotCheck"           // a bot check in front of the portal; retried slowly
	PortalLagging      = "PortalLagging"      // an old copy answered; retried
	DatabaseFailed     = "DatabaseFailed"     // retried
	ForeignDatabase    = "ForeignDatabase"    // the database is not Padron's; not retried
	LandingCorrupt     = "LandingCorrupt"     // a landed page is gone, or is not what was written; not retried
	PageUnusable       = "PageUnusable"       // a page whose rows cannot be worked on, however often; not retried
	BoundariesUnusable = "BoundariesUnusable" // what the portal publishes is no outlines of areas; not retried
	GateClosed         = "GateClosed"         // the crawl must not be written; not retried
	ReceiverRefused    = "ReceiverRefused"    // the webhook's receiver does not take the message; not retried
	ReceiverDown       = "ReceiverDown"       // it does not answer, or asks to wait; retried
	NothingToDo        = "NothingToDo"        // the job has nothing to work on, or must not be done now; not retried
)
