package mirror

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/lineage"
)

// beforeImage is what a row was before a change.
type beforeImage struct {
	doc     bson.Raw // canonical
	lineage lineage.Lineage
}

// beforeImages adds the documents of a collection that have one of keys to
// found.
func (m *Mirror) beforeImages(ctx context.Context, collection string, keys []string, found map[string]beforeImage) error {
	if len(keys) == 0 {
		return nil
	}
	call, cancel := m.db.Call(ctx)
	defer cancel()
	cursor, err := m.db.Collection(collection).Find(call, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: keys}}}},
		options.Find().SetBatchSize(int32(len(keys))))
	if err != nil {
		return fmt.Errorf("read %s: %w", collection, err)
	}
	defer cursor.Close(call) //nolint:errcheck // a cursor that cannot be closed is the server's to time out
	for cursor.Next(call) {
		key, ok := cursor.Current.Lookup("_id").StringValueOK()
		if !ok {
			return fmt.Errorf("document in %s has an _id that is no string: %s", collection, cursor.Current.Lookup("_id"))
		}
		f := beforeImage{}
		if f.doc, err = lineage.Canonical(nil, cursor.Current); err != nil {
			return fmt.Errorf("key %q in %s: %w", key, collection, err)
		}
		if f.lineage, err = lineage.Of(cursor.Current); err != nil {
			return fmt.Errorf("key %q in %s: %w", key, collection, err)
		}
		found[key] = f
	}
	if err := cursor.Err(); err != nil {
		return fmt.Errorf("read %s: %w", collection, err)
	}
	return nil
}
