package dashboard

import (
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/dashboard/chart"
	"padron/internal/changes"
	"padron/internal/query"
)

const (
	// changesPerPage is how many changes a page lists, changesPerFeed how many
	// a feed does.
	changesPerPage = 50
	changesPerFeed = 100

	// changePagesAtOnce bounds what one request reads, in pages of at most 500
	// events. The search for a rare kind of change continues on the next page.
	changePagesAtOnce = 10
)

// changesData is what the page of changes shows.
type changesData struct {
	Kinds   []Link
	Since   string
	Changes []change
	First   string // address of the first page; empty: this is it
	Next    string // address of the next page; empty: this is the last
	RSS     string
	JSON    string
}

// change is one change of a row as it is shown.
type change struct {
	changes.Shown
	Href string `json:"-"` // of the row's page
}

// change is an event as this page may show it; doc is the row's current
// document, nil where its name is not needed.
func (r *request) change(e *changes.Event, doc bson.Raw) change {
	c := change{Shown: changes.Show(e, r.hidden, false), Href: chart.PagePath(r.Lang, "businesses", e.Key)}
	c.Name = changes.Name(doc, r.server.Spec.Events.Renamed, r.hidden)
	return c
}

// changesWanted are the parameters of a list of changes.
type changesWanted struct {
	kind  string
	since time.Time
	from  query.Place
}

func (r *request) wantedChanges() (w changesWanted, err error) {
	if w.kind, err = r.choice("kind", append([]string{""}, changes.Kinds()...)...); err != nil {
		return w, err
	}
	if day := r.query.Get("since"); day != "" {
		if w.since, err = time.ParseInLocation(time.DateOnly, day, r.server.Spec.Location()); err != nil {
			return w, bad("since", day, "day")
		}
	}
	after := r.query.Get("after")
	var ok bool
	if w.from, ok = query.ParsePlace(after); !ok {
		return w, bad("after", after, "after")
	}
	return w, nil
}

// listChanges reads changes of the source, newest run first, with the current
// names of the rows.
func (r *request) listChanges(w changesWanted, limit int) (listed []change, next *query.Place, err error) {
	var events []changes.Event
	next, err = r.reader.ChangesBack(r.Context(), w.since, w.from, changePagesAtOnce, func(e *changes.Event) bool {
		if e.Cause == changes.CauseSource && (w.kind == "" || slices.Contains(e.Kinds, w.kind)) {
			events = append(events, *e)
		}
		return len(events) == limit
	})
	if err != nil {
		return nil, nil, err
	}
	keys := make([]string, len(events))
	for i := range events {
		keys[i] = events[i].Key
	}
	slices.Sort(keys)
	docs, err := r.reader.Documents(r.Context(), slices.Compact(keys))
	if err != nil {
		return nil, nil, err
	}
	listed = make([]change, len(events))
	for i := range events {
		listed[i] = r.change(&events[i], docs[events[i].Key])
	}
	return listed, next, nil
}

func (r *request) changes() (*view, error) {
	w, err := r.wantedChanges()
	if err != nil {
		return nil, err
	}
	listed, next, err := r.listChanges(w, changesPerPage)
	if err != nil {
		return nil, err
	}
	d := changesData{Since: r.query.Get("since"), Changes: listed, First: r.first()}
	for _, kind := range changes.Kinds() {
		d.Kinds = append(d.Kinds, Link{Text: r.T("kind." + kind), Href: kind, Current: kind == w.kind})
	}
	if next != nil {
		d.Next = r.with("after", next.String())
	}
	suffix := "?lang=" + r.Lang
	if w.kind != "" {
		suffix += "&kind=" + w.kind
	}
	d.RSS, d.JSON = "/changes.rss"+suffix, "/data/changes.json"+suffix
	if d.Since != "" {
		d.JSON += "&since=" + d.Since
	}
	d.RSS, d.JSON = r.server.shared(d.RSS), r.server.shared(d.JSON)
	return &view{template: "changes", title: r.T("nav.changes"), data: d}, nil
}

// changesJSON lists changes for programs. Its Link header leads to the next
// ones.
func (r *request) changesJSON() (*content, error) {
	w, err := r.wantedChanges()
	if err != nil {
		return nil, err
	}
	listed, next, err := r.listChanges(w, changesPerFeed)
	if err != nil {
		return nil, err
	}
	out := struct {
		Dataset     string   `json:"dataset"`
		License     string   `json:"license"`
		Attribution string   `json:"attribution"`
		Changes     []change `json:"changes"`
		Next        string   `json:"next,omitempty"`
	}{r.server.Spec.Title, r.server.Spec.License, r.server.Spec.Attribution, listed, ""}
	if next != nil {
		out.Next = r.with("after", next.String())
	}
	c, err := asJSON(out)
	if err == nil {
		c.next = out.Next
	}
	return c, err
}
