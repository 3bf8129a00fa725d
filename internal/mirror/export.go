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
func (m *Mirror) EachDocument(ctx context.Context, collection string, hidden []string, visit func(bson.Raw) error) error {
	fields := bson.D{}
	for _, path := range hidden {
		if path != "_id" {
			fields = append(fields, bson.E{Key: path, Value: 0})
		}
	}
	opts := options.Find()
	if len(fields) > 0 {
		opts.SetProjection(fields)
	}
	if err := m.eachDocument(ctx, collection, keysWithin(socrata.Range{}), opts, visit); err != nil {
		return fmt.Errorf("read documents: %w", err)
	}
	return nil
}
