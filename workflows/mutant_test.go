package workflows_test

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/certificate"
	"padron/internal/changes"
	"padron/internal/landing"
	"padron/internal/lineage"
	"padron/internal/mongodb"
	"padron/internal/mongodb/mongodbtest"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/runs"
	"padron/workflows"
)

// What a look at a harmed mirror comes to.
const (
	red     = "red"     // its certificate is not green
	stopped = "stopped" // it ends with an error and touches nothing
	mended  = "mended"  // it makes good what was harmed, and is green
	passed  = "-"       // it does not see it
)

// harm is something that no run of Padron does to a mirror, and who finds it.
type harm struct {
	name string
	do   func(ctx context.Context, t *testing.T, m *mutant)
	// What the next full run, verify, verify --deep, a rerun from the landed
	// pages and run --repair make of it.
	run, verify, deep, rerun, repair string
}

// mutant is a mirror to be harmed.
type mutant struct {
	*fast
	last                           string // the newest run
	plain, edited, removed, opened string // keys
}

// TestEveryHarmIsFound does to a mirror what no run does, one harm after the
// other, and has each job look at it:
//
//	harm                                            next run  verify  verify --deep  rerun from landing  run --repair
//	a value changed, its hash left                  -         -       red            -                mended
//	a value that is counted changed, its hash left  red       red     red            red              mended
//	a hash changed                                  mended    red     red            mended           mended
//	a version changed                               -         -       red            -                mended
//	a document lost                                 mended    red     red            mended           mended
//	a document doubled under another key            mended    red     red            red              mended
//	a removed document back among the present ones  mended    red     red            red              mended
//	a removed document lost                         -         -       red            -                mended
//	the event of a change lost                      -         -       red            -                mended
//	the event of an opening lost                    -         -       red            -                mended
//	the event of a removal lost                     -         -       red            -                mended
//	an event that tells another value               -         -       red            -                mended
//	two landed pages swapped                        -         -       -              stopped          -
//	a landed page lost                              -         -       -              stopped          -
//
// What is counted are the columns of the spec's dimensions. A rerun cannot mend
// what asks for the portal: it removes nothing. It is stopped by the hashes of
// the landing, with nothing touched.
func TestEveryHarmIsFound(t *testing.T) {
	t.Parallel()
	m := &mutant{fast: newFast(t, landing.Config{}, modelSpec...)}
	ctx := t.Context()
	m.begin(ctx, t, portalsim.Options{Table: register.Generate(50, 5), Updated: time.Now().Add(-48 * time.Hour)})
	_, err := m.run(workflows.MirrorInput{})
	require.NoError(t, err)
	keys := slices.Sorted(maps.Keys(m.oracle.read(m.portal.SourceRows()).rows))
	m.plain, m.edited, m.removed, m.opened = keys[10], keys[20], keys[30], "9999999-01-001"
	require.NoError(t, m.portal.EditAt(time.Now().Add(-24*time.Hour), portalsim.Rename(m.edited, "Second Name"), portalsim.Delete(m.removed),
		portalsim.Open(row{"ttxid": m.opened, "dba_name": "New Cafe"}), portalsim.SetField(m.plain, "neighborhoods_analysis_boundaries", "Mission")))
	result, err := m.run(workflows.MirrorInput{})
	require.NoError(t, err)
	require.Equal(t, "green", result.Outcome, result.Why)
	m.last = result.Run
	sound := m.save(ctx, t)

	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	_, _ = w.Write([]byte("\nharm\tnext run\tverify\tverify --deep\trerun from landing\trun --repair\n"))
	for _, h := range harms {
		found := []string{h.name}
		for _, look := range []workflows.MirrorInput{
			{Mode: runs.ModeFull},
			{Job: runs.JobVerify},
			{Job: runs.JobVerify, Deep: true},
			{Job: runs.JobRerun, Of: m.last, From: runs.FromClean},
			{Mode: runs.ModeFull, Deep: true},
		} {
			m.restore(ctx, t, sound)
			h.do(ctx, t, m)
			found = append(found, m.look(ctx, t, look, sound))
		}
		_, _ = w.Write([]byte(strings.Join(found, "\t") + "\n"))
		assert.Equal(t, []string{h.name, h.run, h.verify, h.deep, h.rerun, h.repair}, found)
	}
	require.NoError(t, w.Flush())
	t.Log(table.String())
}

