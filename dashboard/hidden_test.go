package dashboard_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/net/html"

	"padron/dashboard"
	"padron/internal/changes"
	"padron/internal/cleaning"
	"padron/internal/landing"
	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/profile"
	"padron/internal/runs"
	"padron/internal/statistics"
	"padron/internal/testenv"
)

// TestHiddenValuesInfluenceNothing: of two mirrors that differ in what a visitor
// may not see, he gets the same answers, byte for byte: all pages, data, feeds
// and files, searches for what is hidden included.
func TestHiddenValuesInfluenceNothing(t *testing.T) {
	t.Parallel()
	s := newStack(t, 300)
	first := s.load()
	key := lookup(s.someDocument(), "_id")
	other := s.otherKey(key)
	loaded, err := s.reader.Runs.Run(t.Context(), first)
	require.NoError(t, err)
	require.NoError(t, s.portal.EditAt(loaded.Version.Served.Add(time.Minute),
		portalsim.SetField(key, "ownership_name", owner), portalsim.SetField(key, "mailing_address_1", home),
		portalsim.Rename(other, "Corner Canteen"), portalsim.Delete(lookup(s.documents()[7], "_id")),
	))
	second := s.load()
	pages := []string{
		"businesses?q=leaktest", "businesses?q=zeb", "businesses?q=sosias", "businesses?q=" + url.QueryEscape("~sosias"), "businesses?q=a", "businesses?q=0",
		"businesses?q=corner", "businesses/" + key, "businesses/" + other, "changes", "profile", "runs", "runs/" + first, "runs/" + second, "",
	}
	var words []string // of the owners' names that are there now
	for _, doc := range s.documents() {
		words = append(words, cleaning.Words(lookup(doc, "ownership_name"))[:min(1, len(lookup(doc, "ownership_name")))]...)
	}
	slices.Sort(words)
	for i, w := range slices.Compact(words) {
		if i%testenv.Times(5, 1) == 0 {
			pages = append(pages, "businesses?q="+url.QueryEscape(w))
		}
	}
	slices.Sort(pages)
	start := []string{"/data/businesses.csv", "/data/businesses.json", "/data/changes.json", "/changes.rss", "/data/profile/flags.csv", "/data/profile/missing.csv"}
	for _, page := range slices.Compact(pages) {
		start = append(start, "/en/"+page)
	}
	s.describe()
	before := s.walk(start)
	require.Len(t, before, walkedAtMost())
	s.changeHidden(first, second)
	after := s.walk(start)

	differ := 0
	for _, path := range slices.Sorted(maps.Keys(before)) {
		if before[path] != after[path] {
			differ++
			at := 0
			for at < min(len(before[path]), len(after[path])) && before[path][at] == after[path][at] {
				at++
			}
			from := max(0, at-80)
			assert.Fail(t, "differs", "%s at %d:\n%.200s\n%.200s", path, at, before[path][from:], after[path][from:])
		}
	}
	require.Zero(t, differ, "of %d answers", len(before))
	require.Equal(t, slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)), "the same links")

	open := s.serve(func(o *dashboard.Options) { o.Sensitive = true })
	require.Contains(t, get(t, open.URL, "/data/businesses.json?q=sosias").body, "Sosias", "the mirrors did differ")
}

// walkedAtMost is how many addresses a walk asks for, of some thousand.
func walkedAtMost() int { return testenv.Times(300, 700) }

// walk asks a new server for addresses and those that their answers lead to,
// each once.
func (s *stack) walk(start []string) map[string]string {
	s.t.Helper()
	server := s.serve(nil)
	answers := map[string]string{}
	for todo := slices.Clone(start); len(todo) > 0 && len(answers) < walkedAtMost(); todo = todo[1:] {
		path := todo[0]
		if _, done := answers[path]; done {
			continue
		}
		a := get(s.t, server.URL, path, "Host", "localhost") // feeds and tags have the name in them
		a.header.Del("Date")
		answers[path] = fmt.Sprintln(a.status, a.body, a.header)
		var next struct{ Next string }
		if strings.HasSuffix(strings.Split(path, "?")[0], ".json") && json.Unmarshal([]byte(a.body), &next) == nil && next.Next != "" {
			todo = append(todo, next.Next)
		}
		if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
			continue
		}
		root, err := html.Parse(strings.NewReader(a.body))
		require.NoError(s.t, err)
		for n := range root.Descendants() {
			href, _, _ := strings.Cut(attribute(n, "href"), "#")
			if strings.HasPrefix(href, "/") && !strings.HasPrefix(href, "/static/") && !strings.HasPrefix(href, "/es/") {
				todo = append(todo, href)
			}
		}
	}
	return answers
}

