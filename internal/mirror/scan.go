package mirror

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"

	"padron/internal/socrata"
)

// Reading all of a collection: in order of _id, several key ranges at once,
// in constant memory.

const (
	// scanners is how many key ranges are read at once. Measured on two
	// busy cores that are the server's too: 368,000 rows in 1.7 s, where one
	// reader takes 4 s.
	scanners = 3

	// beatInterval is how often a long read says that it goes on; heartbeat
	// timeouts are 15 s.
	beatInterval = 500 * time.Millisecond
)

// pulse counts the rows of a long read.
type pulse struct{ rows atomic.Int64 }

func (p *pulse) add(rows int) { p.rows.Add(int64(rows)) }

// beating runs a long read and meanwhile calls beat, when there is one, from
// the calling goroutine.
func beating(ctx context.Context, beat func(rows int64), read func(context.Context, *pulse) error) error {
	var (
		p    pulse
		done = make(chan error, 1)
	)
	go func() { done <- read(ctx, &p) }()
	tick := time.NewTicker(beatInterval)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			if beat != nil {
				beat(p.rows.Load())
			}
		}
	}
}

// eachRange calls f for pieces of the key space, several at once. The pieces
// end where the ranges do, but together they are all of it, each key in one
// only: the ranges of a portal that sorts keys by another collation may
// overlap in byte order, and leave gaps.
func (m *Mirror) eachRange(ctx context.Context, ranges []socrata.Range, f func(ctx context.Context, i int, r socrata.Range) error) error {
	return eachPiece(ctx, pieces(ranges), f)
}

// eachPiece calls f for pieces of the key space, several at once.
func eachPiece(ctx context.Context, pieces []socrata.Range, f func(ctx context.Context, i int, r socrata.Range) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(scanners)
	for i, r := range pieces {
		group.Go(func() error { return f(ctx, i, r) })
	}
	return group.Wait()
}

func pieces(ranges []socrata.Range) []socrata.Range {
	var cuts []string
	for _, r := range ranges {
		if r.UpTo != "" && !r.NullKeys {
			cuts = append(cuts, r.UpTo)
		}
	}
	slices.Sort(cuts)
	whole := make([]socrata.Range, 0, len(cuts)+1)
	after := ""
	for _, cut := range slices.Compact(cuts) {
		whole = append(whole, socrata.Range{After: after, UpTo: cut})
		after = cut
	}
	return append(whole, socrata.Range{After: after})
}

// keysWithin matches the keys of a range.
func keysWithin(r socrata.Range) bson.D {
	bounds := bson.D{{Key: "$gt", Value: r.After}}
	if r.UpTo != "" {
		bounds = append(bounds, bson.E{Key: "$lte", Value: r.UpTo})
	}
	return bson.D{{Key: "_id", Value: bounds}}
}

// eachDocument visits what a filter matches, by _id. Each batch has a deadline
// of its own.
func (m *Mirror) eachDocument(ctx context.Context, collection string, filter bson.D, opts *options.FindOptionsBuilder, visit func(bson.Raw) error) error {
	call, cancel := m.call(ctx)
	cursor, err := m.db.Collection(collection).Find(call, filter, opts.SetSort(bson.D{{Key: "_id", Value: 1}}).SetBatchSize(readBatch))
	cancel()
	if err != nil {
		return fmt.Errorf("read %s: %w", collection, err)
	}
	defer m.closeCursor(ctx, cursor)
	for {
		more, err := m.advance(ctx, cursor)
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

// advance goes to a cursor's next document; false at the end. Only a new batch
// goes to the server and needs a deadline.
func (m *Mirror) advance(ctx context.Context, cursor *mongo.Cursor) (bool, error) {
	if cursor.RemainingBatchLength() == 0 {
		call, cancel := m.call(ctx)
		defer cancel()
		ctx = call
	}
	return cursor.Next(ctx), cursor.Err()
}

// closeCursor closes a cursor. One that cannot be is the server's to time out.
func (m *Mirror) closeCursor(ctx context.Context, cursor *mongo.Cursor) {
	call, cancel := m.call(context.WithoutCancel(ctx))
	defer cancel()
	_ = cursor.Close(call)
}

// ownKey reports whether an _id can be a row's: text, and not empty.
func ownKey(id bson.RawValue) bool {
	text, ok := textBytes(id)
	return ok && len(text) > 0
}

// eachStranger visits the _ids that no range of keys finds: those of other
// types than own ones, which sort before or after all of these. Where there are
// none it reads one document at each end.
func (m *Mirror) eachStranger(ctx context.Context, collection string, own func(bson.RawValue) bool, visit func(id bson.RawValue) error) error {
	for _, direction := range []int{1, -1} {
		strangers, met, err := m.strangersAt(ctx, collection, direction, own)
		if err != nil {
			return fmt.Errorf("read ends of %s: %w", collection, err)
		}
		for _, id := range strangers {
			if err := visit(id); err != nil {
				return err
			}
		}
		if !met {
			return nil // all of them were visited
		}
	}
	return nil
}

// strangersAt lists the strangers at one end, up to the first own one. Only
// with a limit does every engine walk the index for this: without, some sort
// the whole collection. A range of _ids cannot go on from one type to another,
// so more are read from the end again.
func (m *Mirror) strangersAt(ctx context.Context, collection string, direction int, own func(bson.RawValue) bool) (strangers []bson.RawValue, met bool, err error) {
	for limit := 1; ; limit *= 100 {
		call, cancel := m.call(ctx)
		cursor, err := m.db.Collection(collection).Find(call, bson.D{}, options.Find().SetLimit(int64(limit)).
			SetProjection(bson.D{{Key: "_id", Value: 1}}).SetSort(bson.D{{Key: "_id", Value: direction}}))
		var docs []bson.Raw
		if err == nil {
			err = cursor.All(call, &docs)
		}
		cancel()
		if err != nil {
			return nil, false, err
		}
		strangers = strangers[:0]
		for _, doc := range docs {
			id := doc.Lookup("_id")
			if own(id) {
				return strangers, true, nil
			}
			strangers = append(strangers, id)
		}
		if len(docs) < limit {
			return strangers, false, nil
		}
	}
}
