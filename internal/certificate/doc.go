// Package certificate judges counts: whether the gate lets a crawl through,
// what a run's certificate says, whether a run may be skipped, and how many
// removals one run may make. Its functions are pure: counts in, checks and an
// outcome out.
//
// It never reads the database or the portal. It may be imported by runs, which
// keeps its verdicts, and by everything above.
package certificate
