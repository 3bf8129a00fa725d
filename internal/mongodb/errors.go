package mongodb

import (
	"errors"
	"net"
	"slices"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

// DuplicateKey is MongoDB's error code for a unique key that exists.
const DuplicateKey = 11000

// Errors that callers decide upon. They are wrapped with what was being done;
// compare with errors.Is.
var (
	// ErrUnreachable says that no primary answered in time.
	ErrUnreachable = errors.New("MongoDB is not reachable")
	// ErrAddress says that the connection string cannot be used.
	ErrAddress = errors.New("not a usable MongoDB connection string")
	// ErrForeign says that the database has collections that Padron did not
	// create, or belongs to another dataset.
	ErrForeign = errors.New("database is not Padron's for this dataset")
	// ErrNoMirror says that a database to be read does not exist yet.
	ErrNoMirror = errors.New("there is no mirror yet")
	// ErrFormat says that a version of Padron that is too old or too new wrote
	// the database.
	ErrFormat = errors.New("database has another format")
	// ErrName says that prefix and dataset do not make a database name.
	ErrName = errors.New("not a usable database name")
	// ErrConflict says that a document was changed by somebody else between
	// being read and being written. Nothing is lost; the same call made again
	// starts from what is stored.
	ErrConflict = errors.New("document changed while it was being written")
)

// IsDown reports whether err says that the database could not be reached, did
// not answer in time or is changing or shutting down its primary, as opposed
// to an answer that is an error. Such errors count against a circuit breaker
// and are worth a retry.
func IsDown(err error) bool {
	if errors.Is(err, ErrUnreachable) || mongo.IsNetworkError(err) || mongo.IsTimeout(err) {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	server, ok := errors.AsType[mongo.ServerError](err)
	return ok && slices.ContainsFunc(downCodes(), server.HasErrorCode)
}

// downCodes are MongoDB's error codes of a server that cannot answer now:
// https://www.mongodb.com/docs/manual/reference/error-codes/
func downCodes() []int {
	return []int{
		6,     // HostUnreachable
		7,     // HostNotFound
		89,    // NetworkTimeout
		91,    // ShutdownInProgress
		189,   // PrimarySteppedDown
		9001,  // SocketException
		10107, // NotWritablePrimary
		11600, // InterruptedAtShutdown
		11602, // InterruptedDueToReplStateChange
		13435, // NotPrimaryNoSecondaryOk
		13436, // NotPrimaryOrSecondary
	}
}
