package query

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/cleaning"
	"padron/internal/mongodb"
)

const (
	// sampled rows, the first in the order of their keys, tell how frequent a
	// condition is. When at most rare of them meet it, the index answers in a
	// few milliseconds: some 1,800 of 368,000 rows.
	sampled = 1000
	rare    = 5

	// sampleFor is how long a sample serves all searches: a run changes few of
	// the rows. One that is not full serves for a second, as a first load may be
	// under way.
	sampleFor = time.Minute
)

// sample is what searches know of how frequent words and facets are. An old one
// costs time only.
type sample struct {
	at   time.Time
	rows []sampledRow
}

// sampledRow is what a row can be found by.
type sampledRow struct {
	Facets struct {
		Tokens       []string `bson:"tokens"`
		Neighborhood string   `bson:"neighborhood"`
		Sector       string   `bson:"sector"`
		Open         bool     `bson:"open"`
	} `bson:"facets"`
}

// sampler keeps a sample for all searches.
type sampler struct {
	db      *mongodb.Database
	newest  atomic.Pointer[sample] // nil: none yet
	reading atomic.Bool
}

// rows are at most sampled. One search reads them anew when they are old, while
// others go on with the old ones.
func (s *sampler) rows(ctx context.Context) ([]sampledRow, error) {
	known := s.newest.Load()
	if known != nil {
		serves := sampleFor
		if len(known.rows) < sampled {
			serves = time.Second
		}
		if time.Since(known.at) < serves || !s.reading.CompareAndSwap(false, true) {
			return known.rows, nil
		}
		defer s.reading.Store(false)
	}
	call, cancel := s.db.Call(ctx)
	defer cancel()
	read := &sample{at: time.Now()}
	cursor, err := s.db.Collection(mongodb.Businesses).Find(call, bson.D{}, options.Find().
		SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(sampled).SetBatchSize(sampled+1).
		SetProjection(bson.D{{Key: atTokens, Value: 1}, {Key: atNeighborhood, Value: 1}, {Key: atSector, Value: 1}, {Key: atOpen, Value: 1}}))
	var docs []bson.Raw
	if err == nil {
		err = cursor.All(call, &docs)
	}
	if err != nil {
		return nil, fmt.Errorf("find businesses: %w", err)
	}
	for _, doc := range docs {
		var row sampledRow
		if bson.Unmarshal(doc, &row) == nil { // else it is not Padron's, and not found either
			read.rows = append(read.rows, row)
		}
	}
	s.newest.Store(read)
	return read.rows, nil
}

// condition is a part of a query that an index answers.
type condition struct {
	query bson.D
	word  bool // it is about a word
	meets func(*sampledRow) bool
}

// count returns how many rows meet all conditions.
func count(rows []sampledRow, all []condition) (n int) {
	for i := range rows {
		if !slices.ContainsFunc(all, func(c condition) bool { return !c.meets(&rows[i]) }) {
			n++
		}
	}
	return n
}

// beginning matches rows that have a token that begins with a word.
func (r *Businesses) beginning(word string) condition {
	word = truncate(word)
	query := bson.D{r.either(startsWith(word), startsWith(cleaning.SearchMark+word))}
	return condition{query, true, func(row *sampledRow) bool {
		return slices.ContainsFunc(row.Facets.Tokens, func(token string) bool {
			return strings.HasPrefix(token, word) || r.hidden == nil && strings.HasPrefix(token, cleaning.SearchMark+word)
		})
	}}
}

// filtered matches rows that meet conditions of filters.
func filtered(by bson.D) condition {
	return condition{by, false, func(row *sampledRow) bool {
		return !slices.ContainsFunc(by, func(e bson.E) bool {
			switch e.Key {
			case atNeighborhood:
				return !isText(row.Facets.Neighborhood, e.Value)
			case atSector:
				return !isText(row.Facets.Sector, e.Value)
			default:
				return row.Facets.Open != e.Value
			}
		})
	}}
}

// isText says whether a facet has a filter's value; nil stands for none.
func isText(has string, wanted any) bool { return wanted == nil && has == "" || has == wanted }
