package mirror

import (
	"context"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/mongodb"
)

// Index is a secondary index and the read it is for.
type Index struct {
	Collection string
	Name       string
	Keys       bson.D
	For        string
}

// Indexes lists every secondary index there is. Each slows down all writes,
// an indexed field's more so: six of them bring inserts from 95,000 to 12,800
// a second (measured). So there are few, and the first load comes before
// them. Everything else is read by _id.
func Indexes() []Index {
	return []Index{
		{mongodb.Businesses, "account", bson.D{{Key: "business_account_number", Value: 1}}, "all locations of one account"},
		{mongodb.Businesses, "tokens", bson.D{{Key: "facets.tokens", Value: 1}}, "search by words of names and addresses"},
		{mongodb.Businesses, "neighborhood_open", bson.D{{Key: "facets.neighborhood", Value: 1}, {Key: "facets.open", Value: 1}}, "listing and counting a neighborhood"},
		{mongodb.Businesses, "sector_neighborhood", bson.D{{Key: "facets.sector", Value: 1}, {Key: "facets.neighborhood", Value: 1}}, "listing a sector, in the city or in a neighborhood"},
		{mongodb.Changes, "page", bson.D{{Key: "page", Value: 1}}, "the events of a run, a page at a time"},
		{mongodb.Runs, "status", bson.D{{Key: "status", Value: 1}}, "the runs whose record is not closed"},
	}
}

// EnsureIndexes creates the indexes that do not exist yet. After a first load
// of 368,000 documents it takes some seconds; with all of them there it is
// one small request per collection. Indexes that users added stay, and one that
// has the same keys serves as well as ours.
//
// An index that has the name of one of ours and is another is dropped and made
// anew: reads would look at all documents. Those are returned, as
// <collection>.<name>.
func (m *Mirror) EnsureIndexes(ctx context.Context) (remade []string, err error) {
	for _, ix := range Indexes() {
		// One at a time: the engine builds several no faster together, and
		// an error names the index.
		scan, cancel := m.db.Scan(ctx)
		other, err := m.ensureIndex(scan, ix)
		cancel()
		if err != nil {
			return remade, fmt.Errorf("index %s of %s: %w", ix.Name, ix.Collection, err)
		}
		if other {
			remade = append(remade, ix.Collection+"."+ix.Name)
		}
	}
	return remade, nil
}

// ensureIndex creates an index, and reports whether another one had its name.
func (m *Mirror) ensureIndex(ctx context.Context, ix Index) (other bool, err error) {
	indexes := m.db.Collection(ix.Collection).Indexes()
	exists, other, err := m.hasIndex(ctx, ix)
	if err != nil || exists {
		return false, err
	}
	if other {
		if err := indexes.DropOne(ctx, ix.Name); err != nil {
			return true, fmt.Errorf("drop the one of that name that has other keys: %w", err)
		}
	}
	_, err = indexes.CreateOne(ctx, mongo.IndexModel{Keys: ix.Keys, Options: options.Index().SetName(ix.Name)})
	return other, err
}

// hasIndex says whether there is an index with these keys over all documents,
// and else whether one that is not so has its name.
func (m *Mirror) hasIndex(ctx context.Context, ix Index) (exists, other bool, err error) {
	var specs []bson.Raw
	cursor, err := m.db.Collection(ix.Collection).Indexes().List(ctx)
	if err == nil {
		err = cursor.All(ctx, &specs)
	}
	if err != nil {
		// A collection without documents may not exist yet.
		if strings.Contains(err.Error(), "NamespaceNotFound") {
			return false, false, nil
		}
		return false, false, err
	}
	for _, s := range specs {
		same, err := sameIndex(s, ix.Keys)
		if err != nil {
			return false, false, err
		}
		name, _ := s.Lookup("name").StringValueOK()
		exists = exists || same
		other = other || !same && name == ix.Name
	}
	return exists, other && !exists, nil
}

// sameIndex says whether an index has keys, in their order and directions, and
// no option that makes it another: unique, sparse, partial, hidden, …
func sameIndex(spec bson.Raw, keys bson.D) (bool, error) {
	elements, err := spec.Elements()
	if err != nil {
		return false, err
	}
	for _, e := range elements {
		switch e.Key() {
		case "v", "key", "name", "ns", "background", "storageEngine": // what it is and how it is stored
		default:
			if on, isBool := e.Value().BooleanOK(); !isBool || on {
				return false, nil
			}
		}
	}
	stored, err := spec.Lookup("key").Document().Elements()
	if err != nil || len(stored) != len(keys) {
		return false, err
	}
	for i, k := range stored {
		direction, _ := k.Value().AsInt64OK()
		if want, _ := keys[i].Value.(int); k.Key() != keys[i].Key || direction != int64(want) {
			return false, nil
		}
	}
	return true, nil
}
