package main_test

import (
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/workflows"
)

// TestNoSensitiveValueIsToldOn looks for values of sensitive fields wherever
// people look by default: every byte that leaves the dashboard and its feeds,
// exports, what the starter prints, the worker's log, metrics, messages and
// histories. The rows that have them come, change, are kept apart and go, an
// older spec kept them elsewhere, and the portal breaks off in the middle.
func TestNoSensitiveValueIsToldOn(t *testing.T) {
	t.Parallel()
	const owner = "ZEBULON LEAKTEST"
	private := map[string]any{
		"ownership_name": owner, "mailing_address_1": "4711 LEAKTEST LN", "mail_city": "LEAKTESTVILLE", "mail_state": "LEAKTEST", "mail_zipcode": "LEAKTEST-1",
	}
	s := newStack(t, register.Generate(300, 81))
	s.env["PADRON_LOG_LEVEL"] = "debug"
	receiver := s.receive()
	s.maxRemovals("50")
	worker := s.worker("PADRON_DASHBOARD_ADDR=127.0.0.1:0")
	pages := strings.TrimSuffix(worker.dashboard("dashboard=", &worker.errors), "/")
	s.load()
	keys := s.someKeys(3)
	key, former, gone := keys[0], keys[1], keys[2] // it has them, had them, had them when it went
	for column, value := range private {
		require.NoError(t, s.portal.Edit(portalsim.SetField(former, column, value), portalsim.SetField(gone, column, value)))
	}
	s.load()
	require.NoError(t, s.portal.Edit(portalsim.SetField(former, "ownership_name", "Somebody Else"), portalsim.SetField(former, "mailing_address_1", "1 Elsewhere St")))
	s.delete(gone)
	s.load()
	sensitive, keyless, doubled := s.row(key), s.row(key), s.row(key)
	for _, row := range []map[string]any{sensitive, keyless, doubled} {
		maps.Copy(row, private)
	}
	delete(keyless, "ttxid")
	require.NoError(t, s.portal.Edit(portalsim.Delete(key), portalsim.Open(sensitive), portalsim.Open(doubled), portalsim.Open(keyless)))
	s.portal.Fail(
		portalsim.Fault{Path: "/resource/", Skip: 1, Times: 2, TruncateAfter: 5000},
		portalsim.Fault{Path: "/resource/", Skip: 1, Times: 1, Body: `[{"ownership_name":"` + owner + `"`},
	)
	run := s.load()
	told := map[string]string{
		"run":             s.ok("status", run.Run) + s.ok("status", run.Run, "-o", "json"),
		"changes":         s.ok("changes", "--since", "1d", "--all-fields") + s.ok("changes", "--since", "1d", "--all-fields", "-o", "json"),
		"quarantine list": s.ok("quarantine", "list") + s.ok("quarantine", "list", "-o", "json"),
		"snapshots":       s.ok("snapshots", "show", "latest", "-o", "json"),
		"verify":          s.ok("verify", "--deep", "-o", "json"),
		"metrics":         get(t, worker.health()+"/metrics"),
		"history":         s.history(workflows.MirrorID(s.name, run.Run)) + s.history(workflows.WriteID(s.name)),
	}
	require.Contains(t, told["changes"], "ownership_name: changed (not shown)")
	for _, collection := range []string{mongodb.Businesses, mongodb.Removed} {
		_, err := s.mongo.Database(s.database()).Collection(collection).UpdateMany(t.Context(), bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: keys}}}},
			bson.D{{Key: "$set", Value: bson.D{{Key: "proprietor", Value: owner}, {Key: "source.owner_name", Value: owner}}}})
		require.NoError(t, err)
		for _, format := range []string{"csv", "json", "ndjson"} {
			told["export "+collection+" "+format] = s.ok("export", "--collection", collection, "-o", format)
		}
	}
	told["export changes"] = s.ok("export", "--collection", "changes", "-o", "ndjson") + s.ok("export", "--collection", "changes", "-o", "csv")
	told["export snapshots"] = s.ok("export", "--collection", "snapshots", "-o", "csv")
	maps.Copy(told, walkPages(t, pages, keys, run.Run))
	s.portal.Fail(portalsim.Fault{Path: "/resource/", Status: http.StatusBadRequest, Body: owner, Times: -1})
	r := s.starter("run", "--wait", "--mode", "full")
	told["failed run"] = r.out + r.errors
	s.portal.Heal()
	s.delete(key)
	s.load()
	told["removal"] = s.ok("changes", "--key", key, "--cause", "all", "--all-fields", "-o", "json")
	// What was wrong was told to the receiver: the run that failed over a body
	// with the owner's name, and removals over max_removals while the sensitive row
	// is among those that are missing.
	var removals []portalsim.Op
	for row := range s.portal.SourceRows() {
		if id, _ := row["ttxid"].(string); len(removals) < 60 && id != "" {
			removals = append(removals, portalsim.Delete(id))
		}
	}
	require.NoError(t, s.portal.Edit(removals...))
	require.Equal(t, notGreen, s.starter("run", "--wait", "--mode", "full").code)
	require.Equal(t, []string{"schema_changed schema_changed", "recovered schema_changed", "held_removals held_removals"}, receiver.kinds(3))
	told["messages"] = receiver.all()
	told["alerts"] = s.ok("alerts", "--past") + s.ok("alerts", "--past", "-o", "json")
	told["worker's log"] = worker.errors.String() + worker.out.String()
	for where, text := range told {
		require.NotEmpty(t, text, where)
		require.NotContains(t, strings.ReplaceAll(strings.ToUpper(text), asked, ""), "LEAKTEST", where)
	}
	require.Contains(t, s.ok("changes", "--key", key, "--sensitive"), owner, "it is told to those who ask")
	require.Contains(t, s.ok("export", "--collection", "removed", "--sensitive", "-o", "ndjson"), owner)
}