// look runs a job on a harmed mirror.
func (m *mutant) look(ctx context.Context, t *testing.T, in workflows.MirrorInput, sound map[string][]bson.Raw) string {
	harmed := m.save(ctx, t)
	result, err := m.run(in)
	after := m.save(ctx, t)
	switch {
	case err != nil:
		for _, collection := range []string{mongodb.Businesses, mongodb.Removed, mongodb.Changes} {
			require.Equal(t, harmed[collection], after[collection], "%s touched %s", in.Job, collection)
		}
		return stopped
	case result.Outcome != string(certificate.Green):
		return red
	case in.Job == "" && in.Deep: // its own deep check is green
		for _, collection := range []string{mongodb.Businesses, mongodb.Removed, mongodb.Changes} {
			if !slices.EqualFunc(harmed[collection], after[collection], func(a, b bson.Raw) bool { return bytes.Equal(a, b) }) {
				return mended
			}
		}
	case rowsOf(t, after[mongodb.Businesses]) == rowsOf(t, sound[mongodb.Businesses]) && rowsOf(t, harmed[mongodb.Businesses]) != rowsOf(t, sound[mongodb.Businesses]):
		return mended
	}
	return passed
}

// TestDamageIsOpenUntilADeepCheckSaysOtherwise changes a document behind Padron's
// back. What a deep check found stands, in outcomes and alerts, until a check of
// the same depth finds nothing; a repair mends it, as a change with a cause of its
// own.
func TestDamageIsOpenUntilADeepCheckSaysOtherwise(t *testing.T) {
	t.Parallel()
	m := &mutant{fast: newFast(t, landing.Config{}, modelSpec...)}
	ctx := t.Context()
	m.begin(ctx, t, portalsim.Options{Table: register.Generate(50, 5), Updated: time.Now().Add(-48 * time.Hour)})
	run := func(in workflows.MirrorInput, outcome string) string {
		t.Helper()
		result, err := m.run(in)
		require.NoError(t, err)
		require.Equal(t, outcome, result.Outcome, result.Why)
		return result.Run
	}
	open := func() []string {
		known, err := m.mirror.Alerts.All(ctx)
		require.NoError(t, err)
		var open []string
		for _, a := range known {
			if a.Open {
				open = append(open, string(a.ID))
			}
		}
		return open
	}
	full := workflows.MirrorInput{Mode: runs.ModeFull}
	deep := workflows.MirrorInput{Job: runs.JobVerify, Deep: true}
	run(full, "green")
	run(deep, "green")
	sound := rowsOf(t, m.dump(ctx, t, mongodb.Businesses))
	m.plain = slices.Sorted(maps.Keys(m.oracle.read(m.portal.SourceRows()).rows))[10]
	m.update(ctx, t, mongodb.Businesses, m.plain, set("dba_name", "Somebody Else"))

	run(full, "green") // nothing has looked
	found := run(deep, "red")
	require.Equal(t, []string{"damaged"}, open(), "and not not_green as well")
	for _, in := range []workflows.MirrorInput{full, {Mode: runs.ModeAuto}, {Job: runs.JobVerify}} {
		id := run(in, "red")
		require.Equal(t, []string{"damaged"}, open(), "no recovery after %v", in)
		record, err := m.mirror.Runs.Run(ctx, id)
		require.NoError(t, err)
		require.Contains(t, record.Reason, found)
		require.Contains(t, record.Reason, "starter run --repair")
	}

	repaired := run(workflows.MirrorInput{Mode: runs.ModeFull, Deep: true}, "green")
	require.Empty(t, open())
	require.Equal(t, sound, rowsOf(t, m.dump(ctx, t, mongodb.Businesses)))
	var event changes.Event
	require.NoError(t, m.db.Collection(mongodb.Changes).FindOne(ctx, mongodbtest.WithID(eventID(m.plain, 2))).Decode(&event))
	require.Equal(t, []any{changes.CauseRepair, repaired, "dba_name"}, []any{event.Cause, event.Run, event.Fields[0].Path})
	require.Equal(t, "Somebody Else", event.Fields[0].From.StringValue())
	run(deep, "green")
	run(full, "green")
}

// rowsOf is all documents without their lineage.
func rowsOf(t *testing.T, documents []bson.Raw) string {
	var all strings.Builder
	for _, d := range documents {
		canonical, err := lineage.Canonical(nil, d)
		require.NoError(t, err)
		all.Write(canonical)
		_, hash := d.Lookup("lineage", "hash").Binary()
		all.Write(hash)
	}
	return all.String()
}

func (m *mutant) update(ctx context.Context, t *testing.T, collection string, id any, change bson.D) {
	t.Helper()
	changed, err := m.db.Collection(collection).UpdateOne(ctx, bson.D{{Key: "_id", Value: id}}, change)
	require.NoError(t, err)
	require.EqualValues(t, 1, changed.ModifiedCount)
}

func (m *mutant) remove(ctx context.Context, t *testing.T, collection string, id any) {
	t.Helper()
	gone, err := m.db.Collection(collection).DeleteOne(ctx, bson.D{{Key: "_id", Value: id}})
	require.NoError(t, err)
	require.EqualValues(t, 1, gone.DeletedCount)
}

func (m *mutant) document(ctx context.Context, t *testing.T, collection, key string) bson.D {
	t.Helper()
	var d bson.D
	require.NoError(t, m.db.Collection(collection).FindOne(ctx, bson.D{{Key: "_id", Value: key}}).Decode(&d))
	return d
}