// changeHidden gives every row other values in its hidden fields, as if the
// portal had had them all the time, and some rows what an older spec left.
func (s *stack) changeHidden(first, second string) {
	t, ctx := s.t, s.t.Context()
	cleaner, err := cleaning.New(s.spec)
	require.NoError(t, err)
	for _, name := range []string{mongodb.Businesses, mongodb.Removed} {
		cursor, err := s.db.Collection(name).Find(ctx, bson.D{})
		require.NoError(t, err)
		var docs []bson.Raw
		require.NoError(t, cursor.All(ctx, &docs))
		for n, doc := range docs {
			row, err := cleaner.Source(doc)
			require.NoError(t, err)
			for _, f := range s.spec.Fields {
				if slices.Contains(s.spec.Untracked, f.Path) && lookup(doc, f.Path) != "" {
					row[f.From[0]], _ = jsontext.AppendQuote(nil, lookup(doc, f.Path))
				}
				if !f.Sensitive {
					continue
				}
				delete(row, f.From[0])
				if n%5 != 0 {
					row[f.From[0]], _ = jsontext.AppendQuote(nil, []string{"Sosias  Market #", "0000 Undeliverable Mail", " 1 ", "Sosias San+jose"}[n%4])
				}
			}
			raw, err := json.Marshal(row)
			require.NoError(t, err)
			cleaned, err := cleaner.Clean(raw)
			require.NoError(t, err)
			require.Empty(t, cleaned.Quarantine)
			var made bson.D
			require.NoError(t, bson.Unmarshal(cleaned.Document, &made))
			was, err := doc.LookupErr("lineage")
			require.NoError(t, err)
			var lineage bson.D
			require.NoError(t, was.Unmarshal(&lineage))
			for i := range lineage {
				if lineage[i].Key == "hash" {
					lineage[i].Value = cleaned.Hash[:]
				}
			}
			made = append(made, bson.E{Key: "lineage", Value: lineage})
			if n%3 == 0 {
				made = append(made, bson.E{Key: "proprietor", Value: "Sosias"}, bson.E{Key: "person", Value: bson.D{{Key: "name", Value: "Sosias"}}})
			}
			_, err = s.db.Collection(name).ReplaceOne(ctx, mongodb.ByID(lookup(doc, "_id")), made)
			require.NoError(t, err)
		}
	}
	s.changeHiddenEvents()
	for _, run := range []string{first, second} {
		r, err := s.reader.Runs.Run(ctx, run)
		require.NoError(t, err)
		for i, c := range r.Certificate.Checks {
			if c.Name == "digest" {
				detail := strings.NewReplacer("0", "f", "1", "e", "2", "d", "a", "3", "b", "4").Replace(c.Detail)
				digest := c.Detail[:strings.Index(c.Detail, " to ")+4] + detail[strings.Index(detail, " to ")+4:][:16] + c.Detail[strings.Index(c.Detail, " to ")+20:]
				_, err := s.db.Collection(mongodb.Runs).UpdateOne(ctx, mongodb.ByID(run),
					bson.D{{Key: "$set", Value: bson.D{{Key: fmt.Sprintf("certificate.checks.%d.detail", i), Value: digest}}}})
				require.NoError(t, err)
			}
		}
	}
	s.describe()
}