// asked is what walkPages itself searches for, as pages repeat it.
const asked = "EAKTESTVILL"

// walkPages reads every answer of a dashboard that pages lead to, of rows and
// runs above all.
func walkPages(t *testing.T, base string, keys []string, run string) map[string]string {
	t.Helper()
	const atMost = 250
	todo := []string{
		"/changes.rss", "/data/changes.json", "/data/businesses.csv", "/data/businesses.json", "/data/businesses.json?q=zebulon", "/en/changes", "/en/runs/" + run,
		"/en/profile", "/data/profile/flags.json", "/en/businesses?q=" + strings.ToLower(asked), "/es/changes", "/readyz",
	}
	for _, key := range keys {
		todo = append(todo, "/en/businesses/"+key, "/es/businesses/"+key)
	}
	links := regexp.MustCompile(`(?:href|src|data-live)="(/[^"#]*)`)
	told := map[string]string{}
	for ; len(todo) > 0 && len(told) < atMost; todo = todo[1:] {
		path := todo[0]
		if _, done := told["page "+path]; done || strings.HasPrefix(path, "/static/") {
			continue
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, http.NoBody)
		require.NoError(t, err)
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		told["page "+path] = fmt.Sprint(answer.Header) + string(body)
		for _, link := range links.FindAllStringSubmatch(string(body), -1) {
			todo = append(todo, html.UnescapeString(link[1]))
		}
	}
	return told
}

// TestExportsTellNothingOfHiddenValues: of two mirrors that differ in hidden
// values and in what an older spec kept, exports are the same, byte for byte.
func TestExportsTellNothingOfHiddenValues(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(200, 82))
	s.worker()
	s.load()
	keys := s.someKeys(2)
	require.NoError(t, s.portal.Edit(portalsim.SetField(keys[0], "ownership_name", "One Owner"), portalsim.Rename(keys[0], "One Name")))
	s.delete(keys[1])
	s.load()
	exports := func() map[string]string {
		told := map[string]string{}
		for _, collection := range []string{mongodb.Businesses, mongodb.Removed, mongodb.Changes} {
			for _, format := range []string{"csv", "json", "ndjson"} {
				told[collection+" "+format] = s.ok("export", "--collection", collection, "-o", format)
			}
		}
		told["changes"] = s.ok("changes", "--since", "1d", "--all-fields", "--cause", "all", "-o", "json")
		return told
	}
	before := exports()
	require.Contains(t, before["changes ndjson"], `"ownership_name"`, "that it changed is told")
	database := s.mongo.Database(s.database())
	for _, collection := range []string{mongodb.Businesses, mongodb.Removed} {
		_, err := database.Collection(collection).UpdateMany(t.Context(), bson.D{}, bson.D{
			{Key: "$set", Value: bson.D{
				{Key: "ownership_name", Value: "Sosias"},
				{Key: "address.mail_city", Value: "Sosias"},
				{Key: "source.mail_city", Value: "SOSIAS"},
				{Key: "lineage.hash", Value: bson.Binary{Data: make([]byte, 32)}},
				{Key: "proprietor", Value: "Sosias"},
				{Key: "person.name", Value: "Sosias"},
				{Key: "facets.tokens", Value: bson.A{"~sosias"}},
			}},
			{Key: "$push", Value: bson.D{{Key: "quality.flags", Value: bson.D{{Key: "$each", Value: bson.A{"mail_city_folded", "proprietor_blank"}}}}}},
		})
		require.NoError(t, err)
	}
	updated, err := database.Collection(mongodb.Changes).UpdateMany(t.Context(), bson.D{}, bson.D{{Key: "$push", Value: bson.D{{
		Key: "fields", Value: bson.D{{Key: "$each", Value: bson.A{
			bson.D{{Key: "path", Value: "facets.tokens"}, {Key: "to", Value: bson.A{"~sosias"}}},
			bson.D{{Key: "path", Value: "source.mail_city"}, {Key: "from", Value: "SOSIAS"}},
			bson.D{{Key: "path", Value: "quality.flags"}, {Key: "to", Value: bson.A{"ownership_name_trailing_hash"}}},
		}}},
	}}}})
	require.NoError(t, err)
	require.NotZero(t, updated.ModifiedCount)
	_, err = database.Collection(mongodb.Changes).UpdateMany(t.Context(), bson.D{{Key: "fields.path", Value: "ownership_name"}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "fields.$.to", Value: "Sosias"}}}})
	require.NoError(t, err)
	after := exports()
	for what, text := range before {
		require.Equal(t, text, after[what], what)
	}
	require.Contains(t, s.ok("export", "-o", "ndjson", "--sensitive"), "Sosias", "they did differ")
}
