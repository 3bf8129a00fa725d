// Package landing is the landing zone: it keeps pages between the steps of a
// run, raw as the portal served them, cleaned as records, and pages of keys.
// Two implementations: GridFS in the dataset's database, or a directory that
// all workers share.
//
// It never interprets a row, and a page never changes once it is committed. It
// may be imported by the packages that write or read pages (crawl, mirror,
// runs, quarantine), by activities and by the two programs for its
// configuration.
package landing