// describe describes the columns of the documents as they are, as a crawl that
// cleans every row does.
func (s *stack) describe() {
	t, ctx := s.t, s.t.Context()
	snap, err := s.reader.Statistics.Snapshot(ctx, "latest")
	require.NoError(t, err)
	columns, err := s.reader.Statistics.DataProfile(ctx, snap.ID)
	require.NoError(t, err)
	sketch := profile.New(profile.Of(s.spec))
	for _, doc := range s.documents() {
		require.NoError(t, sketch.Add(doc))
	}
	columns.Description = sketch.Describe()
	require.NoError(t, statistics.NewStore(s.db).StoreProfile(ctx, snap.ID, &columns.Columns))
}

// changeHiddenEvents does the same for what happened to rows: the same fields of
// the register differ, by other values, and more of what is derived of them.
func (s *stack) changeHiddenEvents() {
	t, ctx := s.t, s.t.Context()
	cursor, err := s.db.Collection(mongodb.Changes).Find(ctx, bson.D{})
	require.NoError(t, err)
	var events []changes.Event
	require.NoError(t, cursor.All(ctx, &events))
	require.NotEmpty(t, events)
	value := func(v any) bson.RawValue {
		kind, data, err := bson.MarshalValue(v)
		require.NoError(t, err)
		return bson.RawValue{Type: kind, Value: data}
	}
	for _, e := range events {
		fields := []changes.FieldChange{}
		for _, f := range e.Fields {
			switch hidden := s.spec.Sensitive(f.Path); {
			case hidden && (strings.HasPrefix(f.Path, "source.") || strings.HasPrefix(f.Path, "facets.")):
			case hidden:
				fields = append(fields, changes.FieldChange{Path: f.Path, To: value(cmp.Or(f.Path, "x") + " of Sosias")})
			default:
				fields = append(fields, f)
			}
		}
		fields = append(fields,
			changes.FieldChange{Path: "source.mail_city", From: value("Sosias")},
			changes.FieldChange{Path: "quality.flags", To: value(bson.A{"ownership_name_trailing_hash", "mail_city_folded"})})
		_, err := s.db.Collection(mongodb.Changes).UpdateOne(ctx, bson.D{{Key: "_id", Value: e.EventID}},
			bson.D{{Key: "$set", Value: bson.D{{Key: "fields", Value: fields}}}})
		require.NoError(t, err)
	}
}

// TestRunsTellNoMachinesAndNoHiddenValues: of a run that failed over a folder of
// the worker, and before over a body with an owner's name in it, the pages of
// runs say the kind of trouble, and no more.
func TestRunsTellNoMachinesAndNoHiddenValues(t *testing.T) {
	t.Parallel()
	s := newStack(t, 30)
	s.load()
	dir := filepath.Join(t.TempDir(), "machine-seven")
	require.NoError(t, os.Mkdir(dir, 0o700))
	s.portal.Fail(portalsim.Fault{Path: "/resource/", Times: 1, Body: `[{"ownership_name":"` + owner + `"`})
	s.activity.Landing = landing.Config{Dir: dir}
	s.activity.Serve(s.spec) // opened anew
	s.portal.OnRequest(func(r *http.Request) {
		if strings.Contains(r.URL.RawQuery, "order") { // a page is asked for: from now on the folder is none
			_ = os.RemoveAll(dir)
			_ = os.WriteFile(dir, nil, 0o600)
		}
	})
	id := s.run().id
	run, err := s.reader.Runs.Run(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, runs.StatusFailed, run.Status)
	require.Contains(t, run.Reason, "not a directory")
	for _, path := range []string{"/en/", "/en/runs", "/es/runs", "/en/runs/" + id, "/data/runs/" + id + "/live.json", "/data/runs/live.json"} {
		body := s.ok(path).body
		for _, never := range []string{"machine-seven", os.TempDir(), "LEAKTEST", "127.0.0.1:"} {
			require.NotContains(t, strings.ReplaceAll(body, s.server.URL, ""), never, path)
		}
	}
	require.Contains(t, s.ok("/en/runs/"+id).body, "not a directory")

	// What an older version has recorded.
	require.NoError(t, runs.NewStore(s.db).SetRun(t.Context(), id, bson.D{
		{Key: "reason", Value: "read: server selection error: { Addr: db7.internal:27017, Type: Unknown, Last error: dial tcp [fd00::7]:27017: refused }"},
		{Key: "warnings", Value: bson.A{"open /srv/machine-seven/page: at 2026-11-20T06:00:00Z, 50/100 rows"}},
	}))
	require.Eventually(t, func() bool { return strings.Contains(s.ok("/en/runs").body, "server selection error") }, 10*time.Second, 50*time.Millisecond)
	for _, path := range []string{"/en/runs", "/en/runs/" + id} {
		for _, never := range []string{"db7", "27017", "fd00", "machine-seven"} {
			require.NotContains(t, s.ok(path).body, never, path)
		}
	}
	require.Contains(t, s.ok("/en/runs/"+id).body, "open …: at 2026-11-20T06:00:00Z, 50/100 rows")
}

