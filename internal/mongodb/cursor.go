package mongodb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	// ReadBatch is how many documents one reply of a cursor holds, and how many
	// keys one lookup asks for. Measured: 1,000 is as fast as more.
	ReadBatch = 1000

	// oneBatch asks for all groups in one reply. Servers send less when that
	// would exceed a message's 16 MB.
	oneBatch = 10_000_000
)

// EachDocument visits the documents that a filter matches, in order of _id.
// Each batch has a deadline of its own. The document is valid until visit
// returns.
func (db *Database) EachDocument(ctx context.Context, collection string, filter bson.D, opts *options.FindOptionsBuilder, visit func(bson.Raw) error) error {
	call, cancel := db.Call(ctx)
	cursor, err := db.Collection(collection).Find(call, filter, opts.SetSort(bson.D{{Key: "_id", Value: 1}}).SetBatchSize(ReadBatch))
	cancel()
	if err != nil {
		return fmt.Errorf("read %s: %w", collection, err)
	}
	defer db.CloseCursor(ctx, cursor)
	for {
		more, err := db.Advance(ctx, cursor)
		if err != nil {
			return fmt.Errorf("read %s: %w", collection, err)
		}
		if !more {
			return nil
		}
		if err := visit(cursor.Current); err != nil {
			return err
		}
	}
}

// Advance goes to a cursor's next document and returns false at the end. Only a
// new batch is a call to the server and needs a deadline.
func (db *Database) Advance(ctx context.Context, cursor *mongo.Cursor) (bool, error) {
	if cursor.RemainingBatchLength() == 0 {
		call, cancel := db.Call(ctx)
		defer cancel()
		ctx = call
	}
	return cursor.Next(ctx), cursor.Err()
}

// CloseCursor closes a cursor. One that cannot be closed times out on the
// server.
func (db *Database) CloseCursor(ctx context.Context, cursor *mongo.Cursor) {
	call, cancel := db.Call(context.WithoutCancel(ctx))
	defer cancel()
	_ = cursor.Close(call)
}

// HasAny reports whether a collection has a document.
func (db *Database) HasAny(ctx context.Context, collection string) (bool, error) {
	call, cancel := db.Call(ctx)
	defer cancel()
	err := db.Collection(collection).FindOne(call, bson.D{}, options.FindOne().SetProjection(IDOnly())).Err()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look into %s: %w", collection, err)
	}
	return true, nil
}

// Group runs a pipeline whose documents are made by a $group, and visits the
// groups.
//
// When they do not fit into one reply, the pipeline runs again, sorted. The
// local engine runs a pipeline anew for the second batch and skips as many
// groups as it has sent; but then they come in another order, so that some
// would come twice and others not at all (measured: 4 of 51,792).
func (db *Database) Group(ctx context.Context, collection string, pipeline bson.A, visit func(bson.Raw)) error {
	scan, cancel := db.Scan(ctx)
	defer cancel()
	opts := options.Aggregate().SetAllowDiskUse(true).SetBatchSize(oneBatch)
	cursor, err := db.Collection(collection).Aggregate(scan, pipeline, opts)
	if err != nil {
		return err
	}
	if cursor.ID() != 0 {
		db.CloseCursor(ctx, cursor)
		sorted := append(slices.Clone(pipeline), bson.D{{Key: "$sort", Value: bson.D{{Key: "_id", Value: 1}}}})
		if cursor, err = db.Collection(collection).Aggregate(scan, sorted, opts); err != nil {
			return err
		}
	}
	defer cursor.Close(scan) //nolint:errcheck // read to its end, or lost anyway
	for cursor.Next(scan) {
		visit(cursor.Current)
	}
	return cursor.Err()
}

// Count is the exact number of documents in a collection. The server looks at
// all of them.
func (db *Database) Count(ctx context.Context, collection string) (int64, error) {
	scan, cancel := db.Scan(ctx)
	defer cancel()
	n, err := db.Collection(collection).CountDocuments(scan, bson.D{})
	if err != nil {
		return 0, fmt.Errorf("count documents of %s: %w", collection, err)
	}
	return n, nil
}
