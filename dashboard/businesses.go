package dashboard

import (
	"bytes"
	"errors"
	"net/url"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/dashboard/chart"
	"padron/internal/changes"
	"padron/internal/export"
	"padron/internal/query"
	"padron/internal/statistics"
)

const (
	// businessesPerPage is how many rows a page lists.
	businessesPerPage = 50

	// exportRows bounds the rows of one CSV file. The Link header of the answer
	// leads to the next file. The starter exports everything at once.
	exportRows = 5000

	// exportBatch is how many rows are read at once for a file.
	exportBatch = 1000
)

// businessesData is what the list of businesses shows.
type businessesData struct {
	wantedBusinesses
	Neighborhoods []Link
	Sectors       []Link
	Rows          []listed
	First, Next   string // addresses of pages; empty: there is none
	CSV, JSON     string
	Empty         string // why nothing is listed
}

func (r *request) businesses() (*view, error) {
	w, err := r.wantedBusinesses()
	if err != nil {
		return nil, err
	}
	d := businessesData{wantedBusinesses: w, First: r.first()}
	page, err := r.find(w, w.After, businessesPerPage)
	switch {
	case errors.Is(err, query.ErrNoWords):
		d.Empty = r.T("search.nowords")
	case err != nil:
		return nil, err
	case len(page.Rows) == 0:
		d.Empty = r.T("search.nothing")
	}
	d.Rows = r.listed(page.Rows)
	if page.Next != "" {
		d.Next = r.with("after", page.Next)
	}
	for _, choice := range []struct {
		series, chosen string
		name           func(string) string
		to             *[]Link
	}{
		{statistics.SeriesNeighborhood, w.Neighborhood, func(n string) string { return n }, &d.Neighborhoods},
		{statistics.SeriesSector, w.Sector, r.Sector, &d.Sectors},
	} {
		names, err := r.namesOf(choice.series)
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			*choice.to = append(*choice.to, Link{Text: choice.name(n), Href: n, Current: n == choice.chosen})
		}
		*choice.to = append(*choice.to, Link{Text: r.T("unknown"), Href: query.Unknown, Current: query.Unknown == choice.chosen})
	}
	query := url.Values{"lang": {r.Lang}}
	for name, v := range map[string]string{"q": w.Query, "neighborhood": w.Neighborhood, "sector": w.Sector, "open": w.Open} {
		if v != "" {
			query.Set(name, v)
		}
	}
	d.CSV, d.JSON = "/data/businesses.csv?"+query.Encode(), "/data/businesses.json?"+query.Encode()
	d.CSV, d.JSON = r.server.shared(d.CSV), r.server.shared(d.JSON)
	return &view{template: "businesses", title: r.T("nav.businesses"), data: d}, nil
}

// exportPaths are the fields of an export, in the order of the document.
func (r *request) exportPaths() []string {
	paths := []string{"_id"}
	for _, f := range r.server.Spec.Fields {
		if !r.hidden(f.Path) && !f.Drop && f.Copy == "" {
			paths = append(paths, f.Path)
		}
	}
	return append(paths, "facets.open", "facets.closed", "facets.sector", "quality.flags")
}

// businessesCSV answers with the rows of a list, up to exportRows of them.
func (r *request) businessesCSV() (*content, error) {
	w, err := r.wantedBusinesses()
	if err != nil {
		return nil, err
	}
	paths := r.exportPaths()
	var b bytes.Buffer
	out := export.NewCSVWriter(&b)
	if err := out.Write(paths); err != nil {
		return nil, err
	}
	after, rows := w.After, 0
	for rows < exportRows {
		page, err := r.find(w, after, exportBatch)
		if errors.Is(err, query.ErrNoWords) {
			return nil, bad("q", w.Query, "words")
		}
		if err != nil {
			return nil, err
		}
		for i := range page.Rows {
			line := make([]string, len(paths))
			for c, path := range paths {
				line[c] = csvValue(page.Rows[i].Document.Lookup(strings.Split(path, ".")...))
			}
			if err := out.Write(line); err != nil {
				return nil, err
			}
		}
		rows, after = rows+len(page.Rows), page.Next
		if after == "" || len(page.Rows) == 0 {
			break
		}
	}
	if err := out.Flush(); err != nil {
		return nil, err
	}
	c := &content{kind: kindCSV, name: chart.FileName(r.server.Spec.Name, "businesses") + ".csv", body: b.Bytes()}
	if after != "" {
		c.next = r.with("after", after)
	}
	return c, nil
}

// csvValue is a value of a document as CSV has it: points as latitude and
// longitude, lists with a space between.
func csvValue(v bson.RawValue) string {
	if v.Type != bson.TypeArray {
		return chart.CSVValue(changes.Readable(v))
	}
	var words []string
	values, err := v.Array().Values()
	for _, e := range values {
		if s, ok := e.StringValueOK(); ok && err == nil {
			words = append(words, s)
		}
	}
	return export.Harmless(strings.Join(words, " "))
}

// businessesJSON answers with a page of rows for programs.
func (r *request) businessesJSON() (*content, error) {
	w, err := r.wantedBusinesses()
	if err != nil {
		return nil, err
	}
	page, err := r.find(w, w.After, businessesPerPage)
	if errors.Is(err, query.ErrNoWords) {
		return nil, bad("q", w.Query, "words")
	}
	if err != nil {
		return nil, err
	}
	out := struct {
		Dataset     string           `json:"dataset"`
		License     string           `json:"license"`
		Attribution string           `json:"attribution"`
		Rows        []query.Business `json:"rows"`
		Next        string           `json:"next,omitempty"`
	}{r.server.Spec.Title, r.server.Spec.License, r.server.Spec.Attribution, page.Rows, ""}
	if out.Rows == nil {
		out.Rows = []query.Business{}
	}
	if page.Next != "" {
		out.Next = r.with("after", page.Next)
	}
	c, err := asJSON(out)
	if err == nil {
		c.next = out.Next
	}
	return c, err
}
