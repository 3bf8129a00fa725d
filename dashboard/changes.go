package dashboard

import (
	"cmp"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/mirror"
)

const (
	// changesPerPage is how many changes a page lists, changesPerFeed a feed.
	changesPerPage = 50
	changesPerFeed = 100

	// changePagesAtOnce bounds what one request reads, in pages of at most 500
	// events: looking for a rare kind of change goes on on the next page.
	changePagesAtOnce = 10
)

// change is one change of a row as it is shown.
type change struct {
	Key     string        `json:"key"`
	Version int32         `json:"version"`
	At      time.Time     `json:"at"`
	Run     string        `json:"run"`
	Kinds   []string      `json:"kinds"`
	Cause   string        `json:"cause"`
	Name    string        `json:"name,omitempty"` // the row's, now
	Href    string        `json:"-"`
	Fields  []changeField `json:"fields"`
}

// changeField is a field that differs. The values of a hidden one are left out.
type changeField struct {
	Path   string `json:"path"`
	Label  string `json:"-"`
	Hidden bool   `json:"sensitive,omitempty"`
	From   any    `json:"from,omitempty"`
	To     any    `json:"to,omitempty"`
}

// Kind is the primary kind.
func (c *change) Kind() string { return c.Kinds[0] }

type changesData struct {
	Kinds   []Link
	Since   string
	Changes []change
	First   string // address of the first page; empty: this is it
	Next    string
	RSS     string
	JSON    string
}

// changesWanted are the parameters of a list of changes.
type changesWanted struct {
	kind  string
	since time.Time
	from  mirror.Place
}

func (r *request) wantedChanges() (w changesWanted, err error) {
	if w.kind, err = r.choice("kind", append([]string{""}, mirror.Kinds()...)...); err != nil {
		return w, err
	}
	if day := r.query.Get("since"); day != "" {
		if w.since, err = time.ParseInLocation(time.DateOnly, day, r.server.Spec.Location()); err != nil {
			return w, bad("since", day, "day")
		}
	}
	after := r.query.Get("after")
	var ok bool
	if w.from, ok = mirror.ParsePlace(after); !ok {
		return w, bad("after", after, "after")
	}
	return w, nil
}