// landed are the raw pages of the newest crawl.
func (m *mutant) landed(ctx context.Context, t *testing.T) []landing.Entry {
	zone, err := landing.Open(landing.Config{}, m.db)
	require.NoError(t, err)
	pages, err := zone.List(ctx, m.last)
	require.NoError(t, err)
	pages = slices.DeleteFunc(pages, func(p landing.Entry) bool { return p.Kind != landing.KindRaw })
	require.Greater(t, len(pages), 2)
	return pages
}

func eventID(key string, version int32) bson.D {
	return bson.D{{Key: "key", Value: key}, {Key: "version", Value: version}}
}

func set(path string, v any) bson.D {
	return bson.D{{Key: "$set", Value: bson.D{{Key: path, Value: v}}}}
}

// harms are what docs/certificate.md lists.
var harms = []harm{
	{"a value changed, its hash left", func(ctx context.Context, t *testing.T, m *mutant) {
		m.update(ctx, t, mongodb.Businesses, m.plain, set("dba_name", "Somebody Else"))
	}, passed, passed, red, passed, mended},
	{"a value that is counted changed, its hash left", func(ctx context.Context, t *testing.T, m *mutant) {
		m.update(ctx, t, mongodb.Businesses, m.plain, set("districts.neighborhoods_analysis_boundaries", "Atlantis"))
	}, red, red, red, red, mended},
	{"a hash changed", func(ctx context.Context, t *testing.T, m *mutant) {
		m.update(ctx, t, mongodb.Businesses, m.plain, set("lineage.hash", bson.Binary{Data: make([]byte, lineage.HashSize)}))
	}, mended, red, red, mended, mended},
	{"a version changed", func(ctx context.Context, t *testing.T, m *mutant) {
		m.update(ctx, t, mongodb.Businesses, m.edited, set("lineage.version", int32(7)))
	}, passed, passed, red, passed, mended},
	{"a document lost", func(ctx context.Context, t *testing.T, m *mutant) {
		m.remove(ctx, t, mongodb.Businesses, m.plain)
	}, mended, red, red, mended, mended},
	{"a document doubled under another key", func(ctx context.Context, t *testing.T, m *mutant) {
		d := m.document(ctx, t, mongodb.Businesses, m.plain)
		d[0].Value = "7777777-01-001"
		_, err := m.db.Collection(mongodb.Businesses).InsertOne(ctx, d)
		require.NoError(t, err)
	}, mended, red, red, red, mended},
	{"a removed document back among the present ones", func(ctx context.Context, t *testing.T, m *mutant) {
		_, err := m.db.Collection(mongodb.Businesses).InsertOne(ctx, m.document(ctx, t, mongodb.Removed, m.removed))
		require.NoError(t, err)
	}, mended, red, red, red, mended},
	{"a removed document lost", func(ctx context.Context, t *testing.T, m *mutant) {
		m.remove(ctx, t, mongodb.Removed, m.removed)
	}, passed, passed, red, passed, mended},
	{"the event of a change lost", func(ctx context.Context, t *testing.T, m *mutant) {
		m.remove(ctx, t, mongodb.Changes, eventID(m.edited, 2))
	}, passed, passed, red, passed, mended},
	{"the event of an opening lost", func(ctx context.Context, t *testing.T, m *mutant) {
		m.remove(ctx, t, mongodb.Changes, eventID(m.opened, 1))
	}, passed, passed, red, passed, mended},
	{"the event of a removal lost", func(ctx context.Context, t *testing.T, m *mutant) {
		m.remove(ctx, t, mongodb.Changes, eventID(m.removed, 2))
	}, passed, passed, red, passed, mended},
	{"an event that tells another value", func(ctx context.Context, t *testing.T, m *mutant) {
		m.update(ctx, t, mongodb.Changes, eventID(m.edited, 2), set("fields.0.to", "Third Name"))
	}, passed, passed, red, passed, mended},
	{"two landed pages swapped", func(ctx context.Context, t *testing.T, m *mutant) {
		chunks := m.dump(ctx, t, "landing.chunks")
		var pages []bson.Raw
		for _, page := range m.landed(ctx, t)[:2] {
			i := slices.IndexFunc(chunks, func(c bson.Raw) bool { return c.Lookup("files_id").StringValue() == page.ID })
			require.GreaterOrEqual(t, i, 0)
			pages = append(pages, chunks[i])
		}
		m.update(ctx, t, "landing.chunks", pages[0].Lookup("_id"), set("data", pages[1].Lookup("data")))
		m.update(ctx, t, "landing.chunks", pages[1].Lookup("_id"), set("data", pages[0].Lookup("data")))
	}, passed, passed, passed, stopped, passed},
	{"a landed page lost", func(ctx context.Context, t *testing.T, m *mutant) {
		m.remove(ctx, t, "landing.files", m.landed(ctx, t)[0].ID)
	}, passed, passed, passed, stopped, passed},
}
