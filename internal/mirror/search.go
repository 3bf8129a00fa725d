package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Unknown as a filter's value stands for rows that have none.
const Unknown = "-"

// BusinessFilters narrow a search or a listing. Zero values do not.
type BusinessFilters struct {
	Neighborhood string // facets.neighborhood, or Unknown
	Sector       string // facets.sector, or Unknown
	Open         *bool
}

// BusinessPage is a page of rows in the order of their keys.
type BusinessPage struct {
	Rows []Business `json:"rows"`
	// Next is what to give as after to get the next page; empty when there is
	// none.
	Next string `json:"next,omitempty"`
}

// Business is a location as pages and listings show it: the fields that every
// register has some of, typed, and the document as it was read. What is absent
// is zero. Sensitive fields are in neither, unless they were asked for.
type Business struct {
	Key      string          `bson:"_id" json:"key"`
	Account  string          `bson:"business_account_number" json:"account,omitempty"`
	Name     string          `bson:"dba_name" json:"name,omitempty"`
	Owner    string          `bson:"ownership_name" json:"owner,omitempty"`
	Address  PostalAddress   `bson:"address" json:"address,omitzero"`
	Dates    BusinessDates   `bson:"dates" json:"dates,omitzero"`
	NAICS    Code            `bson:"naics" json:"naics,omitzero"`
	License  Code            `bson:"license" json:"license,omitzero"`
	Location *GeoPoint       `bson:"location" json:"location,omitempty"`
	Corridor string          `bson:"corridor" json:"corridor,omitempty"`
	Facets   BusinessFacets  `bson:"facets" json:"facets,omitzero"`
	Quality  BusinessQuality `bson:"quality" json:"quality,omitzero"`
	Lineage  BusinessLineage `bson:"lineage" json:"lineage,omitzero"`
	Removed  bool            `bson:"-" json:"removed,omitempty"` // the portal no longer has it: its last document
	Document bson.Raw        `bson:"-" json:"-"`
}

// PostalAddress is where a location is, and where its mail goes.
type PostalAddress struct {
	Street    string `bson:"street" json:"street,omitempty"`
	City      string `bson:"city" json:"city,omitempty"`
	State     string `bson:"state" json:"state,omitempty"`
	Zip       string `bson:"source_zipcode" json:"zip,omitempty"`
	MailTo    string `bson:"mail_address" json:"mail_address,omitempty"`
	MailCity  string `bson:"mail_city" json:"mail_city,omitempty"`
	MailZip   string `bson:"mail_zipcode" json:"mail_zip,omitempty"`
	MailState string `bson:"mail_state" json:"mail_state,omitempty"`
}

// BusinessDates are days at midnight UTC, which stands for the date in the
// dataset's time zone; zero when unknown or not yet.
type BusinessDates struct {
	BusinessStart time.Time `bson:"business_start_date" json:"business_start,omitzero"`
	BusinessEnd   time.Time `bson:"business_end_date" json:"business_end,omitzero"`
	LocationStart time.Time `bson:"location_start_date" json:"location_start,omitzero"`
	LocationEnd   time.Time `bson:"location_end_date" json:"location_end,omitzero"`
}

// Code is a code and what it means.
type Code struct {
	Code        string `bson:"code" json:"code,omitempty"`
	Description string `bson:"description" json:"description,omitempty"`
}

// GeoPoint is a GeoJSON point: longitude first, degrees.
type GeoPoint struct {
	Coordinates [2]float64 `bson:"coordinates" json:"coordinates"`
}

// BusinessFacets are the dimensions of a row.
type BusinessFacets struct {
	Neighborhood string `bson:"neighborhood" json:"neighborhood,omitempty"`
	Sector       string `bson:"sector" json:"sector,omitempty"`
	District     int64  `bson:"district" json:"district,omitempty"`
	Open         bool   `bson:"open" json:"open"`
	Closed       string `bson:"closed" json:"closed,omitempty"` // kind of closing: location, account, administrative
	StartMonth   string `bson:"start_month" json:"start_month,omitempty"`
	EndMonth     string `bson:"end_month" json:"end_month,omitempty"`
	Cell         string `bson:"cell" json:"cell,omitempty"`
}

// BusinessQuality is what cleaning remarked on a row.
type BusinessQuality struct {
	Flags []string `bson:"flags" json:"flags,omitempty"`
	Stale bool     `bson:"stale" json:"stale,omitempty"` // its newest row is in quarantine: this is the last good document
}

// BusinessLineage is where a document came from.
type BusinessLineage struct {
	Version   int32     `bson:"version" json:"version,omitempty"`
	Run       string    `bson:"run" json:"run,omitempty"`
	FirstSeen time.Time `bson:"first_seen" json:"first_seen,omitzero"`
	ChangedAt time.Time `bson:"changed_at" json:"changed_at,omitzero"`
}

