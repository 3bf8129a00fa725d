package dashboard

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/cleaning"
	"padron/internal/mirror"
)

const (
	// businessesPerPage is how many rows a page lists.
	businessesPerPage = 50

	// exportRows bounds the rows of one CSV file; its Link header leads to the
	// next one. The starter exports everything at once.
	exportRows = 5000

	// exportBatch is how many rows are read at once for a file.
	exportBatch = 1000

	// searchBatches bounds how often a search reads on for rows that match in
	// what may be shown. It reads searchMargin times as many as are wanted, since
	// every other one matches in its owner's name only, and more where that was not
	// enough: to find them takes longer than to read them.
	searchBatches = 4
	searchMargin  = 2
	searchFurther = 10

	// neighboursAtMost bounds the lists of a business's page.
	neighboursAtMost = 50

	// longestQuery bounds what is searched for, in bytes.
	longestQuery = 200
)

// reader reads rows without what is not to be shown.
func (r *request) reader() *mirror.BusinessReader {
	var hidden []string
	if !r.server.Sensitive {
		hidden = r.server.Spec.SensitivePaths()
	}
	return r.mirror.BusinessReader(cleaning.Words, hidden)
}

// wantedBusinesses are the parameters of a list of businesses.
type wantedBusinesses struct {
	Query                string
	Neighborhood, Sector string // mirror.Unknown: rows without one
	Open                 string // "", yes or no
	After                string

	filters mirror.BusinessFilters
}

