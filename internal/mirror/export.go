package mirror

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/socrata"
)

// EachDocument visits all documents of a collection (Businesses or Removed) in
// the order of their keys, without the hidden paths (dataset.Spec.SensitivePaths).
// It holds one batch of them at a time; visit must not keep a document. While a
// run writes, each document is as it was at some moment of the reading.
//
// Each batch is a query of its own, from the last key on: some engines find all
// that a query without a limit matches before they answer with the first batch.
// Measured on the local one with 368,000 documents, on a busy machine: 11 s, where
// a batch takes 0.2 s.
func (m *Mirror) EachDocument(ctx context.Context, collection string, hidden []string, visit func(bson.Raw) error) error {
	fields := bson.D{}
	for _, path := range hidden {
		if path != "_id" {
			fields = append(fields, bson.E{Key: path, Value: 0})
		}
	}
	for r, rows := (socrata.Range{}), readBatch; rows == readBatch; {
		opts := options.Find().SetLimit(readBatch)
		if len(fields) > 0 {
			opts.SetProjection(fields)
		}
		rows = 0
		err := m.eachDocument(ctx, collection, keysWithin(r), opts, func(doc bson.Raw) error {
			rows++
			r.After = text(doc, "_id")
			return visit(doc)
		})
		if err != nil {
			return fmt.Errorf("read documents: %w", err)
		}
	}
	return nil
}