// listChanges reads changes of the source, newest run first, with the names that
// the rows have now.
func (r *request) listChanges(w changesWanted, limit int) (changes []change, next *mirror.Place, err error) {
	var events []mirror.Event
	next, err = r.mirror.ChangesBack(r.ctx, w.since, w.from, changePagesAtOnce, func(e *mirror.Event) bool {
		if e.Cause == mirror.CauseSource && (w.kind == "" || slices.Contains(e.Kinds, w.kind)) {
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
	docs, err := r.mirror.Documents(r.ctx, slices.Compact(keys))
	if err != nil {
		return nil, nil, err
	}
	changes = make([]change, len(events))
	for i := range events {
		changes[i] = r.change(&events[i])
		changes[i].Name = r.nameOf(docs[events[i].Key])
	}
	return changes, next, nil
}

// nameOf is what a row is called: the first of the names whose change is a
// renaming and which may be shown.
func (r *request) nameOf(doc bson.Raw) string {
	for _, path := range r.server.Spec.Events.Renamed {
		if r.hidden(path) || doc == nil {
			continue
		}
		if name, ok := doc.Lookup(strings.Split(path, ".")...).StringValueOK(); ok {
			return name
		}
	}
	return ""
}

// hidden says whether the value at a path is not to be shown.
func (r *request) hidden(path string) bool {
	return !r.server.Sensitive && r.server.Spec.Sensitive(path)
}

// change is an event as it may be shown.
func (r *request) change(e *mirror.Event) change {
	c := change{Key: e.Key, Version: e.Version, At: e.At.UTC(), Run: e.Run, Kinds: e.Kinds, Cause: e.Cause, Href: pagePath(r.lang, "businesses", e.Key), Fields: []changeField{}}
	if len(c.Kinds) == 0 {
		c.Kinds = []string{mirror.KindUpdated}
	}
	for _, f := range e.Fields {
		if derived(f.Path) {
			continue
		}
		field := changeField{Path: f.Path, Label: r.field(f.Path)}
		if field.Hidden = r.hidden(f.Path); !field.Hidden {
			field.From, field.To = readable(f.From), readable(f.To)
		}
		c.Fields = append(c.Fields, field)
	}
	return c
}

// field is what a path of the document is called.
func (r *request) field(path string) string { return r.or("field."+path, path) }

// derived says whether a path holds what Padron computed of a row or keeps of it.
func derived(path string) bool {
	top, _, _ := strings.Cut(path, ".")
	return top == "facets" || top == "quality" || top == "source" || top == "lineage"
}

// readable is a document's value as JSON has it, dates as days.
func readable(v bson.RawValue) any {
	switch v.Type {
	case bson.TypeDateTime:
		if t := v.Time().UTC(); t.Equal(t.Truncate(24 * time.Hour)) {
			return t.Format(time.DateOnly)
		}
		return v.Time().UTC().Format(time.RFC3339)
	case bson.TypeString:
		return v.StringValue()
	case bson.TypeBoolean:
		return v.Boolean()
	case bson.TypeEmbeddedDocument:
		if at, ok := coordinates(v.Document()); ok {
			return at
		}
	case bson.TypeArray:
	default:
		if n, ok := v.AsInt64OK(); ok && v.Type != bson.TypeDouble {
			return n
		}
		if f, ok := v.DoubleOK(); ok {
			return f
		}
		if v.IsZero() {
			return nil
		}
	}
	whole, err := bson.MarshalExtJSON(bson.D{{Key: "v", Value: v}}, false, false)
	var inner struct {
		V json.RawMessage `json:"v"`
	}
	if err != nil || json.Unmarshal(whole, &inner) != nil {
		return v.String()
	}
	return inner.V
}

// coordinates shows a GeoJSON point: latitude, longitude.
func coordinates(doc bson.Raw) (string, bool) {
	lon, one := doc.Lookup("coordinates", "0").DoubleOK()
	lat, two := doc.Lookup("coordinates", "1").DoubleOK()
	return fmt.Sprintf("%.6f, %.6f", lat, lon), one && two
}

// value is a document's value for people; "" for none.
func (c *catalogue) value(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case json.RawMessage:
		return string(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		if v {
			return c.t("yes")
		}
		return c.t("no")
	default:
		return fmt.Sprint(v)
	}
}

func (r *request) changes() (*view, error) {
	w, err := r.wantedChanges()
	if err != nil {
		return nil, err
	}
	changes, next, err := r.listChanges(w, changesPerPage)
	if err != nil {
		return nil, err
	}
	d := changesData{Since: r.query.Get("since"), Changes: changes, First: r.first()}
	for _, kind := range mirror.Kinds() {
		d.Kinds = append(d.Kinds, Link{Text: r.t("kind." + kind), Href: kind, Current: kind == w.kind})
	}
	if next != nil {
		d.Next = r.with("after", next.String())
	}
	suffix := "?lang=" + r.lang
	if w.kind != "" {
		suffix += "&kind=" + w.kind
	}
	d.RSS, d.JSON = "/changes.rss"+suffix, "/data/changes.json"+suffix
	if d.Since != "" {
		d.JSON += "&since=" + d.Since
	}
	return &view{template: "changes", title: r.t("nav.changes"), data: d}, nil
}

// changesJSON lists changes for programs; its Link header leads to the next.
func (r *request) changesJSON() (*content, error) {
	w, err := r.wantedChanges()
	if err != nil {
		return nil, err
	}
	changes, next, err := r.listChanges(w, changesPerFeed)
	if err != nil {
		return nil, err
	}
	out := struct {
		Dataset     string   `json:"dataset"`
		License     string   `json:"license"`
		Attribution string   `json:"attribution"`
		Changes     []change `json:"changes"`
		Next        string   `json:"next,omitempty"`
	}{r.server.Spec.Title, r.server.Spec.License, r.server.Spec.Attribution, changes, ""}
	if next != nil {
		out.Next = r.with("after", next.String())
	}
	c, err := asJSON(out)
	if err == nil {
		c.next = out.Next
	}
	return c, err
}

// RSS 2.0: https://www.rssboard.org/rss-specification
type rss struct {
	XMLName xml.Name   `xml:"rss"`
	Version string     `xml:"version,attr"`
	Channel rssChannel `xml:"channel"`
}

type rssChannel struct {
	Title       string    `xml:"title"`
	Link        string    `xml:"link"`
	Description string    `xml:"description"`
	Language    string    `xml:"language"`
	Copyright   string    `xml:"copyright"`
	Items       []rssItem `xml:"item"`
}

type rssItem struct {
	Title       string  `xml:"title"`
	Link        string  `xml:"link"`
	Description string  `xml:"description"`
	GUID        rssGUID `xml:"guid"`
	Date        string  `xml:"pubDate"`
	Category    string  `xml:"category"`
}

type rssGUID struct {
	Permanent bool   `xml:"isPermaLink,attr"`
	ID        string `xml:",chardata"`
}

// feed is the newest changes as RSS.
func (r *request) feed() (*content, error) {
	w, err := r.wantedChanges()
	if err != nil {
		return nil, err
	}
	changes, _, err := r.listChanges(w, changesPerFeed)
	if err != nil {
		return nil, err
	}
	base := "http://" + r.Host
	if encrypted(r.Request) {
		base = "https://" + r.Host
	}
	spec := r.server.Spec
	doc := rss{Version: "2.0", Channel: rssChannel{
		Title: r.t("nav.changes") + ": " + spec.Title, Link: base + pagePath(r.lang, "changes"), Language: r.lang,
		Description: r.t("changes.about"), Copyright: spec.Attribution + ". " + spec.License,
	}}
	for i := range changes {
		c := &changes[i]
		var what []string
		for _, f := range c.Fields {
			switch {
			case c.Kind() == mirror.KindOpened:
			case f.Hidden:
				what = append(what, f.Label+": "+r.t("hidden"))
			default:
				what = append(what, f.Label+": "+cmp.Or(r.value(f.From), "–")+" → "+cmp.Or(r.value(f.To), "–"))
			}
		}
		doc.Channel.Items = append(doc.Channel.Items, rssItem{
			Title: r.t("kind."+c.Kind()) + ": " + cmp.Or(c.Name, c.Key), Link: base + c.Href, Description: strings.Join(what, "; "),
			GUID: rssGUID{ID: spec.Name + "/" + c.Key + "/" + strconv.Itoa(int(c.Version))}, Date: c.At.Format(time.RFC1123Z), Category: c.Kind(),
		})
	}
	body, err := xml.MarshalIndent(doc, "", " ")
	return &content{kind: kindRSS, body: append([]byte(xml.Header), body...)}, err
}
