package query

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/cleaning"
	"padron/internal/mongodb"
)

// Unknown as a filter's value stands for rows that have none.
const Unknown = "-"

// Filters narrow a search or a listing. Zero values do not.
type Filters struct {
	Neighborhood string // facets.neighborhood, or Unknown
	Sector       string // facets.sector, or Unknown
	Open         *bool
}

// Page is a page of rows in the order of their keys.
type Page struct {
	Rows []Business `json:"rows"`
	// Next is what to give as after to get the next page; empty when there is
	// none.
	Next string `json:"next,omitempty"`
}

// ErrNoWords says that a query has no word to search for.
var ErrNoWords = errors.New("nothing to search for: type a name, an address or an account number")

const (
	// maxPage bounds a page of rows.
	maxPage = 1000

	// maxWords bounds the words of a query that are looked up; those that are
	// left out would hardly narrow it further.
	maxWords = 8

	// frequent is how many rows of the sample a word must be in for the index not
	// to be asked for it together with a rarer one.
	frequent = 60

	// maxWordBytes bounds a word of a query; tokens are cut there, too.
	maxWordBytes = 64
)

// Businesses reads rows for people: for pages, listings and exports. It is
// safe for concurrent use.
type Businesses struct {
	db      *mongodb.Database
	sampler *sampler
	words   func(string) []string
	hidden  Hidden
	walked  int // see there
}

// Businesses reads businesses. words are the search tokens of a text, as
// cleaning makes them (cleaning.Words). What is hidden is left out of all
// documents, and not searched: rows that have a word in a hidden field only are
// not looked at. The key is never left out.
func (r *Reader) Businesses(words func(string) []string, hidden Hidden) *Businesses {
	return &Businesses{db: r.db, sampler: &r.sampler, words: words, hidden: hidden, walked: walked}
}

// Search finds the rows that have every word of the query, or a word that
// begins with it, in a name, an address or the account number, whatever the
// case and punctuation; or whose key the query is. Rows come in the order of
// their keys, those above after ("" for the first page), at most limit.
//
// Errors: ErrNoWords.
func (r *Businesses) Search(ctx context.Context, query string, f Filters, after string, limit int) (Page, error) {
	query = strings.TrimSpace(query)
	words := r.words(query)
	if len(words) == 0 {
		return Page{}, ErrNoWords
	}
	if after == "" && strings.Trim(query, keyChars) == "" {
		page, err := r.find(ctx, append(bson.D{{Key: "_id", Value: query}}, f.conditions()...), "", 1)
		if err != nil || len(page.Rows) > 0 {
			return page, err
		}
	}
	by, rest := f.indexed()
	var wanted []condition
	if len(by) > 0 {
		wanted = append(wanted, filtered(by))
	}
	// The longest word is the rarest, as a rule.
	slices.SortStableFunc(words, func(a, b string) int { return len(b) - len(a) })
	for _, w := range words[:min(len(words), maxWords)] {
		wanted = append(wanted, r.beginning(w))
	}
	return r.page(ctx, wanted, rest, after, limit)
}

// Paths that are searched and filtered by.
const (
	atTokens       = "facets.tokens"
	atNeighborhood = "facets.neighborhood"
	atSector       = "facets.sector"
	atOpen         = "facets.open"
)

// startsWith matches text that begins with a prefix.
func startsWith(prefix string) bson.Regex { return bson.Regex{Pattern: "^" + regexp.QuoteMeta(prefix)} }