// ErrNoBusiness says that no row of that key was ever there.
var ErrNoBusiness = errors.New("no such business")

// ErrNoWords says that a query has no word to search for.
var ErrNoWords = errors.New("nothing to search for: type a name, an address or an account number")

const (
	// maxPage bounds a page of rows.
	maxPage = 1000

	// maxWords bounds the words of a query that are looked up; those that are
	// left out would hardly narrow it further.
	maxWords = 8

	// sampled rows in the order of their keys tell how frequent something is. What
	// at most rare of them have, the index gives in a few milliseconds: some 1,800
	// of 368,000 rows. More than frequent ones are not counted.
	sampled  = 1000
	rare     = 5
	frequent = 60

	// maxWordBytes bounds a word of a query; no token is as long.
	maxWordBytes = 64
)

// BusinessReader reads rows for people: for pages, listings and exports. It is
// safe for concurrent use.
type BusinessReader struct {
	m      *Mirror
	words  func(string) []string
	fields bson.D // projection
	walked int    // see there
}

// BusinessReader makes a reader. words are the search tokens of a text, as
// cleaning makes them (cleaning.Words); hidden are the paths that it leaves out
// of all documents (dataset.Spec.SensitivePaths), none for whole documents. The
// key is never left out.
func (m *Mirror) BusinessReader(words func(string) []string, hidden []string) *BusinessReader {
	r := &BusinessReader{m: m, words: words, fields: bson.D{}, walked: walked}
	for _, path := range hidden {
		if path != "_id" {
			r.fields = append(r.fields, bson.E{Key: path, Value: 0})
		}
	}
	return r
}

// Search finds the rows that have every word of the query, or a word that
// begins with it, in a name, an address or the account number, whatever the
// case and punctuation; or whose key the query is. Rows come in the order of
// their keys, those above after ("" for the first page), at most limit.
//
// Errors: ErrNoWords.
func (r *BusinessReader) Search(ctx context.Context, query string, f BusinessFilters, after string, limit int) (BusinessPage, error) {
	query = strings.TrimSpace(query)
	words := r.words(query)
	if len(words) == 0 {
		return BusinessPage{}, ErrNoWords
	}
	if after == "" && strings.Trim(query, keyChars) == "" {
		page, err := r.find(ctx, append(bson.D{{Key: "_id", Value: query}}, f.conditions()...), "", 1)
		if err != nil || len(page.Rows) > 0 {
			return page, err
		}
	}
	by, rest := f.indexed()
	var wanted []bson.D
	if len(by) > 0 {
		wanted = append(wanted, by)
	}
	// The longest word is the rarest, as a rule.
	slices.SortStableFunc(words, func(a, b string) int { return len(b) - len(a) })
	for _, w := range words[:min(len(words), maxWords)] {
		wanted = append(wanted, bson.D{beginning(w)})
	}
	return r.page(ctx, wanted, rest, after, limit)
}

// atTokens is where a row's words are.
const atTokens = "facets.tokens"

// beginning matches rows that have a token that begins with a word.
func beginning(word string) bson.E {
	return bson.E{Key: atTokens, Value: bson.Regex{Pattern: "^" + regexp.QuoteMeta(truncate(word))}}
}

// keyChars are what a key that a person types may consist of.
const keyChars = "0123456789-_.ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// truncate shortens a word to maxWordBytes, at a rune's end.
func truncate(word string) string {
	if len(word) <= maxWordBytes {
		return word
	}
	return strings.ToValidUTF8(word[:maxWordBytes], "")
}

// List lists rows in the order of their keys, those above after ("" for the
// first page), at most limit.
func (r *BusinessReader) List(ctx context.Context, f BusinessFilters, after string, limit int) (BusinessPage, error) {
	by, rest := f.indexed()
	if len(by) == 0 {
		return r.find(ctx, rest, after, limit)
	}
	return r.page(ctx, []bson.D{by}, rest, after, limit)
}

// OfAccount lists the locations of an account, as List does.
func (r *BusinessReader) OfAccount(ctx context.Context, account, after string, limit int) (BusinessPage, error) {
	return r.find(ctx, bson.D{{Key: "business_account_number", Value: account}}, after, limit)
}

// AtAddress lists the rows at a street address, as it is in the document
// (address.street), as List does. None for an address without a word.
func (r *BusinessReader) AtAddress(ctx context.Context, street, after string, limit int) (BusinessPage, error) {
	words := r.words(street)
	if len(words) == 0 {
		return BusinessPage{Rows: []Business{}}, nil
	}
	// The number of the house is the rarest word of an address.
	slices.SortStableFunc(words, func(a, b string) int {
		number := func(w string) int { return len(strings.Trim(w, "0123456789")) }
		return cmp.Or(cmp.Compare(min(1, number(a)), min(1, number(b))), len(b)-len(a))
	})
	return r.indexed(ctx, bson.D{{Key: atTokens, Value: words[0]}}, bson.D{{Key: "address.street", Value: street}}, after, limit)
}

