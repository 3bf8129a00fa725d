// Package socrata is a client for one dataset on a Socrata portal, over the SODA 2.1
// API (https://dev.socrata.com/docs/endpoints).
//
// It asks for pages of rows by key range, for rows by key, for counts, for the key
// at an offset, for outlines and for the dataset's metadata. Each answer carries the
// version of the copy that served it. Every failure is an [Error] that says whether
// another try can help and whether the portal itself is in trouble; the package
// itself never tries again. It does not interpret rows beyond their keys. Whatever
// asks a portal may import it, directly or for its types.
package socrata