func (r *request) wantedBusinesses() (w wantedBusinesses, err error) {
	q := r.query
	w = wantedBusinesses{Query: strings.TrimSpace(q.Get("q")), Neighborhood: q.Get("neighborhood"), Sector: q.Get("sector"), Open: q.Get("open"), After: q.Get("after")}
	if len(w.Query) > longestQuery {
		return w, bad("q", w.Query, "long", longestQuery)
	}
	for name, v := range map[string]string{"q": w.Query, "after": w.After} {
		if strings.ContainsRune(v, 0) || strings.ToValidUTF8(v, "") != v {
			return w, bad(name, strings.ToValidUTF8(strings.ReplaceAll(v, "\x00", ""), ""), "text")
		}
	}
	w.filters = mirror.BusinessFilters{Neighborhood: w.Neighborhood, Sector: w.Sector}
	for _, f := range []struct{ name, value, series string }{
		{"neighborhood", w.Neighborhood, mirror.SeriesNeighborhood}, {"sector", w.Sector, mirror.SeriesSector},
	} {
		if f.value == "" || f.value == mirror.Unknown {
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
	rows, _, err := series[[]mirror.Tallied](r, &r.state.snapshot, name)
	var names []string
	for _, row := range rows {
		if row.Name != "" {
			names = append(names, row.Name)
		}
	}
	return names, err
}

// find reads a page of rows. A search matches owners' names too, which may be
// private: then a row is found only by what is shown of it, so that a search
// does not tell who owns it.
func (r *request) find(w wantedBusinesses, after string, limit int) (mirror.BusinessPage, error) {
	reader := r.reader()
	if w.Query == "" {
		return reader.List(r.ctx, w.filters, after, limit)
	}
	if r.server.Sensitive {
		return reader.Search(r.ctx, w.Query, w.filters, after, limit)
	}
	words := cleaning.Words(w.Query)
	var found mirror.BusinessPage
	for batch := range searchBatches {
		margin := searchMargin
		if batch > 0 {
			margin = searchFurther
		}
		page, err := reader.Search(r.ctx, w.Query, w.filters, after, margin*limit)
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
		found.Next, after = page.Next, page.Next
		if after == "" || len(found.Rows) == limit {
			break
		}
	}
	return found, nil
}

// matchesShown says whether a row has each word in a field that may be shown.
func (r *request) matchesShown(b *mirror.Business, query string, words []string) bool {
	if b.Key == query {
		return true
	}
	var text strings.Builder
	for _, f := range r.server.Spec.Fields {
		if f.Search && !f.Sensitive {
			value, _ := b.Document.Lookup(strings.Split(f.Path, ".")...).StringValueOK()
			text.WriteString(value + "\n")
		}
	}
	has := cleaning.Words(text.String())
	return !slices.ContainsFunc(words, func(w string) bool {
		return !slices.ContainsFunc(has, func(h string) bool { return strings.HasPrefix(h, w) })
	})
}

type businessesData struct {
	wantedBusinesses
	Neighborhoods []Link
	Sectors       []Link
	Rows          []listed
	First, Next   string // addresses of pages; empty: there is none
	CSV, JSON     string
	Empty         string // why nothing is listed
}

// listed is a row of a list.
type listed struct {
	mirror.Business
	Href   string
	Sector string
	Owner  string // empty when it is not to be shown
}

// Where is the address in a line.
func (l *listed) Where() string {
	a := &l.Address
	parts := []string{a.Street, strings.TrimSpace(a.City + " " + a.Zip)}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}

func (r *request) listed(rows []mirror.Business) []listed {
	all := make([]listed, len(rows))
	for i := range rows {
		b := rows[i]
		all[i] = listed{Business: b, Href: pagePath(r.lang, "businesses", b.Key), Owner: b.Owner}
		if b.Facets.Sector != "" {
			all[i].Sector = r.sectorName(b.Facets.Sector)
		}
	}
	return all
}

func (r *request) businesses() (*view, error) {
	w, err := r.wantedBusinesses()
	if err != nil {
		return nil, err
	}
	d := businessesData{wantedBusinesses: w, First: r.first()}
	page, err := r.find(w, w.After, businessesPerPage)
	switch {
	case errors.Is(err, mirror.ErrNoWords):
		d.Empty = r.t("search.nowords")
	case err != nil:
		return nil, err
	case len(page.Rows) == 0 && page.Next == "":
		d.Empty = r.t("search.nothing")
	case len(page.Rows) == 0:
		d.Empty = r.t("search.further")
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
		{mirror.SeriesNeighborhood, w.Neighborhood, func(n string) string { return n }, &d.Neighborhoods},
		{mirror.SeriesSector, w.Sector, r.sectorName, &d.Sectors},
	} {
		names, err := r.namesOf(choice.series)
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			*choice.to = append(*choice.to, Link{Text: choice.name(n), Href: n, Current: n == choice.chosen})
		}
		*choice.to = append(*choice.to, Link{Text: r.t("unknown"), Href: mirror.Unknown, Current: mirror.Unknown == choice.chosen})
	}
	query := url.Values{"lang": {r.lang}}
	for name, v := range map[string]string{"q": w.Query, "neighborhood": w.Neighborhood, "sector": w.Sector, "open": w.Open} {
		if v != "" {
			query.Set(name, v)
		}
	}
	d.CSV, d.JSON = "/data/businesses.csv?"+query.Encode(), "/data/businesses.json?"+query.Encode()
	return &view{template: "businesses", title: r.t("nav.businesses"), data: d}, nil
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

// businessesCSV are the rows that a list has, up to exportRows of them.
func (r *request) businessesCSV() (*content, error) {
	w, err := r.wantedBusinesses()
	if err != nil {
		return nil, err
	}
	paths := r.exportPaths()
	var b bytes.Buffer
	out := csv.NewWriter(&b)
	if err := out.Write(paths); err != nil {
		return nil, err
	}
	after, rows := w.After, 0
	for rows < exportRows {
		page, err := r.find(w, after, exportBatch)
		if errors.Is(err, mirror.ErrNoWords) {
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
	out.Flush()
	c := &content{kind: kindCSV, name: fileName(r.server.Spec.Name, "businesses") + ".csv", body: b.Bytes()}
	if after != "" {
		c.next = r.with("after", after)
	}
	return c, out.Error()
}

// csvValue is a value of a document as CSV has it: points as longitude and
// latitude, lists with a space between.
func csvValue(v bson.RawValue) string {
	if v.Type != bson.TypeArray {
		return plain(readable(v))
	}
	var words []string
	values, err := v.Array().Values()
	for _, e := range values {
		if s, ok := e.StringValueOK(); ok && err == nil {
			words = append(words, s)
		}
	}
	return harmless(strings.Join(words, " "))
}

// businessesJSON is a page of rows for programs.
func (r *request) businessesJSON() (*content, error) {
	w, err := r.wantedBusinesses()
	if err != nil {
		return nil, err
	}
	page, err := r.find(w, w.After, businessesPerPage)
	if errors.Is(err, mirror.ErrNoWords) {
		return nil, bad("q", w.Query, "words")
	}
	if err != nil {
		return nil, err
	}
	out := struct {
		Dataset     string            `json:"dataset"`
		License     string            `json:"license"`
		Attribution string            `json:"attribution"`
		Rows        []mirror.Business `json:"rows"`
		Next        string            `json:"next,omitempty"`
	}{r.server.Spec.Title, r.server.Spec.License, r.server.Spec.Attribution, page.Rows, ""}
	if out.Rows == nil {
		out.Rows = []mirror.Business{}
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

type businessData struct {
	listed
	Facts       []fact
	Timeline    []moment
	Locations   []listed // of the account, this one among them
	MoreOf      string   // address of all of them; empty: these are all
	Neighbours  []listed // at the address, without this one
	MoreThere   bool
	Changes     []change // newest first
	HiddenNames []string // fields that are not shown
}

// fact is a field and its value.
type fact struct{ Label, Value string }

// moment is something that happened to a business, on a day.
type moment struct {
	Day  string // such as 2026-11-20
	Date string // the same for people
	What string
	Seen bool // by a run: what the rest says, the register does
}

func (r *request) business() (*view, error) {
	key := r.PathValue("key")
	reader := r.reader()
	b, err := reader.Business(r.ctx, key)
	if errors.Is(err, mirror.ErrNoBusiness) {
		return nil, missing("business", shorten(key))
	}
	if err != nil {
		return nil, err
	}
	d := businessData{listed: r.listed([]mirror.Business{b})[0]}
	for _, f := range r.server.Spec.Fields {
		if f.Drop || f.Copy != "" {
			continue
		}
		if r.hidden(f.Path) {
			d.HiddenNames = append(d.HiddenNames, r.field(f.Path))
			continue
		}
		v := b.Document.Lookup(strings.Split(f.Path, ".")...)
		switch shown := readable(v); {
		case shown == nil:
		case v.Type == bson.TypeDateTime:
			d.Facts = append(d.Facts, fact{r.field(f.Path), r.date(v.Time().UTC())})
		default:
			d.Facts = append(d.Facts, fact{r.field(f.Path), r.value(shown)})
		}
	}
	events, err := r.mirror.ChangesOf(r.ctx, key)
	if err != nil {
		return nil, err
	}
	for i := range events {
		d.Changes = append(d.Changes, r.change(&events[i]))
	}
	slices.Reverse(d.Changes)
	d.Timeline = r.timeline(&b, d.Changes)
	if b.Account != "" {
		page, err := reader.OfAccount(r.ctx, b.Account, "", neighboursAtMost)
		if err != nil {
			return nil, err
		}
		d.Locations = r.listed(page.Rows)
		if page.Next != "" {
			d.MoreOf = pagePath(r.lang, "businesses") + "?" + url.Values{"q": {b.Account}}.Encode()
		}
	}
	if b.Address.Street != "" {
		page, err := reader.AtAddress(r.ctx, b.Address.Street, "", neighboursAtMost+1)
		if err != nil {
			return nil, err
		}
		d.Neighbours = slices.DeleteFunc(r.listed(page.Rows), func(l listed) bool { return l.Key == key })
		d.MoreThere = page.Next != ""
	}
	return &view{template: "business", title: cmp.Or(b.Name, key), data: &d}, nil
}

// timeline is what the register says of a business's dates, and what runs saw,
// oldest first.
func (r *request) timeline(b *mirror.Business, changes []change) []moment {
	var all []moment
	add := func(at time.Time, what string, seen bool) {
		all = append(all, moment{Day: at.Format(time.DateOnly), Date: r.date(at), What: r.t(what), Seen: seen})
	}
	for _, m := range []struct {
		key string
		at  time.Time
	}{
		{"business_start", b.Dates.BusinessStart},
		{"location_start", b.Dates.LocationStart},
		{"location_end", b.Dates.LocationEnd},
		{"business_end", b.Dates.BusinessEnd},
	} {
		if !m.at.IsZero() {
			add(m.at.UTC(), "timeline."+m.key, false)
		}
	}
	zone := r.server.Spec.Location()
	if !b.Lineage.FirstSeen.IsZero() {
		add(b.Lineage.FirstSeen.In(zone), "timeline.first_seen", true)
	}
	for i := range changes {
		c := &changes[i]
		if c.Cause == mirror.CauseSource {
			add(c.At.In(zone), "kind."+c.Kind(), true)
		}
	}
	slices.SortStableFunc(all, func(a, b moment) int { return strings.Compare(a.Day, b.Day) })
	return all
}