// TestFieldsOfAnOlderSpecAreHidden: what an older spec called otherwise, or kept
// elsewhere, is on no page and in no data, whether of a row, of one that was
// removed, or of what happened to them.
func TestFieldsOfAnOlderSpecAreHidden(t *testing.T) {
	t.Parallel()
	s := newStack(t, 30)
	run := s.load()
	docs := s.documents()
	key, gone := lookup(docs[3], "_id"), lookup(docs[4], "_id")
	old := bson.D{
		{Key: "proprietor", Value: owner},
		{Key: "person", Value: bson.D{{Key: "home", Value: home}}},
		{Key: "address.home", Value: home},
		{Key: "source.owner_name", Value: owner},
		{Key: "facets.owner", Value: owner},
		{Key: "quality.flags", Value: bson.A{"leaktest_folded"}},
	}
	ctx := t.Context()
	_, err := s.db.Collection(mongodb.Businesses).UpdateOne(ctx, mongodb.ByID(key), bson.D{{Key: "$set", Value: old}})
	require.NoError(t, err)
	_, err = s.db.Collection(mongodb.Businesses).DeleteOne(ctx, mongodb.ByID(gone))
	require.NoError(t, err)
	_, err = s.db.Collection(mongodb.Removed).InsertOne(ctx, docs[4])
	require.NoError(t, err)
	_, err = s.db.Collection(mongodb.Removed).UpdateOne(ctx, mongodb.ByID(gone), bson.D{{Key: "$set", Value: old}})
	require.NoError(t, err)
	text := bson.RawValue{}
	text.Type, text.Value, err = bson.MarshalValue(owner + " " + home)
	require.NoError(t, err)
	page := changes.PageName(run, "0", 0)
	for _, k := range []string{key, gone} {
		var fields []changes.FieldChange
		for _, path := range []string{"proprietor", "person.home", "address.home", "owner"} {
			fields = append(fields, changes.FieldChange{Path: path, From: text})
		}
		_, err := s.db.Collection(mongodb.Changes).InsertOne(ctx, changes.Event{
			EventID: changes.EventID{Key: k, Version: 1}, Kinds: []string{changes.KindUpdated}, Cause: changes.CauseSource, Run: run, Page: page, Fields: fields,
		})
		require.NoError(t, err)
	}
	require.NoError(t, runs.NewStore(s.db).SetRun(ctx, run, bson.D{{Key: "change_pages.0", Value: 1}}))

	require.Contains(t, s.ok("/data/changes.json").body, `"proprietor"`, "that it changed is told")
	for path, body := range s.walk([]string{
		"/en/changes", "/data/changes.json", "/changes.rss", "/en/businesses/" + key, "/en/businesses/" + gone, "/data/businesses.json", "/data/businesses.csv",
		"/en/businesses?q=zebulon", "/data/businesses.json?q=4711",
	}) {
		body = strings.ReplaceAll(strings.ToUpper(body), "Q=ZEBULON", "")
		for _, never := range []string{"LEAKTEST", "ZEBULON LEAKTEST", "4711 LEAKTEST"} {
			require.NotContains(t, body, never, path)
		}
	}
}
