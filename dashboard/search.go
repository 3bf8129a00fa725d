package dashboard

import (
	"slices"
	"strings"

	"padron/dashboard/chart"
	"padron/internal/cleaning"
	"padron/internal/query"
	"padron/internal/statistics"
)

const (
	// longestQuery bounds what is searched for, in bytes.
	longestQuery = 200
)

// visible reads rows without the values that must not be shown, and does not
// search in them.
func (r *request) visible() *query.Businesses {
	if r.server.Sensitive {
		return r.reader.Businesses(cleaning.Words, nil)
	}
	return r.reader.Businesses(cleaning.Words, r.hidden)
}

// wantedBusinesses are the parameters of a list of businesses.
type wantedBusinesses struct {
	Query                string
	Neighborhood, Sector string // query.Unknown: rows without one
	Open                 string // "", yes or no
	After                string

	filters query.Filters
}

func (r *request) wantedBusinesses() (w wantedBusinesses, err error) {
	q := r.query
	w = wantedBusinesses{
		Query: strings.TrimSpace(q.Get("q")), Neighborhood: q.Get("neighborhood"), Sector: q.Get("sector"), Open: q.Get("open"),
		After: q.Get("after"),
	}
	if len(w.Query) > longestQuery {
		return w, bad("q", w.Query, "long", longestQuery)
	}
	for name, v := range map[string]string{"q": w.Query, "after": w.After} {
		if strings.ContainsRune(v, 0) || strings.ToValidUTF8(v, "") != v {
			return w, bad(name, strings.ToValidUTF8(strings.ReplaceAll(v, "\x00", ""), ""), "text")
		}
	}
	w.filters = query.Filters{Neighborhood: w.Neighborhood, Sector: w.Sector}
	for _, f := range []struct{ name, value, series string }{
		{"neighborhood", w.Neighborhood, statistics.SeriesNeighborhood}, {"sector", w.Sector, statistics.SeriesSector},
	} {
		if f.value == "" || f.value == query.Unknown {
			continue
		}
		names, err := r.namesOf(f.series)
		if err != nil {
			return w, err
		}
		if !slices.Contains(names, f.value) {
			return w, bad(f.name, f.value, "value")
		}
	}
	switch w.Open {
	case "":
	case "yes", "no":
		open := w.Open == "yes"
		w.filters.Open = &open
	default:
		return w, bad("open", w.Open, "choice", "yes, no")
	}
	return w, nil
}

// namesOf are the values of a dimension, in order.
func (r *request) namesOf(name string) ([]string, error) {
	rows, _, err := chart.ReadSeries[[]statistics.Tallied](r.Context(), r.charts, &r.state.snapshot, name)
	var names []string
	for _, row := range rows {
		if row.Name != "" {
			names = append(names, row.Name)
		}
	}
	return names, err
}

// find reads a page of rows. A row that an older version of the cleaning rules
// made may have hidden words among those that are searched, until a run has
// written it anew. It is passed over as if it were not there: the page is filled
// from those that follow.
func (r *request) find(w wantedBusinesses, after string, limit int) (query.Page, error) {
	reader := r.visible()
	if w.Query == "" {
		return reader.List(r.Context(), w.filters, after, limit)
	}
	if r.server.Sensitive {
		return reader.Search(r.Context(), w.Query, w.filters, after, limit)
	}
	words := cleaning.Words(w.Query)
	var found query.Page
	for {
		page, err := reader.Search(r.Context(), w.Query, w.filters, after, limit+1)
		if err != nil {
			return found, err
		}
		for i := range page.Rows {
			if !r.matchesShown(&page.Rows[i], w.Query, words) {
				continue
			}
			if len(found.Rows) == limit {
				found.Next = found.Rows[limit-1].Key
				return found, nil
			}
			found.Rows = append(found.Rows, page.Rows[i])
		}
		if after = page.Next; after == "" {
			return found, nil
		}
	}
}

// matchesShown says whether a row has each word in a field that may be shown.
func (r *request) matchesShown(b *query.Business, query string, words []string) bool {
	if b.Key == query {
		return true
	}
	var text strings.Builder
	for _, f := range r.server.Spec.Fields {
		if f.Search && !r.hidden(f.Path) {
			value, _ := b.Document.Lookup(strings.Split(f.Path, ".")...).StringValueOK()
			text.WriteString(value + "\n")
		}
	}
	has := cleaning.Words(text.String())
	return !slices.ContainsFunc(words, func(w string) bool {
		return !slices.ContainsFunc(has, func(h string) bool { return strings.HasPrefix(h, w) })
	})
}

// listed is a row as lists show it.
type listed struct {
	query.Business
	Href   string
	Sector string
	Owner  string // empty when it must not be shown
}

// Where is the address in one line.
func (l *listed) Where() string {
	a := &l.Address
	parts := []string{a.Street, strings.TrimSpace(a.City + " " + a.Zip)}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}

// listed are rows as lists show them.
func (r *request) listed(rows []query.Business) []listed {
	all := make([]listed, len(rows))
	for i := range rows {
		b := rows[i]
		all[i] = listed{Business: b, Href: chart.PagePath(r.Lang, "businesses", b.Key), Owner: b.Owner}
		if b.Facets.Sector != "" {
			all[i].Sector = r.Sector(b.Facets.Sector)
		}
	}
	return all
}
