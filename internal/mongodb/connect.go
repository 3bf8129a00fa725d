package mongodb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"
)

const (
	// appName is what MongoDB's logs and currentOp show for our connections.
	appName = "padron"

	// selectTimeout bounds the search for a primary. An activity has a
	// heartbeat timeout of 15 s; a database that does not answer must be an
	// error well before that.
	selectTimeout = 5 * time.Second

	// authenticationFailed is MongoDB's error code for a wrong user or
	// password.
	authenticationFailed = 18
)

// Connect dials uri and verifies with a ping that a primary answers. Whatever
// uri says, writes wait for a majority, reads go to the primary (and see what a
// majority has, see Open) and nothing
// is compressed on the wire. adjust functions (a command monitor, a pool
// size) run before those settings, so they cannot loosen them.
//
// The error names the hosts, never user, password or parameters, and says
// what to do; it is ErrAddress or ErrUnreachable.
func Connect(ctx context.Context, uri string, adjust ...func(*options.ClientOptions)) (*mongo.Client, error) {
	address := Address(uri)
	opts := options.Client().ApplyURI(uri)
	if err := opts.Validate(); err != nil {
		// The driver quotes parts of the string in some of its errors, and
		// with credentials in it any part may be the secret one.
		if strings.Contains(uri, "@") {
			err = errors.New("check scheme, escaping of user and password (percent-encoded), hosts and parameters")
		}
		return nil, fmt.Errorf("%w: %s: %w (set MONGODB_URI, such as mongodb://127.0.0.1:27017)", ErrAddress, address, err)
	}
	for _, f := range adjust {
		f(opts)
	}
	opts.SetAppName(appName).
		SetServerSelectionTimeout(selectTimeout).
		SetConnectTimeout(selectTimeout).
		SetWriteConcern(writeconcern.Majority()).
		SetReadConcern(readconcern.Local()).
		SetReadPreference(readpref.Primary()).
		SetCompressors(nil).
		// What a run does not know yet is absent from its record, not zero.
		// Types of packages that know nothing of BSON (the portal's versions
		// and key ranges) are stored by their JSON names.
		SetBSONOptions(&options.BSONOptions{OmitZeroStruct: true, UseJSONStructTags: true})

	client, err := mongo.Connect(opts)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w (check MONGODB_URI)", ErrAddress, address, err)
	}
	ctx, cancel := context.WithTimeout(ctx, selectTimeout+time.Second)
	defer cancel()
	if err := client.Ping(ctx, readpref.Primary()); err != nil {
		// The ping's error is the one to report.
		_ = client.Disconnect(context.WithoutCancel(ctx))
		if server, ok := errors.AsType[mongo.ServerError](err); ok && server.HasErrorCode(authenticationFailed) {
			return nil, fmt.Errorf("%w: %s refuses its user or password (check MONGODB_URI)", ErrAddress, address)
		}
		if selection, ok := errors.AsType[topology.ServerSelectionError](err); ok {
			err = lastError(selection)
		}
		return nil, fmt.Errorf("%w at %s: start it, or set MONGODB_URI to where it runs: %w", ErrUnreachable, address, err)
	}
	return client, nil
}

// lastError is why a server was not found: the servers' last errors, without
// the driver's description of the topology.
func lastError(e topology.ServerSelectionError) error {
	var all []string
	for _, s := range e.Desc.Servers {
		if s.LastError != nil {
			all = append(all, s.LastError.Error())
		}
	}
	if len(all) == 0 {
		return e.Wrapped
	}
	return errors.New(strings.Join(all, "; "))
}

// Address is the part of a connection string that may be shown: scheme and
// hosts, without user, password, database and parameters.
func Address(uri string) string {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return "(no scheme)"
	}
	// A password may hold an unescaped slash or question mark, so the user
	// part ends at the last @ of all, and only then comes the path. A @ in a
	// parameter then hides the hosts, which is the safe side.
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = rest[at+1:]
	}
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		rest = rest[:end]
	}
	return scheme + "://" + rest
}