// Business reads a row by key: as it is, else as it was when it was removed.
//
// Errors: ErrNoBusiness.
func (r *BusinessReader) Business(ctx context.Context, key string) (Business, error) {
	for _, collection := range []string{Businesses, Removed} {
		call, cancel := r.m.call(ctx)
		raw, err := r.m.db.Collection(collection).FindOne(call, byID(key), options.FindOne().SetProjection(r.fields)).Raw()
		cancel()
		if errors.Is(err, mongo.ErrNoDocuments) {
			continue
		}
		if err != nil {
			return Business{}, fmt.Errorf("read business %q: %w", key, err)
		}
		b, err := businessOf(raw)
		b.Removed = collection == Removed
		return b, err
	}
	return Business{}, fmt.Errorf("%w: %q", ErrNoBusiness, key)
}

// conditions are the filters as parts of a query.
func (f BusinessFilters) conditions() bson.D {
	d := bson.D{}
	text := func(path, value string) {
		switch value {
		case "":
		case Unknown:
			d = append(d, bson.E{Key: path, Value: nil})
		default:
			d = append(d, bson.E{Key: path, Value: value})
		}
	}
	text("facets.neighborhood", f.Neighborhood)
	text("facets.sector", f.Sector)
	if f.Open != nil {
		d = append(d, bson.E{Key: "facets.open", Value: *f.Open})
	}
	return d
}

// indexed are the conditions that an index answers, and the others.
func (f BusinessFilters) indexed() (by, rest bson.D) {
	for _, e := range f.conditions() {
		switch {
		case e.Key == atNeighborhood, e.Key == atSector, f.Neighborhood != "" && f.Sector == "":
			by = append(by, e)
		default: // there is no index of all three
			rest = append(rest, e)
		}
	}
	return by, rest
}

// walked is how many rows a page is looked for in, in the order of keys, before
// an index is asked, which hands out rows without an order, to be sorted. Where
// that fills a page of 50, an index would hand out 3,000 of 368,000 rows or more.
// Each of the two takes some ten milliseconds then.
const walked = 6000

// page reads a page of the rows that meet all conditions: those wanted, at least
// one, which indexes answer, and the rest. Where many rows do, it finds them in
// the order of their keys; where few do, by the index of what is rarest, and looks
// for the others in those. A sample says which it is; it may be wrong.
func (r *BusinessReader) page(ctx context.Context, wanted []bson.D, rest bson.D, after string, limit int) (BusinessPage, error) {
	limit = max(1, min(limit, maxPage))
	by, others, found, err := r.rarest(ctx, wanted, after)
	if err != nil {
		return BusinessPage{}, err
	}
	if len(others) > 0 {
		rest = append(slices.Clone(rest), bson.E{Key: "$and", Value: others})
	}
	if found >= min(frequent, r.sample()) || found*r.walked >= limit*r.sample() {
		page, err := r.aggregate(ctx, bson.A{
			bson.D{{Key: "$match", Value: bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}}}}},
			bson.D{{Key: "$sort", Value: bson.D{{Key: "_id", Value: 1}}}},
			bson.D{{Key: "$limit", Value: r.walked}},
			bson.D{{Key: "$match", Value: slices.Concat(by, rest)}},
		}, limit)
		if err != nil || page.Next != "" {
			return page, err
		}
	}
	return r.indexed(ctx, by, rest, after, limit)
}

// sample is how many rows tell how frequent something is.
func (r *BusinessReader) sample() int { return min(sampled, r.walked) }

