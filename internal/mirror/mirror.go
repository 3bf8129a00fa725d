// Package mirror keeps one dataset's copy in MongoDB: its landing, its
// documents, quarantine, runs, snapshots and indexes. It knows nothing of
// Temporal, of dataset specs or of cleaning: it is given pages of finished
// documents with their hashes and makes the database equal to them.
//
// Everything here runs on MongoDB and on engines that speak its protocol but
// have no transactions, change streams or collations. Writes carry write
// concern majority, reads go to the primary.
package mirror

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"
)

// Names of the collections of a dataset's database. Any other collection
// belongs to users and is never touched.
const (
	Businesses = "businesses" // exactly the portal's rows
	Quarantine = "quarantine" // rows that could not become documents
	RunRecords = "runs"       // one document per run
	Snapshots  = "snapshots"  // headers and series parts
	marker     = "padron"     // says that Padron owns the database, and for which dataset
)

const (
	// appName is what MongoDB's logs and currentOp show for our connections.
	appName = "padron"

	// selectTimeout bounds the search for a primary. An activity has a
	// heartbeat timeout of 15 s; a database that does not answer must be an
	// error well before that.
	selectTimeout = 5 * time.Second

	// defaultCallTimeout bounds each single MongoDB call of a write path, so
	// that an activity that lost its heartbeat stops writing before another
	// attempt starts (heartbeat timeout 15 s).
	defaultCallTimeout = 8 * time.Second

	// defaultScanTimeout bounds calls that must look at every document: an
	// aggregation, an index build. 368,000 documents take some 3 s, so this
	// is enough for several million on a small machine.
	defaultScanTimeout = 10 * time.Minute

	// maxDatabaseName is MongoDB's limit, in bytes.
	maxDatabaseName = 63

	// authenticationFailed is MongoDB's error code for a wrong user or password.
	authenticationFailed = 18

	// duplicateKey is MongoDB's error code for a unique key that exists.
	duplicateKey = 11000
)

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
	// ErrName says that prefix and dataset do not make a database name.
	ErrName = errors.New("not a usable database name")
	// ErrConflict says that a row was changed by somebody else between being
	// read and being written. Nothing is lost; the same call made again
	// starts from what is stored.
	ErrConflict = errors.New("row changed while it was being written")
	// ErrCorrupt says that a landed page is not what was committed.
	ErrCorrupt = errors.New("landed page is corrupt")
	// ErrNoPage says that the landing has no committed page of that id.
	ErrNoPage = errors.New("no such landed page")
	// ErrDuplicateKey says that a key occurs twice in the pages of one range.
	ErrDuplicateKey = errors.New("key occurs twice")
	// ErrOrder says that pages declared as ordered are not, or that a key
	// lies outside the range it was fetched for.
	ErrOrder = errors.New("key out of order")
	// ErrForeignRow says that a document in businesses is none of Padron's.
	ErrForeignRow = errors.New("document is not Padron's")
	// ErrNoDocument says that a row was stored as it is when its page was
	// cleaned, and no longer is.
	ErrNoDocument = errors.New("the page has no document of the row")
	// ErrNoRun says that there is no run of that id, or none such.
	ErrNoRun = errors.New("no such run")
	// ErrNoSnapshot says that there is no snapshot of that id.
	ErrNoSnapshot = errors.New("no such snapshot")
)

// Connect dials uri and verifies with a ping that a primary answers. Whatever
// uri says, writes wait for a majority, reads go to the primary and nothing
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
		SetBSONOptions(&options.BSONOptions{OmitZeroStruct: true})

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

// lastError is why a server was not found: what the servers answered last,
// without the driver's picture of the topology around it.
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

// Mirror is one dataset's database. It is safe for concurrent use.
type Mirror struct {
	db      *mongo.Database
	dataset string

	readOnly    bool
	callTimeout time.Duration
	scanTimeout time.Duration
	batchRows   int
	batchBytes  int
}

// Option changes a default of Open.
type Option func(*Mirror)

// WithCallTimeout bounds each MongoDB call of reading and writing rows
// (default 8 s). It must stay below the heartbeat timeout of the activities.
func WithCallTimeout(d time.Duration) Option { return func(m *Mirror) { m.callTimeout = d } }

// WithScanTimeout bounds each call that must look at every document:
// aggregations and index builds (default 10 min).
func WithScanTimeout(d time.Duration) Option { return func(m *Mirror) { m.scanTimeout = d } }

