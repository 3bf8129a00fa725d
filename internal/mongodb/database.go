package mongodb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
)

const (
	// defaultCallTimeout bounds each single MongoDB call of a write path, so
	// that an activity that lost its heartbeat stops writing before another
	// attempt starts (heartbeat timeout 15 s).
	defaultCallTimeout = 8 * time.Second

	// defaultScanTimeout bounds calls that must look at every document: an
	// aggregation, an index build. 368,000 documents take some 3 s, so this
	// is enough for several million on a small machine; a step that has longer,
	// because there are more, gives its calls longer (Scan).
	defaultScanTimeout = 10 * time.Minute

	// scanShare is the share of what is left of a step's deadline that one such
	// call may take.
	scanShare = 3

	// maxDatabaseName is MongoDB's limit, in bytes.
	maxDatabaseName = 63

	// Format is the version of the stored form that this program reads and
	// writes. Format 1 had other names in the records of runs.
	Format = 2

	nameChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
)

// Database is one dataset's database. It is safe for concurrent use.
type Database struct {
	db      *mongo.Database
	dataset string
	format  atomic.Int32 // as stored

	readOnly    bool
	callTimeout time.Duration
	scanTimeout time.Duration
}

// Option changes a default of Open.
type Option func(*Database)

// WithCallTimeout bounds each MongoDB call of reading and writing rows
// (default 8 s). It must stay below the heartbeat timeout of the activities.
func WithCallTimeout(d time.Duration) Option { return func(db *Database) { db.callTimeout = d } }

// WithScanTimeout bounds each call that must look at every document:
// aggregations and index builds (default 10 min).
func WithScanTimeout(d time.Duration) Option { return func(db *Database) { db.scanTimeout = d } }

// ReadOnly makes Open leave the database as it is: one that does not exist is
// ErrNoMirror and is not created, one of an older format is ErrFormat.
func ReadOnly() Option { return func(db *Database) { db.readOnly = true } }

// Open opens the database of a dataset, <prefix>_<dataset>. In an empty
// database it writes Padron's marker; a database with collections but without
// the marker, or with another dataset's, is refused with ErrForeign. One of an
// older format is opened for writing, to be converted (StoredFormat); one of a
// newer format is ErrFormat.
func Open(ctx context.Context, client *mongo.Client, prefix, dataset string, opts ...Option) (*Database, error) {
	name := prefix + "_" + dataset
	if prefix == "" || dataset == "" || len(name) > maxDatabaseName || strings.Trim(name, nameChars) != "" {
		return nil, fmt.Errorf("%w: %q: use letters, digits, - and _, at most %d in all (MONGODB_DATABASE, PADRON_DATASET)",
			ErrName, name, maxDatabaseName)
	}
	db := &Database{dataset: dataset, callTimeout: defaultCallTimeout, scanTimeout: defaultScanTimeout}
	for _, o := range opts {
		o(db)
	}
	concern, err := db.readConcern(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", name, err)
	}
	db.db = client.Database(name, options.Database().SetReadConcern(concern))
	if err := db.claim(ctx); err != nil {
		return nil, fmt.Errorf("open database %s: %w", name, err)
	}
	return db, nil
}

// readConcern is how reads of the database are made: where the server keeps
// copies, of what a majority of them has. A primary that has lost its majority
// and does not know it yet would else tell what is no longer so, or never was,
// and a run decides by what it reads. A server without copies has no such
// concern, or it means nothing there.
func (db *Database) readConcern(ctx context.Context, client *mongo.Client) (*readconcern.ReadConcern, error) {
	call, cancel := db.Call(ctx)
	defer cancel()
	hello, err := client.Database("admin").RunCommand(call, bson.D{{Key: "hello", Value: 1}}).Raw()
	if err != nil {
		return nil, err
	}
	return concernOf(hello), nil
}

// concernOf is the read concern for a server that answers hello so: one of a
// replica set, or a router of a sharded cluster, keeps copies.
func concernOf(hello bson.Raw) *readconcern.ReadConcern {
	if Text(hello, "setName") != "" || Text(hello, "msg") == "isdbgrid" {
		return readconcern.Majority()
	}
	return readconcern.Local()
}