// rarest tells apart conditions that an index had better answer from others that
// are to be looked for in what it found. A sample of rows says which those are: the
// first rows in the order of keys. found is how many of the sample meet the rarest
// condition, the first one of those that many rows meet; one that is rare enough
// ends the search for a rarer one. Of words that are not frequent the index finds
// the rows that have all.
func (r *BusinessReader) rarest(ctx context.Context, wanted []bson.D, after string) (by bson.D, others bson.A, found int, err error) {
	counts := make([]int, len(wanted))
	rarest, counted := 0, 0
	for i, w := range wanted {
		call, cancel := r.m.call(ctx)
		cursor, err := r.m.db.Collection(Businesses).Aggregate(call, bson.A{
			bson.D{{Key: "$match", Value: bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}}}}},
			bson.D{{Key: "$sort", Value: bson.D{{Key: "_id", Value: 1}}}},
			bson.D{{Key: "$limit", Value: r.sample()}},
			bson.D{{Key: "$match", Value: w}},
			bson.D{{Key: "$limit", Value: frequent}},
			bson.D{{Key: "$project", Value: byIDOnly()}},
		}, options.Aggregate().SetBatchSize(frequent+1))
		var docs []bson.Raw
		if err == nil {
			err = cursor.All(call, &docs)
		}
		cancel()
		if err != nil {
			return nil, nil, 0, fmt.Errorf("find businesses: %w", err)
		}
		counts[i], counted = len(docs), i+1
		if counts[i] < counts[rarest] {
			rarest = i
		}
		if counts[rarest] <= rare {
			break
		}
	}
	together := bson.A{wanted[rarest]}
	for i, w := range wanted {
		switch {
		case i == rarest:
		case ofWords(wanted[rarest]) && ofWords(w) && i < counted && counts[i] < frequent:
			together = append(together, w)
		default:
			others = append(others, w)
		}
	}
	by = wanted[rarest]
	if len(together) > 1 {
		by = bson.D{{Key: "$and", Value: together}}
	}
	return by, others, counts[rarest], nil
}

// ofWords says whether a condition is about a word.
func ofWords(condition bson.D) bool { return condition[0].Key == atTokens }

// indexed reads a page of the rows that match by, which an index answers, and
// rest. The limit between them is no limit: it keeps the server from choosing
// another index.
func (r *BusinessReader) indexed(ctx context.Context, by, rest bson.D, after string, limit int) (BusinessPage, error) {
	limit = max(1, min(limit, maxPage))
	rest = append(slices.Clone(rest), bson.E{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}})
	return r.aggregate(ctx, bson.A{
		bson.D{{Key: "$match", Value: by}},
		bson.D{{Key: "$limit", Value: int64(1) << 40}},
		bson.D{{Key: "$match", Value: rest}},
		bson.D{{Key: "$sort", Value: bson.D{{Key: "_id", Value: 1}}}},
	}, limit)
}

// aggregate reads a page of what a pipeline yields, which is in order.
func (r *BusinessReader) aggregate(ctx context.Context, pipeline bson.A, limit int) (BusinessPage, error) {
	pipeline = append(pipeline, bson.D{{Key: "$limit", Value: limit + 1}})
	if len(r.fields) > 0 {
		pipeline = append(pipeline, bson.D{{Key: "$project", Value: r.fields}})
	}
	call, cancel := r.m.call(ctx)
	defer cancel()
	cursor, err := r.m.db.Collection(Businesses).Aggregate(call, pipeline, options.Aggregate().SetBatchSize(maxPage+1))
	if err != nil {
		return BusinessPage{}, fmt.Errorf("find businesses: %w", err)
	}
	var docs []bson.Raw
	if err := cursor.All(call, &docs); err != nil {
		return BusinessPage{}, fmt.Errorf("find businesses: %w", err)
	}
	return pageOf(docs, limit)
}

// find reads a page of what a filter matches.
func (r *BusinessReader) find(ctx context.Context, filter bson.D, after string, limit int) (BusinessPage, error) {
	limit = max(1, min(limit, maxPage))
	filter = append(bson.D{}, filter...) // never nil
	if after != "" {
		filter = append(filter, bson.E{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}})
	}
	call, cancel := r.m.call(ctx)
	defer cancel()
	cursor, err := r.m.db.Collection(Businesses).Find(call, filter, options.Find().
		SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(limit+1)).SetProjection(r.fields))
	if err != nil {
		return BusinessPage{}, fmt.Errorf("find businesses: %w", err)
	}
	var docs []bson.Raw
	if err := cursor.All(call, &docs); err != nil {
		return BusinessPage{}, fmt.Errorf("find businesses: %w", err)
	}
	return pageOf(docs, limit)
}

// pageOf makes a page of at most limit documents; one more says that there is a
// next page.
func pageOf(docs []bson.Raw, limit int) (BusinessPage, error) {
	page := BusinessPage{Rows: make([]Business, 0, len(docs))}
	for _, raw := range docs[:min(len(docs), limit)] {
		b, err := businessOf(raw)
		if err != nil {
			return BusinessPage{}, err
		}
		page.Rows = append(page.Rows, b)
	}
	if len(docs) > limit {
		page.Next = page.Rows[limit-1].Key
	}
	return page, nil
}

func businessOf(raw bson.Raw) (Business, error) {
	var b Business
	if err := bson.Unmarshal(raw, &b); err != nil {
		return Business{}, fmt.Errorf("read business %s: %w", raw.Lookup("_id"), err)
	}
	b.Document = raw
	return b, nil
}
