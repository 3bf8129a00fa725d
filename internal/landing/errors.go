package landing

import "errors"

// Errors that callers decide upon. They are wrapped with what was being done;
// compare with errors.Is.
var (
	// ErrCorrupt says that a landed page is not what was committed.
	ErrCorrupt = errors.New("landed page is corrupt")
	// ErrNoPage says that the landing has no committed page of that id.
	ErrNoPage = errors.New("no such landed page")
	// ErrDuplicateKey says that a key occurs twice in the pages of one range.
	ErrDuplicateKey = errors.New("key occurs twice")
	// ErrOrder says that pages declared as ordered are not, or that a key
	// lies outside the range it was fetched for.
	ErrOrder = errors.New("key out of order")
)
