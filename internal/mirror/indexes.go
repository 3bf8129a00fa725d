package mirror

import (
	"context"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
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
		{Businesses, "account", bson.D{{Key: "business_account_number", Value: 1}}, "all locations of one account"},
		{Businesses, "tokens", bson.D{{Key: "facets.tokens", Value: 1}}, "search by words of names and addresses"},
		{Businesses, "neighborhood_open", bson.D{{Key: "facets.neighborhood", Value: 1}, {Key: "facets.open", Value: 1}}, "listing and counting a neighborhood"},
		{Businesses, "sector_neighborhood", bson.D{{Key: "facets.sector", Value: 1}, {Key: "facets.neighborhood", Value: 1}}, "listing a sector, in the city or in a neighborhood"},
		{Changes, "page", bson.D{{Key: "page", Value: 1}}, "the events of a run, a page at a time"},
	}
}

// EnsureIndexes creates the indexes that do not exist yet. After a first load
// of 368,000 documents it takes some seconds; with all of them there it is
// one small request per collection. Indexes that users added stay.
func (m *Mirror) EnsureIndexes(ctx context.Context) error {
	for _, ix := range Indexes() {
		// One at a time: the engine builds several no faster together, and
		// an error names the index.
		scan, cancel := m.scan(ctx)
		exists, err := m.hasIndex(scan, ix)
		if err == nil && !exists {
			_, err = m.db.Collection(ix.Collection).Indexes().CreateOne(scan,
				mongo.IndexModel{Keys: ix.Keys, Options: options.Index().SetName(ix.Name)})
		}
		cancel()
		if err != nil {
			return fmt.Errorf("index %s of %s: %w", ix.Name, ix.Collection, err)
		}
	}
	return nil
}

func (m *Mirror) hasIndex(ctx context.Context, ix Index) (bool, error) {
	specs, err := m.db.Collection(ix.Collection).Indexes().ListSpecifications(ctx)
	if err != nil {
		// A collection without documents may not exist yet.
		if strings.Contains(err.Error(), "NamespaceNotFound") {
			return false, nil
		}
		return false, err
	}
	for _, s := range specs {
		if s.Name == ix.Name {
			return true, nil
		}
	}
	return false, nil
}
