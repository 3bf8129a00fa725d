package dashboard

import (
	"cmp"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/errgroup"

	"padron/dashboard/chart"
	"padron/internal/changes"
	"padron/internal/query"
)

// neighboursAtMost bounds the lists of a business's page.
const neighboursAtMost = 50

// businessData is what the page of a business shows.
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
	Seen bool // true: a run saw it; false: the register says it
}

func (r *request) business() (*view, error) {
	key := r.PathValue("key")
	reader := r.visible()
	b, err := reader.Business(r.Context(), key)
	if errors.Is(err, query.ErrNoBusiness) {
		return nil, missing("business", shorten(key))
	}
	if err != nil {
		return nil, err
	}
	d := businessData{listed: r.listed([]query.Business{b})[0]}
	for _, f := range r.server.Spec.Fields {
		if f.Drop || f.Copy != "" {
			continue
		}
		if r.hidden(f.Path) {
			d.HiddenNames = append(d.HiddenNames, r.Field(f.Path))
			continue
		}
		v := b.Document.Lookup(strings.Split(f.Path, ".")...)
		switch shown := changes.Readable(v); {
		case shown == nil:
		case v.Type == bson.TypeDateTime:
			d.Facts = append(d.Facts, fact{r.Field(f.Path), r.Date(v.Time().UTC())})
		default:
			d.Facts = append(d.Facts, fact{r.Field(f.Path), r.Value(shown)})
		}
	}
	var (
		events         []changes.Event
		account, there query.Page
	)
	reads, ctx := errgroup.WithContext(r.Context())
	reads.Go(func() (err error) {
		events, err = r.reader.ChangesOf(ctx, key)
		return err
	})
	if b.Account != "" {
		reads.Go(func() (err error) {
			account, err = reader.OfAccount(ctx, b.Account, "", neighboursAtMost)
			return err
		})
	}
	if b.Address.Street != "" {
		reads.Go(func() (err error) {
			there, err = reader.AtAddress(ctx, b.Address.Street, "", neighboursAtMost+1)
			return err
		})
	}
	if err := reads.Wait(); err != nil {
		return nil, err
	}
	for i := range events {
		d.Changes = append(d.Changes, r.change(&events[i], nil))
	}
	slices.Reverse(d.Changes)
	d.Timeline = r.timeline(&b, d.Changes)
	d.Locations = r.listed(account.Rows)
	if account.Next != "" {
		d.MoreOf = chart.PagePath(r.Lang, "businesses") + "?" + url.Values{"q": {b.Account}}.Encode()
	}
	d.Neighbours = slices.DeleteFunc(r.listed(there.Rows), func(l listed) bool { return l.Key == key })
	d.MoreThere = there.Next != ""
	return &view{template: "business", title: cmp.Or(b.Name, key), data: &d}, nil
}

// timeline lists the dates that the register has of a business, and what runs
// saw, oldest first.
func (r *request) timeline(b *query.Business, listed []change) []moment {
	var all []moment
	add := func(at time.Time, what string, seen bool) {
		all = append(all, moment{Day: at.Format(time.DateOnly), Date: r.Date(at), What: r.T(what), Seen: seen})
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
	for i := range listed {
		c := &listed[i]
		if c.Cause == changes.CauseSource {
			add(c.At.In(zone), "kind."+c.Kind(), true)
		}
	}
	slices.SortStableFunc(all, func(a, b moment) int { return strings.Compare(a.Day, b.Day) })
	return all
}