// claim checks Padron's marker and writes it into an empty database. Two
// workers opening a new database at the same moment both succeed: the marker
// has a fixed _id, and whoever loses reads the winner's.
func (db *Database) claim(ctx context.Context) error {
	found, err := db.checkMarker(ctx)
	if err != nil || found {
		return err
	}
	call, cancel := db.Call(ctx)
	names, err := db.db.ListCollectionNames(call, bson.D{})
	cancel()
	if err != nil {
		return err
	}
	for _, n := range names {
		if n == marker || strings.HasPrefix(n, "system.") {
			continue
		}
		// The other collections may be younger than our first look.
		if found, err := db.checkMarker(ctx); err != nil || found {
			return err
		}
		return fmt.Errorf("%w: it has the collection %q but not Padron's marker; use another MONGODB_DATABASE", ErrForeign, n)
	}
	if db.readOnly {
		return ErrNoMirror
	}
	call, cancel = db.Call(ctx)
	_, err = db.Collection(marker).InsertOne(call, bson.D{
		{Key: "_id", Value: "owner"},
		{Key: "dataset", Value: db.dataset},
		{Key: "format", Value: int32(Format)},
		{Key: "created", Value: time.Now().UTC()},
	})
	cancel()
	if err != nil && !mongo.IsDuplicateKeyError(err) {
		return err
	}
	_, err = db.checkMarker(ctx)
	return err
}

func (db *Database) checkMarker(ctx context.Context) (found bool, err error) {
	call, cancel := db.Call(ctx)
	defer cancel()
	var owner struct {
		Dataset string `bson:"dataset"`
		Format  int32  `bson:"format"`
	}
	err = db.Collection(marker).FindOne(call, ByID("owner")).Decode(&owner)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	db.format.Store(owner.Format)
	switch {
	case owner.Dataset != db.dataset:
		return true, fmt.Errorf("%w: it belongs to the dataset %q; use another MONGODB_DATABASE", ErrForeign, owner.Dataset)
	case owner.Format > Format:
		return true, fmt.Errorf("%w: %d, written by a newer version; this one reads %d: use the newer version", ErrFormat, owner.Format, Format)
	case owner.Format < Format && db.readOnly:
		return true, fmt.Errorf("%w: %d, written by an older version: a worker of this version converts it when it starts", ErrFormat, owner.Format)
	}
	return true, nil
}

// StoredFormat is the format of what is stored, at most Format.
func (db *Database) StoredFormat() int { return int(db.format.Load()) }

// SetFormat records that what is stored has the current format.
func (db *Database) SetFormat(ctx context.Context) error {
	call, cancel := db.Call(ctx)
	defer cancel()
	_, err := db.Collection(marker).UpdateOne(call, ByID("owner"), bson.D{{Key: "$set", Value: bson.D{{Key: "format", Value: int32(Format)}}}})
	if err != nil {
		return fmt.Errorf("record the format of the database: %w", err)
	}
	db.format.Store(Format)
	return nil
}

// Created is when the dataset's database was made.
func (db *Database) Created(ctx context.Context) (time.Time, error) {
	call, cancel := db.Call(ctx)
	defer cancel()
	var owner struct {
		Created time.Time `bson:"created"`
	}
	if err := db.Collection(marker).FindOne(call, ByID("owner")).Decode(&owner); err != nil {
		return time.Time{}, fmt.Errorf("read when the mirror was made: %w", err)
	}
	return owner.Created, nil
}

// Now is the time by the server's clock, which all workers share; by this
// machine's where the server does not tell it.
func (db *Database) Now(ctx context.Context) (time.Time, error) {
	call, cancel := db.Call(ctx)
	defer cancel()
	hello, err := db.db.RunCommand(call, bson.D{{Key: "hello", Value: 1}}).Raw()
	if err != nil {
		return time.Time{}, fmt.Errorf("ask the database for the time: %w", err)
	}
	if at, ok := hello.Lookup("localTime").TimeOK(); ok {
		return at.UTC(), nil
	}
	return time.Now().UTC(), nil
}

// Name is the database's name in MongoDB.
func (db *Database) Name() string { return db.db.Name() }

// Dataset is the dataset's name that Open was given.
func (db *Database) Dataset() string { return db.dataset }

// Collection is a collection of the database.
func (db *Database) Collection(name string) *mongo.Collection { return db.db.Collection(name) }

// Command sends a command and returns the server's answer.
func (db *Database) Command(ctx context.Context, command any) (bson.Raw, error) {
	call, cancel := db.Call(ctx)
	defer cancel()
	return db.db.RunCommand(call, command).Raw()
}

// Call bounds one MongoDB call of reading or writing rows.
func (db *Database) Call(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, db.callTimeout)
}

// Scan bounds one MongoDB call that must look at every document: by the timeout
// of WithScanTimeout, or by a third of what is left until the context's deadline
// where that is longer. The deadlines of steps grow with the register, and so do
// those of such calls.
func (db *Database) Scan(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := db.scanTimeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = max(timeout, time.Until(deadline)/scanShare)
	}
	return context.WithTimeout(ctx, timeout)
}