// either matches rows that have a token of words that may be shown, or the same
// of those that may not, where nothing is hidden.
func (r *Businesses) either(shown, marked any) bson.E {
	if r.hidden != nil {
		return bson.E{Key: atTokens, Value: shown}
	}
	return bson.E{Key: atTokens, Value: bson.D{{Key: "$in", Value: bson.A{shown, marked}}}}
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
func (r *Businesses) List(ctx context.Context, f Filters, after string, limit int) (Page, error) {
	by, rest := f.indexed()
	if len(by) == 0 {
		return r.find(ctx, rest, after, limit)
	}
	return r.page(ctx, []condition{filtered(by)}, rest, after, limit)
}

// OfAccount lists the locations of an account, as List does.
func (r *Businesses) OfAccount(ctx context.Context, account, after string, limit int) (Page, error) {
	return r.find(ctx, bson.D{{Key: "business_account_number", Value: account}}, after, limit)
}

// AtAddress lists the rows at a street address, as it is in the document
// (address.street), as List does. None for an address without a word.
func (r *Businesses) AtAddress(ctx context.Context, street, after string, limit int) (Page, error) {
	words := r.words(street)
	if len(words) == 0 {
		return Page{Rows: []Business{}}, nil
	}
	// The number of the house is the rarest word of an address.
	slices.SortStableFunc(words, func(a, b string) int {
		number := func(w string) int { return len(strings.Trim(w, "0123456789")) }
		return cmp.Or(cmp.Compare(min(1, number(a)), min(1, number(b))), len(b)-len(a))
	})
	return r.indexed(ctx, bson.D{r.either(words[0], cleaning.SearchMark+words[0])}, bson.D{{Key: "address.street", Value: street}}, after, limit)
}

// Business reads a row by key: as it is, else as it was when it was removed.
//
// Errors: ErrNoBusiness.
func (r *Businesses) Business(ctx context.Context, key string) (Business, error) {
	for _, collection := range []string{mongodb.Businesses, mongodb.Removed} {
		call, cancel := r.db.Call(ctx)
		raw, err := r.db.Collection(collection).FindOne(call, mongodb.ByID(key)).Raw()
		cancel()
		if errors.Is(err, mongo.ErrNoDocuments) {
			continue
		}
		if err != nil {
			return Business{}, fmt.Errorf("read business %q: %w", key, err)
		}
		b, err := r.business(raw)
		b.Removed = collection == mongodb.Removed
		return b, err
	}
	return Business{}, fmt.Errorf("%w: %q", ErrNoBusiness, key)
}

// conditions are the filters as parts of a query.
func (f Filters) conditions() bson.D {
	d := bson.D{}
	add := func(path, value string) {
		switch value {
		case "":
		case Unknown:
			d = append(d, bson.E{Key: path, Value: nil})
		default:
			d = append(d, bson.E{Key: path, Value: value})
		}
	}
	add(atNeighborhood, f.Neighborhood)
	add(atSector, f.Sector)
	if f.Open != nil {
		d = append(d, bson.E{Key: atOpen, Value: *f.Open})
	}
	return d
}

// indexed are the conditions that an index answers, and the others.
func (f Filters) indexed() (by, rest bson.D) {
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

// walked is how many rows are searched for a page in the order of their keys,
// before an index is asked, whose rows must be sorted. When these rows fill a
// page of 50, the index would find 3,000 of 368,000 rows or more; then either
// way takes some ten milliseconds.
const walked = 6000

// page reads a page of the rows that meet all conditions: those wanted (at
// least one), which indexes answer, and the rest. When many rows meet them all, it
// walks the rows in the order of their keys; when few do, it takes the rows of
// the rarest condition from the index and filters them by the others. A sample
// decides which; it may be wrong, which costs time only.
func (r *Businesses) page(ctx context.Context, wanted []condition, rest bson.D, after string, limit int) (Page, error) {
	limit = max(1, min(limit, maxPage))
	sample, err := r.sampler.rows(ctx)
	if err != nil {
		return Page{}, err
	}
	by, others := rarest(sample, wanted)
	fills := r.fills(sample, append(slices.Clone(wanted), filtered(rest)), limit)
	if len(others) > 0 {
		rest = append(slices.Clone(rest), bson.E{Key: "$and", Value: others})
	}
	if fills {
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

// fills says whether so many rows meet all conditions that those walked fill a
// page of limit rows, as far as the sample tells.
func (r *Businesses) fills(sample []sampledRow, all []condition, limit int) bool {
	met := count(sample, all)
	return met > 0 && met*r.walked >= limit*len(sample)
}

// rarest divides conditions into those that an index is to answer (by), and
// others, by which the rows that it finds are to be filtered: by is the rarest
// condition in the sample, together with other words that are not frequent, as
// the index of words answers them together.
func rarest(sample []sampledRow, wanted []condition) (by bson.D, others bson.A) {
	counts := make([]int, len(wanted))
	rarest, counted := 0, 0
	for i, w := range wanted {
		counts[i], counted = count(sample, []condition{w}), i+1
		if counts[i] < counts[rarest] {
			rarest = i
		}
		if counts[rarest] <= rare {
			break
		}
	}
	together := bson.A{wanted[rarest].query}
	for i, w := range wanted {
		switch {
		case i == rarest:
		case wanted[rarest].word && w.word && i < counted && counts[i] < frequent:
			together = append(together, w.query)
		default:
			others = append(others, w.query)
		}
	}
	by = wanted[rarest].query
	if len(together) > 1 {
		by = bson.D{{Key: "$and", Value: together}}
	}
	return by, others
}

// indexed reads a page of the rows that match by, which an index answers, and
// rest. The limit between the two is too high to limit anything; it keeps the
// server from choosing another index.
func (r *Businesses) indexed(ctx context.Context, by, rest bson.D, after string, limit int) (Page, error) {
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
func (r *Businesses) aggregate(ctx context.Context, pipeline bson.A, limit int) (Page, error) {
	pipeline = append(pipeline, bson.D{{Key: "$limit", Value: limit + 1}})
	call, cancel := r.db.Call(ctx)
	defer cancel()
	cursor, err := r.db.Collection(mongodb.Businesses).Aggregate(call, pipeline, options.Aggregate().SetBatchSize(maxPage+1))
	if err != nil {
		return Page{}, fmt.Errorf("find businesses: %w", err)
	}
	var docs []bson.Raw
	if err := cursor.All(call, &docs); err != nil {
		return Page{}, fmt.Errorf("find businesses: %w", err)
	}
	return r.pageOf(docs, limit)
}

// find reads a page of what a filter matches.
func (r *Businesses) find(ctx context.Context, filter bson.D, after string, limit int) (Page, error) {
	limit = max(1, min(limit, maxPage))
	filter = append(bson.D{}, filter...) // never nil
	if after != "" {
		filter = append(filter, bson.E{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}})
	}
	call, cancel := r.db.Call(ctx)
	defer cancel()
	cursor, err := r.db.Collection(mongodb.Businesses).Find(call, filter, options.Find().
		SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(limit+1)))
	if err != nil {
		return Page{}, fmt.Errorf("find businesses: %w", err)
	}
	var docs []bson.Raw
	if err := cursor.All(call, &docs); err != nil {
		return Page{}, fmt.Errorf("find businesses: %w", err)
	}
	return r.pageOf(docs, limit)
}

// pageOf makes a page of at most limit documents; one more says that there is a
// next page.
func (r *Businesses) pageOf(docs []bson.Raw, limit int) (Page, error) {
	page := Page{Rows: make([]Business, 0, len(docs))}
	for _, raw := range docs[:min(len(docs), limit)] {
		b, err := r.business(raw)
		if err != nil {
			return Page{}, err
		}
		page.Rows = append(page.Rows, b)
	}
	if len(docs) > limit {
		page.Next = page.Rows[limit-1].Key
	}
	return page, nil
}