// WithBatch bounds one write command by rows and by bytes of documents,
// whichever comes first (default 2,000 rows, 2 MiB).
func WithBatch(rows, bytes int) Option {
	return func(m *Mirror) { m.batchRows, m.batchBytes = rows, bytes }
}

// ReadOnly makes Open leave the database as it is: one that does not exist is
// ErrNoMirror and is not created.
func ReadOnly() Option { return func(m *Mirror) { m.readOnly = true } }

// Open opens the database of a dataset, <prefix>_<dataset>. In an empty
// database it writes Padron's marker; a database with collections but without
// the marker, or with another dataset's, is refused with ErrForeign.
func Open(ctx context.Context, client *mongo.Client, prefix, dataset string, opts ...Option) (*Mirror, error) {
	name := prefix + "_" + dataset
	if prefix == "" || dataset == "" || len(name) > maxDatabaseName || strings.Trim(name, nameChars) != "" {
		return nil, fmt.Errorf("%w: %q: use letters, digits, - and _, at most %d in all (MONGODB_DATABASE, PADRON_DATASET)",
			ErrName, name, maxDatabaseName)
	}
	m := &Mirror{
		db:          client.Database(name),
		dataset:     dataset,
		callTimeout: defaultCallTimeout,
		scanTimeout: defaultScanTimeout,
		batchRows:   defaultBatchRows,
		batchBytes:  defaultBatchBytes,
	}
	for _, o := range opts {
		o(m)
	}
	if err := m.claim(ctx); err != nil {
		return nil, fmt.Errorf("open database %s: %w", name, err)
	}
	return m, nil
}

const nameChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

// claim checks Padron's marker and writes it into an empty database. Two
// workers opening a new database at the same moment both succeed: the marker
// has a fixed _id, and whoever loses reads the winner's.
func (m *Mirror) claim(ctx context.Context) error {
	found, err := m.checkMarker(ctx)
	if err != nil || found {
		return err
	}
	call, cancel := m.call(ctx)
	names, err := m.db.ListCollectionNames(call, bson.D{})
	cancel()
	if err != nil {
		return err
	}
	for _, n := range names {
		if n == marker || strings.HasPrefix(n, "system.") {
			continue
		}
		// The other collections may be younger than our first look.
		if found, err := m.checkMarker(ctx); err != nil || found {
			return err
		}
		return fmt.Errorf("%w: it has the collection %q but not Padron's marker; use another MONGODB_DATABASE", ErrForeign, n)
	}
	if m.readOnly {
		return ErrNoMirror
	}
	call, cancel = m.call(ctx)
	_, err = m.db.Collection(marker).InsertOne(call, bson.D{
		{Key: "_id", Value: "owner"},
		{Key: "dataset", Value: m.dataset},
		{Key: "format", Value: int32(1)},
		{Key: "created", Value: time.Now().UTC()},
	})
	cancel()
	if err != nil && !mongo.IsDuplicateKeyError(err) {
		return err
	}
	_, err = m.checkMarker(ctx)
	return err
}

func (m *Mirror) checkMarker(ctx context.Context) (found bool, err error) {
	call, cancel := m.call(ctx)
	defer cancel()
	var owner struct {
		Dataset string `bson:"dataset"`
	}
	err = m.db.Collection(marker).FindOne(call, bson.D{{Key: "_id", Value: "owner"}}).Decode(&owner)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if owner.Dataset != m.dataset {
		return true, fmt.Errorf("%w: it belongs to the dataset %q; use another MONGODB_DATABASE", ErrForeign, owner.Dataset)
	}
	return true, nil
}

// Database is the dataset's database, for reads that have no method here.
func (m *Mirror) Database() *mongo.Database { return m.db }

// Dataset is the name that Open was given.
func (m *Mirror) Dataset() string { return m.dataset }

// Count is the exact number of documents in businesses. It looks at all.
func (m *Mirror) Count(ctx context.Context) (int64, error) {
	scan, cancel := m.scan(ctx)
	defer cancel()
	n, err := m.db.Collection(Businesses).CountDocuments(scan, bson.D{})
	if err != nil {
		return 0, fmt.Errorf("count documents: %w", err)
	}
	return n, nil
}

func (m *Mirror) call(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, m.callTimeout)
}

func (m *Mirror) scan(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, m.scanTimeout)
}

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
